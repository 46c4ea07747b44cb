"""Base class of screens with a table that is filtered: ``/`` types a filter, ``f`` lists those that were saved."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from celery_nexus.connection.errors import ConfigError
from celery_nexus.filters.errors import FilterError
from celery_nexus.rows.text import safe_text
from nexus_tui.screens.bases.base import NexusScreen
from nexus_tui.widgets.completion import Candidate
from nexus_tui.widgets.prompt import Prompt

FILTER_HINT = "a word, or field:value -field:value (a OR b)"


class FilteringScreen(NexusScreen):
    """A screen whose list can be filtered."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter"),
        Binding("f", "saved_filters", "saved filters", show=False),
    ]

    filter_hint: ClassVar[str] = FILTER_HINT

    @property
    def filter_kind(self) -> str:
        """Under which name filters are remembered and saved: those of one kind have the same fields."""
        return self.view

    @property
    @abstractmethod
    def filter_text(self) -> str:
        """The filter."""

    @abstractmethod
    def set_filter(self, text: str) -> None:
        """Filter.

        Raises:
            FilterError: The filter can't be understood.
        """

    @abstractmethod
    def complete_filter(self, text: str) -> Sequence[Candidate]:
        """Offer ways to go on from a filter that is being typed."""

    def check_filter(self, text: str) -> None:
        """Look at a filter while it is typed; by default it is used at once.

        Raises:
            FilterError: The filter can't be understood.
        """
        self.set_filter(text)

    def filter_typed(self, text: str) -> None:
        """Say what is wrong at its place; nothing of what is only not typed yet."""
        try:
            self.check_filter(text)
        except FilterError as error:
            if error.position < len(text):
                self._complain(error)
        else:
            self._complain(None)

    def filter_entered(self, text: str) -> bool:
        """Filter; the prompt stays open until the filter is right."""
        try:
            self.set_filter(text)
        except FilterError as error:
            self._complain(error)
            return False
        self._complain(None)
        return True

    def _complain(self, error: FilterError | None) -> None:
        problem, place = ("", None) if error is None else (safe_text(str(error), 300), error.position)
        self.query_one(Prompt).complain(problem, place, hint=self.filter_hint)

    def use_filter(self, text: str) -> str:
        """Filter; return what is wrong, or nothing."""
        try:
            self.set_filter(text)
        except FilterError as error:
            return safe_text(str(error), 300)
        return ""

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(Prompt).open(
            "/",
            self.filter_text,
            complete=self.complete_filter,
            history=self.host.history_of(f"/{self.filter_kind}"),
            hint=self.filter_hint,
        )

    def action_saved_filters(self) -> None:
        """Choose one of the filters that were saved for this list."""
        from nexus_tui.screens.dialogs.saved import SavedFiltersScreen

        def use(text: str | None) -> None:
            problem = self.use_filter(text) if text is not None else ""
            if problem:
                self.host.tell(problem, severity="error")

        self.app.push_screen(SavedFiltersScreen(self.filter_kind, self.read_saved()), use)

    def read_saved(self) -> dict[str, str]:
        """Read the filters that were saved for this list; none where the file is wrong, which is said."""
        from nexus_tui.preferences.saved_filters import read_filters

        try:
            return read_filters().get(self.filter_kind, {})
        except ConfigError as wrong:
            self.host.tell(str(wrong), severity="error")
            return {}

    def save_filter(self, name: str) -> str:
        """Save the filter under a name; return what is wrong, or nothing."""
        from nexus_tui.preferences.saved_filters import save_filter

        if not name:
            return "save needs a name: save NAME"
        if not self.filter_text:
            return "nothing is filtered here: / first, then save NAME"
        try:
            save_filter(self.filter_kind, name, self.filter_text)
        except ConfigError as wrong:
            return safe_text(str(wrong), 300)
        self.host.tell(f"saved as {name}: f lists it")
        return ""

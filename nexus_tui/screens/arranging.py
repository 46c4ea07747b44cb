"""Screens with tables whose rows are all at hand: ``/`` filters the one in focus, ``s``, ``o`` and a click sort it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from celery_nexus.filters.errors import FilterError
from nexus_tui.screens.base import NexusScreen
from nexus_tui.widgets.arrangement import Arrangement
from nexus_tui.widgets.completion import Candidate, complete_filter
from nexus_tui.widgets.prompt import Prompt
from nexus_tui.widgets.table import Table

FILTER_HINT = "a word, or field:value -field:value (a OR b)"


class ArrangedScreen(NexusScreen):
    """A screen whose tables are filtered and sorted here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter"),
        Binding("s", "sort", "sort"),
        Binding("o", "reverse", "reverse", show=False),
        Binding("z", "hide_healthy", "hide the healthy", show=False),
    ]

    _filtered: Table | None = None

    @property
    def arranged(self) -> tuple[Table, Arrangement] | None:
        """The table that keys are about: the one in focus, else the first; with its arrangement."""
        tables = [self.focused] if isinstance(self.focused, Table) else list(self.query(Table))
        return next(((table, table.arrangement) for table in tables if table.arrangement is not None), None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave ``z`` out where nothing says what is healthy."""
        if action == "hide_healthy" and self.is_mounted:
            arranged = self.arranged
            if arranged is None or arranged[1].weigh is None:
                return False
        return super().check_action(action, parameters)

    def action_sort(self) -> None:
        """Sort by the next column."""
        if arranged := self.arranged:
            arranged[1].sort_by_next()
            arranged[0].rearrange()

    def action_reverse(self) -> None:
        """Reverse the order."""
        if arranged := self.arranged:
            arranged[1].reverse = not arranged[1].reverse
            arranged[0].rearrange()

    def action_hide_healthy(self) -> None:
        """Leave out what nothing is wrong with, or show it again."""
        if arranged := self.arranged:
            arranged[1].hides_healthy = not arranged[1].hides_healthy
            arranged[0].rearrange()

    def sort_by(self, name: str) -> str:
        """Sort by a field; return what is wrong, or nothing."""
        arranged = self.arranged
        if arranged is None or not any(field.name == name for field in arranged[1].fields):
            names = [field.name for field in arranged[1].fields] if arranged else []
            return f"sort by one of {', '.join(names)}"
        arranged[1].sort_by(name)
        arranged[0].rearrange()
        return ""

    @property
    def sort_names(self) -> Sequence[str]:
        """What can be sorted by."""
        arranged = self.arranged
        return [field.name for field in arranged[1].fields] if arranged else []

    @property
    def filter_text(self) -> str:
        """The filter of the table that keys are about."""
        arranged = self.arranged
        return arranged[1].text if arranged else ""

    def action_filter(self) -> None:
        """Type a filter."""
        arranged = self.arranged
        if arranged is None:
            return
        self._filtered, arrangement = arranged
        history = self.host.history_of(self.filter_kind)
        self.query_one(Prompt).open(
            "/", arrangement.text, complete=self.complete_filter, history=history, hint=FILTER_HINT
        )

    @property
    def filter_kind(self) -> str:
        """Under which name filters of the table that keys are about are remembered and saved."""
        arranged = self.arranged
        return f"{self.view} {arranged[0].id}" if arranged and arranged[0].id != "rows" else self.view

    def complete_filter(self, text: str) -> Sequence[Candidate]:
        """Offer fields of the table and the values in it."""
        table = self._filtered
        if table is None or table.arrangement is None:
            return ()
        arrangement = table.arrangement
        names = [field.name for field in arrangement.fields]
        return complete_filter(text, names, lambda name: arrangement.count_values(name, table.given))

    def set_filter(self, text: str) -> None:
        """Filter the table that keys are about.

        Raises:
            FilterError: The filter can't be understood.
        """
        if arranged := self.arranged:
            arranged[1].filter_by(text)
            arranged[0].rearrange()

    def filter_typed(self, text: str) -> None:
        """Filter while it is typed; what is wrong is said at its place, and nothing of what is only not typed yet."""
        self._try_filter(text, is_whole=False)

    def filter_entered(self, text: str) -> bool:
        """Filter; the prompt stays open until the filter is right."""
        return self._try_filter(text, is_whole=True)

    def _try_filter(self, text: str, *, is_whole: bool) -> bool:
        table, prompt = self._filtered, self.query_one(Prompt)
        if table is None or table.arrangement is None:
            return True
        try:
            table.arrangement.filter_by(text)
        except FilterError as error:
            if is_whole or error.position < len(text):
                prompt.complain(str(error), error.position)
            return False
        prompt.complain("", hint=FILTER_HINT)
        table.rearrange()
        return True

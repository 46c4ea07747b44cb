"""Screens with tables whose rows are all at hand: ``/`` filters the one in focus, ``s``, ``o`` and a click sort it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from nexus_tui.screens.bases.filtering import FilteringScreen
from nexus_tui.widgets.completion import Candidate, complete_filter
from nexus_tui.widgets.tables.arrangement import Arrangement
from nexus_tui.widgets.tables.table import Table


class ArrangedScreen(FilteringScreen):
    """A screen whose tables are filtered and sorted here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", "sort"),
        Binding("o", "reverse", "reverse", show=False),
        Binding("z", "hide_healthy", "hide the healthy", show=False),
    ]

    _filtered: Table | None = None

    @property
    def arranged(self) -> tuple[Table, Arrangement] | None:
        """The table that keys are about: the one in focus, else the first; with its arrangement."""
        if self._prompt_is_open and self._filtered is not None:
            tables = [self._filtered]
        else:
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
        self._filtered = arranged[0]
        super().action_filter()

    @property
    def filter_kind(self) -> str:
        """Under which name filters of the table that keys are about are remembered and saved."""
        arranged = self.arranged
        return f"{self.view} {arranged[0].id}" if arranged and arranged[0].id != "rows" else self.view

    def complete_filter(self, text: str) -> Sequence[Candidate]:
        """Offer fields of the table and the values in it."""
        if self._filtered is None or self._filtered.arrangement is None:
            return ()
        table, arrangement = self._filtered, self._filtered.arrangement
        names = [field.name for field in arrangement.fields]
        return complete_filter(text, names, lambda name: arrangement.count_values(name, table.given))

    def set_filter(self, text: str) -> None:
        """Filter the table that keys are about; raises ``FilterError`` for a filter that can't be understood."""
        if arranged := self.arranged:
            arranged[1].filter_by(text)
            arranged[0].rearrange()

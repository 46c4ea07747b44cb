"""Sorting of a table by the columns that allow it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from nexus_tui.screens.tables.needs import HEALTHY
from nexus_tui.widgets.table import Column

T = TypeVar("T")

ALL_HEALTHY = "Nothing is wrong: z shows what is healthy"
"""Text of a list whose rows are all healthy, and so left out."""


@dataclass
class Sorting(Generic[T]):
    """What a table is sorted by: first trouble first, ``s`` takes the next column, ``o`` reverses.

    Attributes:
        columns: Those of the table.
        weigh: How bad a row is, 0 the worst.
        key: The field that is sorted by; empty for trouble first.
        reverse: Whether the other way round.
        hides_healthy: Whether rows that nothing is wrong with are left out.
    """

    columns: Sequence[Column]
    weigh: Callable[[T], int]
    key: str = ""
    reverse: bool = False
    hides_healthy: bool = False

    def sort_by_next(self) -> None:
        """Sort by the next column that can be sorted by; after the last, trouble first."""
        keys = ["", *(column.sort for column in self.columns if column.sort)]
        self.key = keys[(keys.index(self.key) + 1) % len(keys)]
        self.reverse = False

    def apply(self, rows: Sequence[T]) -> list[T]:
        """Sort rows; what is unknown comes last, what is as bad stays as the source gave it."""
        shown = [row for row in rows if not self.hides_healthy or self.weigh(row) < HEALTHY]
        if not self.key:
            return sorted(reversed(shown) if self.reverse else shown, key=self.weigh, reverse=self.reverse)
        known = [row for row in shown if getattr(row, self.key) is not None]
        unknown = [row for row in shown if getattr(row, self.key) is None]
        return sorted(known, key=lambda row: getattr(row, self.key), reverse=self.reverse) + unknown

    def describe_hidden(self, rows: Sequence[T]) -> str:
        """Say how many rows are left out, for a panel's title; empty while none are."""
        hidden = sum(self.weigh(row) == HEALTHY for row in rows) if self.hides_healthy else 0
        return f"z shows {hidden} healthy" if hidden else ""

    @property
    def words(self) -> str:
        """Say what it is sorted by, for a panel's title; empty for trouble first."""
        if not self.key:
            return "reversed" if self.reverse else ""
        title = next(column.title.lower() for column in self.columns if column.sort == self.key)
        return f"by {title} {'↓' if self.reverse else '↑'}"

"""Sorting of a table by the columns that allow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from nexus_tui.widgets.table import Column

T = TypeVar("T")


@dataclass
class Sorting:
    """What a table is sorted by: ``s`` takes the next column, ``o`` reverses."""

    columns: Sequence[Column]
    key: str = ""
    reverse: bool = False

    def sort_by_next(self) -> None:
        """Sort by the next column that can be sorted by; after the last, as the source gave the rows."""
        keys = ["", *(column.sort for column in self.columns if column.sort)]
        self.key = keys[(keys.index(self.key) + 1) % len(keys)]
        self.reverse = False

    def apply(self, rows: Sequence[T]) -> list[T]:
        """Sort rows; what is unknown comes last."""
        if not self.key:
            return list(reversed(rows)) if self.reverse else list(rows)
        known = [row for row in rows if getattr(row, self.key) is not None]
        unknown = [row for row in rows if getattr(row, self.key) is None]
        return sorted(known, key=lambda row: getattr(row, self.key), reverse=self.reverse) + unknown

    @property
    def words(self) -> str:
        """Say what it is sorted by, for a panel's title; empty for the source's own order."""
        if not self.key:
            return "reversed" if self.reverse else ""
        title = next(column.title.lower() for column in self.columns if column.sort == self.key)
        return f"by {title} {'↓' if self.reverse else '↑'}"

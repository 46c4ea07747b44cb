"""Marked rows, kept by id, so that marks survive filter, sort and refresh."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from nexus_tui.widgets.lines import LineView
from nexus_tui.widgets.tables.sight import Row


class MarkedRows(LineView, can_focus=True):
    """Rows that can be marked one by one, from one to another, or all.

    Attributes:
        marks: Ids of the marked rows, in the order in which they were marked, each with its row where it was loaded.
        total: How many rows match; None before they were read.
        cursor: Index of the row under the cursor.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "mark, or unmark", show=False),
        Binding("asterisk", "mark_all", "mark all that match", show=False),
        Binding("v", "mark_range", "mark from the last mark to here", show=False),
        Binding("backslash", "clear_marks", "clear marks", show=False),
    ]

    class MarksWanted(Message):
        """Rows are to be marked of which not all are loaded: the owner is asked to call :meth:`MarkedRows.mark`.

        Attributes:
            table: Whose rows.
            first: Index of the first.
            last: Index of the last.
            ends: Ids of both, where they are known: rows may have moved meanwhile.
        """

        def __init__(self, table: MarkedRows, first: int, last: int, ends: tuple[str, str] | None) -> None:
            super().__init__()
            self.table, self.first, self.last, self.ends = table, first, last, ends

    marks: dict[str, Any]
    total: int | None
    cursor: int

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.marks = {}
        self.total = None
        self.cursor = 0
        self._anchor: tuple[int, str] | None = None

    @property
    def aimed(self) -> Row | None:
        """The row that a key is about: the one that was painted under the cursor when it was pressed."""
        raise NotImplementedError

    def place_of(self, row: Row) -> int:
        """Return where a row is now; where the cursor is, when it is not loaded any more."""
        raise NotImplementedError

    def row_at(self, index: int) -> Row | None:
        """Return a row; None for one that is not loaded."""
        raise NotImplementedError

    def is_loaded(self, first: int, last: int) -> bool:
        """Tell whether these rows are loaded."""
        raise NotImplementedError

    def step(self) -> None:
        """Go on to the next row."""
        raise NotImplementedError

    def targets(self) -> tuple[str, ...]:
        """Ids that an action is about: the marked ones, else the one under the cursor."""
        if self.marks:
            return tuple(self.marks)
        aimed = self.aimed
        return (aimed.id,) if aimed and aimed.id else ()

    def target_rows(self) -> list[Row]:
        """The rows that an action is about, as they were when they were marked or painted; None for what was not."""
        if self.marks:
            return [Row(own, item) for own, item in self.marks.items()]
        aimed = self.aimed
        return [aimed] if aimed and aimed.id else []

    def mark(self, ids: list[str]) -> None:
        """Mark rows."""
        for own in filter(None, ids):
            self.marks.setdefault(own, None)
        self.redraw()

    def action_mark(self) -> None:
        """Mark the row under the cursor, or unmark it, and go on to the next."""
        aimed = self.aimed
        if aimed is None or not aimed.id:
            return
        self._anchor = (self.place_of(aimed), aimed.id)
        if aimed.id in self.marks:
            del self.marks[aimed.id]
        else:
            self.marks[aimed.id] = aimed.item
        self.step()

    def action_mark_range(self) -> None:
        """Mark from the row that was marked last to the one under the cursor."""
        aimed = self.aimed
        if aimed is None or not aimed.id:
            return
        here = (self.place_of(aimed), aimed.id)
        ends = sorted((self._found(self._anchor) if self._anchor else here, here))
        self._mark_between(ends[0][0], ends[1][0], (ends[0][1], ends[1][1]))
        self._anchor = here

    def action_mark_all(self) -> None:
        """Mark every row that matches."""
        if self.total:
            self._mark_between(0, self.total - 1, None)

    def action_clear_marks(self) -> None:
        """Unmark everything."""
        self.marks.clear()
        self._anchor = None
        self.redraw()

    def _found(self, row: tuple[int, str]) -> tuple[int, str]:
        """Look where a row is now; where it was, when it is not loaded."""
        for index in range(self.total or 0) if self.is_loaded(0, (self.total or 1) - 1) else ():
            found = self.row_at(index)
            if found and found.id == row[1]:
                return index, row[1]
        return row

    def _mark_between(self, first: int, last: int, ends: tuple[str, str] | None) -> None:
        if self.is_loaded(first, last):
            rows = [self.row_at(index) for index in range(first, last + 1)]
            self.marks.update({row.id: row.item for row in rows if row and row.id})
            self.redraw()
        else:
            self.post_message(self.MarksWanted(self, first, last, ends))


def between(ids: list[str], ends: tuple[str, str] | None) -> list[str] | None:
    """Cut what lies between two ids, both included; None when one of them is not there any more."""
    if ends is None:
        return ids
    if not set(ends) <= set(ids):
        return None
    first, last = sorted(map(ids.index, ends))
    return ids[first : last + 1]


def describe_marks(marks: dict[str, Any]) -> str:
    """Count marks for a panel's title; empty when there are none."""
    return f" · {len(marks):,} marked" if marks else ""

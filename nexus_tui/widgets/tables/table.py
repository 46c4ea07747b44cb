"""Virtual table: only visible rows are drawn, so that a million cost as much as forty.

Textual's DataTable takes seconds to load ten thousand rows and lays out each; this one holds a window of the
rows, asks for the next when the cursor gets there, and keeps its cursor and marks by id while rows stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from celery_nexus.rows.text import safe_text
from nexus_tui.widgets.lines import Line, fit, with_look
from nexus_tui.widgets.panel import title_line
from nexus_tui.widgets.tables.arrangement import Arrangement
from nexus_tui.widgets.tables.columns import Column
from nexus_tui.widgets.tables.marks import describe_marks
from nexus_tui.widgets.tables.rows import HEAD_LINES, PAGE, CursorRows
from nexus_tui.widgets.tables.sight import Picture, Row

__all__ = ["PAGE", "Table"]


_EDGE = "  "
"""Cells left of the columns: the cursor and the mark."""

_SHOWN_FILTER = 60
"""Most characters of a filter that the title shows."""


class Table(CursorRows, can_focus=True):
    """Rows with a cursor and marks.

    Args:
        columns: Leftmost are the most important: where the width does not do, the last are left out.
        cells: Draws one item, one line a column.
        identify: Id of an item; empty for one that can't be marked.
        title: Words of the panel's title.
        empty: What to say, and what to do, when there is nothing.
        follows: Whether the cursor stays at the top while rows stream in there.
        ageing: Whether cells show how long ago something was: the same rows are then drawn anew when shown again.
        arrangement: Filter and order of rows that are all at hand; None where somebody else filters and sorts them.
    """

    DEFAULT_CSS = "Table { height: 1fr; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open"),
    ]

    class Opened(Message):
        """Enter was pressed on a row."""

        def __init__(self, table: Table, item: Any) -> None:
            super().__init__()
            self.table = table
            self.item = item

        @property
        def control(self) -> Table:
            """The table, for ``@on`` with a selector."""
            return self.table

    class Aimed(Message):
        """Another row is under the cursor, or the same one with news."""

        def __init__(self, table: Table) -> None:
            super().__init__()
            self.table = table

        def can_replace(self, message: Message) -> bool:
            """The newest replaces its elders."""
            return isinstance(message, Table.Aimed)

    class HeadClicked(Message):
        """The head of a column was clicked, of a table that somebody else sorts."""

        def __init__(self, table: Table, column: Column) -> None:
            super().__init__()
            self.table, self.column = table, column

    class Wanted(Message):
        """Rows outside the loaded window are visible: the owner is asked for a page around ``offset``."""

        def __init__(self, table: Table, offset: int) -> None:
            super().__init__()
            self.table = table
            self.offset = offset

        def can_replace(self, message: Message) -> bool:
            """The newest wish replaces its elders."""
            return isinstance(message, Table.Wanted)

    def __init__(
        self,
        columns: Sequence[Column],
        cells: Callable[[Any], tuple[Line, ...]],
        identify: Callable[[Any], str],
        *,
        title: str,
        empty: str,
        follows: bool = False,
        ageing: bool = False,
        arrangement: Arrangement | None = None,
        id: str | None = None,
    ) -> None:
        super().__init__(identify, follows=follows, ageing=ageing, id=id)
        self.arrangement = arrangement
        self.columns = tuple(columns)
        self.title = title
        self.empty = empty
        self.note = ""
        self.stale = ""
        self.whole = ""
        self._cells = cells
        self._announced: Any = None
        self._given: Sequence[Any] | None = None

    def fill(self, rows: Sequence[Any]) -> None:
        """Show those of all rows that the arrangement leaves, in its order."""
        self._given = rows
        self.rearrange()

    def rearrange(self) -> None:
        """Show the rows as they are filtered and sorted now."""
        if self._given is not None:
            self.show(self._given if self.arrangement is None else self.arrangement.apply(self._given))
            self.redraw()

    def draw_cells(self, item: Any) -> tuple[Line, ...]:
        """Draw an item, a line for each column."""
        return self._cells(item)

    @property
    def given(self) -> Sequence[Any]:
        """All rows, before they were filtered."""
        return self._given or ()

    def say(self, *, stale: str = "", note: str = "", whole: str = "") -> None:
        """Set what the title says beside its words.

        Args:
            stale: A trouble, in amber: the rows are then drawn as old.
            note: A note.
            whole: How many there are in all, where the rows are the newest of them or nobody counted to the end.
        """
        if (stale, note, whole) != (self.stale, self.note, self.whole):
            self.stale, self.note, self.whole = stale, note, whole
            self.redraw()

    def action_open(self) -> None:
        """Open the row under the cursor."""
        aimed = self.aimed
        if aimed is not None:
            self.post_message(self.Opened(self, aimed.item))

    def watch_has_focus(self, has_focus: bool) -> None:
        """Draw the cursor as active or resting."""
        super().watch_has_focus(has_focus)
        self.redraw()

    def on_mouse_scroll_down(self, _event: events.MouseScrollDown) -> None:
        """Move three rows down."""
        self.action_move(3)

    def on_mouse_scroll_up(self, _event: events.MouseScrollUp) -> None:
        """Move three rows up."""
        self.action_move(-3)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row that was clicked; a second click opens it."""
        if event.y == HEAD_LINES - 1:
            self._click_head(event.x)
            return
        picture = self._sight.find_picture(event.time)
        clicked = picture.move_cursor(event.y - HEAD_LINES - picture.line) if event.y >= HEAD_LINES else None
        if clicked is not None:
            self.aim(clicked)
            if event.chain > 1:
                self.action_open()

    def _click_head(self, x: int) -> None:
        column = self._column_at(x)
        if column is None:
            return
        if self.arrangement is None:
            self.post_message(self.HeadClicked(self, column))
        elif column.field is not None:
            self.arrangement.sort_by(column.field.name)
            self.rearrange()

    def _column_at(self, x: int) -> Column | None:
        start = len(_EDGE)
        for _, column, room in self._layout(self.size.width):
            if start <= x < start + room:
                return column
            start += room + 1
        return None

    # Drawing

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw title, heads and the visible rows."""
        self._announce(self.current)
        columns = self._layout(width)
        lines = [title_line(self._title_words(height), width, self.stale, self._note()), self._heads(columns)]
        if not self.total:
            self._sight.draw(Picture((), -1))
            return [*lines[:1], (("  ", "plain"), (self._explain_nothing() if self.total == 0 else "…", "dim"))]
        self._keep_cursor_visible()
        visible = range(self._top, min(self._top + height - HEAD_LINES, self.total))
        rows = tuple(map(self.row_at, visible))
        self._sight.draw(Picture(rows, self.cursor - self._top))
        if None in rows:
            self.post_message(self.Wanted(self, max(0, self._top - self.page // 3)))
        return [*lines, *(self._line(index, row, columns, width) for index, row in zip(visible, rows, strict=True))]

    def _announce(self, item: Any) -> None:
        if item is not self._announced:
            self._announced = item
            self.post_message(self.Aimed(self))

    def _line(self, index: int, row: Row | None, columns: list[tuple[int, Column, int]], width: int) -> Line:
        if row is None:
            return fit((("  ·", "dim"),), width)
        marked = row.id in self.marks
        at_cursor = index == self.cursor
        edge = ("▸" if at_cursor else " ") + ("•" if marked else " ")
        cells = self._cells(row.item)
        line: list[tuple[str, str]] = [(edge, "mark" if marked else "accent")]
        for position, column, room in columns:
            line += fit(cells[position], room, right=column.right)
            line.append((" ", "plain"))
        drawn = fit(tuple(line), width)
        if self.stale:
            drawn = tuple((text, "dim") for text, _ in drawn)
        if not at_cursor:
            return drawn
        return with_look(drawn, "cursor" if self.has_focus else "unfocused")

    def _heads(self, columns: list[tuple[int, Column, int]]) -> Line:
        line: list[tuple[str, str]] = [(_EDGE, "dim")]
        for _, column, room in columns:
            line += [*fit(self._head(column, room), room, right=column.right), (" ", "dim")]
        return tuple(line)

    def _head(self, column: Column, room: int) -> Line:
        by = self.arrangement.by if self.arrangement is not None else None
        if self.arrangement is None or by is None or column.field is None or by.name != column.field.name:
            return ((column.title, "dim"),)
        return ((column.title[: room - 1], "accent"), ("↓" if self.arrangement.reverse else "↑", "accent"))

    def _note(self) -> str:
        own = self.arrangement.note(self.given) if self.arrangement is not None else ""
        return " · ".join(filter(None, (own, self.note)))

    def _explain_nothing(self) -> str:
        return self.empty if self.arrangement is None else self.arrangement.explain_nothing(self.given, self.empty)

    def _layout(self, width: int) -> list[tuple[int, Column, int]]:
        """Choose the columns that fit (index, column, width); flexible ones share what is left."""
        room = width - 2
        chosen: list[tuple[int, Column]] = []
        for position, column in enumerate(self.columns):
            if room < column.width + 1:
                break
            room -= column.width + 1
            chosen.append((position, column))
        shares = sum(column.flex for _, column in chosen)
        return [
            (position, column, column.width + (room * column.flex // shares if column.flex else 0))
            for position, column in chosen
        ]

    def _title_words(self, height: int) -> str:
        words, room = self.title, height - HEAD_LINES
        if self.arrangement is not None and self.arrangement.text:
            words += f" /{safe_text(self.arrangement.text, _SHOWN_FILTER)}"
        if self.total and self.total > room:
            words += f" {self._top + 1:,}–{min(self._top + room, self.total):,} of {self.whole or f'{self.total:,}'}"
        elif self.total and self.whole not in ("", f"{self.total:,}"):
            words += f" {self.total:,} of {self.whole}"
        elif self.total is not None and self.total < len(self.given):
            words += f" {self.total:,} of {len(self.given):,}"
        words += describe_marks(self.marks)
        if self.new_rows:
            words += f" · +{self.new_rows:,} new"
        return words

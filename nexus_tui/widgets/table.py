"""A table that draws only what is visible: a million rows cost as much as forty.

Textual's DataTable takes seconds to load ten thousand rows and lays out each; this one holds a window of the
rows, asks for the next when the cursor gets there, and keeps its cursor and marks by id while rows stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from nexus_tui.widgets.lines import Line, fit, with_look
from nexus_tui.widgets.marks import MarkedRows, marked_words
from nexus_tui.widgets.panel import title_line

PAGE = 200
"""Rows asked for at a time."""

_HEAD_LINES = 2


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: Its head.
        width: Cells; the least, where ``flex`` is set.
        right: Whether it is aligned to the right, as numbers are.
        flex: Share of the width that is left over.
        sort: Name of the sort key that ``s`` offers, empty when it can't be sorted by.
    """

    title: str
    width: int
    right: bool = False
    flex: int = 0
    sort: str = ""


class Table(MarkedRows, can_focus=True):
    """Rows with a cursor and marks.

    Args:
        columns: Leftmost are the most important: where the width does not do, the last are left out.
        cells: Draws one item, one line a column.
        identify: Id of an item; empty for one that can't be marked.
        title: Words of the panel's title.
        empty: What to say, and what to do, when there is nothing.
        follows: Whether the cursor stays at the top while rows stream in there.
        ageing: Whether cells show how long ago something was: the same rows are then drawn anew when shown again.
    """

    DEFAULT_CSS = "Table { height: 1fr; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open"),
        Binding("j,down", "move(1)", "down", show=False),
        Binding("k,up", "move(-1)", "up", show=False),
        Binding("g,home", "go(0)", "first", show=False),
        Binding("G,end", "go(-1)", "last", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
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
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.title = title
        self.empty = empty
        self.note = ""
        self.stale = ""
        self._cells = cells
        self._identify = identify
        self._follows = follows
        self._ageing = ageing
        self._items: Sequence[Any] = ()
        self._offset = 0
        self._top = 0
        self._cursor_id = ""
        self._total_when_left: int | None = None

    # What the owner says

    def show(self, items: Sequence[Any], *, offset: int = 0, total: int | None = None) -> None:
        """Show a window of the rows: ``items`` are those from ``offset`` on, of ``total`` (None: these are all)."""
        last = offset + len(items)
        known = (self._offset, self.total, self._items)
        if not self._ageing and known == (offset, last if total is None else max(total, last), items):
            self._items = items
            return
        grown = (total or 0) - (self.total or 0) if self.total is not None else 0
        self._items, self._offset = items, offset
        self.total = last if total is None else max(total, last)
        self._find_cursor(max(grown, 0))
        self.redraw()

    def say(self, *, stale: str = "", note: str = "") -> None:
        """Set what the title says beside its words: a trouble (amber), or a note."""
        if (stale, note) != (self.stale, self.note):
            self.stale, self.note = stale, note
            self.redraw()

    def reset(self) -> None:
        """Forget the rows and go to the top, for another filter; marks stay."""
        self._items, self._offset, self.total = (), 0, None
        self.cursor = self._top = 0
        self._cursor_id = ""
        self._total_when_left = None
        self.redraw()

    # What the owner asks

    @property
    def current(self) -> Any:
        """The item under the cursor, or None."""
        return self._item(self.cursor)

    @property
    def window(self) -> int:
        """Offset of the page that the owner should load: it holds the cursor and what is visible."""
        return 0 if self.is_following else max(0, self._top - PAGE // 3)

    @property
    def is_following(self) -> bool:
        """Whether the cursor is at the top of a table that streams."""
        return self._follows and self.cursor == 0

    @property
    def new_rows(self) -> int:
        """How many rows came in at the top since the cursor left it."""
        if self._total_when_left is None or self.total is None:
            return 0
        return max(self.total - self._total_when_left, 0)

    # Keys

    def action_move(self, steps: int) -> None:
        """Move the cursor by some rows."""
        self._go(self.cursor + steps)

    def action_go(self, index: int) -> None:
        """Go to a row, -1 is the last."""
        self._go(index if index >= 0 else (self.total or 0) - 1)

    def action_page(self, pages: int) -> None:
        """Move by what is visible."""
        self._go(self.cursor + pages * max(self._room - 1, 1))

    def action_open(self) -> None:
        """Open the row under the cursor."""
        current = self.current
        if current is not None:
            self.post_message(self.Opened(self, current))

    def id_at(self, index: int) -> str:
        """Return the id of a row; empty for one that is not loaded, or can't be marked."""
        item = self._item(index)
        return self._identify(item) if item is not None else ""

    def is_loaded(self, first: int, last: int) -> bool:
        """Tell whether these rows are loaded."""
        return self._offset <= first and last < self._offset + len(self._items)

    def step(self) -> None:
        """Go on to the next row."""
        self._go(self.cursor + 1, force=True)

    def watch_has_focus(self, has_focus: bool) -> None:
        """Draw the cursor as active or resting."""
        super().watch_has_focus(has_focus)
        self.redraw()

    def on_mouse_scroll_down(self, _event: events.MouseScrollDown) -> None:
        """Move three rows down."""
        self._go(self.cursor + 3)

    def on_mouse_scroll_up(self, _event: events.MouseScrollUp) -> None:
        """Move three rows up."""
        self._go(self.cursor - 3)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row that was clicked; a second click opens it."""
        index = self._top + event.y - _HEAD_LINES
        if event.y >= _HEAD_LINES and index < (self.total or 0):
            self._go(index)
            if event.chain > 1:
                self.action_open()

    # Drawing

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw title, heads and the visible rows."""
        columns = self._layout(width)
        lines = [title_line(self._title_words(height), width, self.stale, self.note), self._heads(columns)]
        if not self.total:
            return [*lines[:1], (("  ", "plain"), (self.empty if self.total == 0 else "…", "dim"))]
        self._keep_cursor_visible()
        missing = False
        for index in range(self._top, min(self._top + height - _HEAD_LINES, self.total)):
            item = self._item(index)
            missing = missing or item is None
            lines.append(self._row(index, item, columns, width))
        if missing:
            self.post_message(self.Wanted(self, max(0, self._top - PAGE // 3)))
        return lines

    def _row(self, index: int, item: Any, columns: list[tuple[int, Column, int]], width: int) -> Line:
        if item is None:
            return fit((("  ·", "dim"),), width)
        marked = self._identify(item) in self.marks
        at_cursor = index == self.cursor
        edge = ("▸" if at_cursor else " ") + ("•" if marked else " ")
        cells = self._cells(item)
        line: list[tuple[str, str]] = [(edge, "mark" if marked else "accent")]
        for position, column, room in columns:
            line += fit(cells[position], room, right=column.right)
            line.append((" ", "plain"))
        drawn = fit(tuple(line), width)
        if not at_cursor:
            return drawn
        return with_look(drawn, "cursor" if self.has_focus else "unfocused")

    def _heads(self, columns: list[tuple[int, Column, int]]) -> Line:
        line: list[tuple[str, str]] = [("  ", "dim")]
        for _, column, room in columns:
            line += [*fit(((column.title, "dim"),), room, right=column.right), (" ", "dim")]
        return tuple(line)

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
        words = self.title
        room = height - _HEAD_LINES
        if self.total and self.total > room:
            words += f" {self._top + 1:,}–{min(self._top + room, self.total):,} of {self.total:,}"
        words += marked_words(self.marks)
        if self.new_rows:
            words += f" · +{self.new_rows:,} new"
        return words

    # Where things are

    @property
    def _room(self) -> int:
        return max(self.size.height - _HEAD_LINES, 1)

    def _item(self, index: int) -> Any:
        place = index - self._offset
        return self._items[place] if 0 <= place < len(self._items) else None

    def _go(self, index: int, *, force: bool = False) -> None:
        index = max(0, min(index, (self.total or 1) - 1))
        if index == self.cursor and not force:
            return
        self.cursor = index
        current = self.current
        self._cursor_id = self._identify(current) if current is not None else ""
        if self._follows:
            self._total_when_left = None if index == 0 else self._total_when_left or self.total
        self.redraw()

    def _find_cursor(self, grown: int) -> None:
        """Put the cursor back on its row, at the same height of the screen; look where growth at the top moved it."""
        if self.is_following or not self._cursor_id:
            self.cursor = min(self.cursor, max((self.total or 0) - 1, 0))
            self._remember_cursor()
            return
        for place, item in enumerate(self._items):
            if self._identify(item) == self._cursor_id:
                index = self._offset + place
                self._top = max(0, self._top + index - self.cursor)
                self.cursor = index
                return
        if self._follows and grown and self._item(self.cursor + grown) is None:
            self.cursor += grown  # its page is on its way
            self._top += grown
            return
        self.cursor = min(self.cursor, max((self.total or 0) - 1, 0))
        self._remember_cursor()

    def _remember_cursor(self) -> None:
        current = self.current
        if current is not None:
            self._cursor_id = self._identify(current)

    def _keep_cursor_visible(self) -> None:
        last_top = max((self.total or 0) - self._room, 0)
        self._top = max(self.cursor - self._room + 1, min(self._top, self.cursor, last_top))

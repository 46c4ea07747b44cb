"""Window of loaded rows over a long list, with a cursor that stays on its row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from nexus_tui.widgets.tables.marks import MarkedRows
from nexus_tui.widgets.tables.sight import NOTHING, Picture, Row, Sight, read_key_time

PAGE = 200
"""Rows asked for at a time, on all but the tallest terminals."""

HEAD_LINES = 2
"""Lines above the first row: the title and the heads of the columns."""


class CursorRows(MarkedRows, can_focus=True):
    """A window of the rows that match.

    Args:
        identify: Id of an item; empty for one that can't be marked.
        follows: Whether the cursor stays at the top while rows stream in there.
        ageing: Whether rows show how long ago something was: the same rows are then drawn anew when shown again.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "down", show=False),
        Binding("k,up", "move(-1)", "up", show=False),
        Binding("g,home", "go(0)", "first", show=False),
        Binding("G,end", "go(-1)", "last", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
    ]

    def __init__(
        self,
        identify: Callable[[Any], str],
        *,
        follows: bool = False,
        ageing: bool = False,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._identify = identify
        self._follows = follows
        self._ageing = ageing
        self._items: Sequence[Any] = ()
        self._offset = 0
        self._top = 0
        self._cursor_id = ""
        self._total_when_left: int | None = None
        self._sight = Sight()

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
        """The item under the cursor as it will be drawn next, or None; keys are about :attr:`aimed`."""
        return self._item(self.cursor)

    @property
    def aimed(self) -> Row | None:
        """The row that a key is about: the one that was painted under the cursor when it was pressed."""
        return self._seen.row

    @property
    def aimed_item(self) -> Any:
        """What the row shows that a key is about, or None."""
        aimed = self.aimed
        return aimed.item if aimed else None

    @property
    def loaded(self) -> Sequence[Any]:
        """The rows that are loaded."""
        return self._items

    @property
    def cursor_id(self) -> str:
        """Id of the row that the cursor stays on; empty while it has none."""
        return self._cursor_id

    @property
    def page(self) -> int:
        """How many rows the owner should load: more than are visible."""
        return max(PAGE, 3 * self._room)

    @property
    def lacks_rows(self) -> bool:
        """Whether rows that are looked at are not loaded."""
        last = min(self._top + self._room, self.total or 0) - 1
        return last >= self._top and not self.is_loaded(self._top, last)

    def is_near(self, offset: int) -> bool:
        """Tell whether a page from ``offset`` on is the one that holds the cursor, and not one far from it."""
        return offset <= self.cursor < offset + self.page

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

    def row_at(self, index: int) -> Row | None:
        """Return a row; None for one that is not loaded."""
        item = self._item(index)
        return None if item is None else Row(self._identify(item), item)

    def place_of(self, row: Row) -> int:
        """Return where a row is now; where the cursor is, when it is not loaded any more."""
        for place, item in enumerate(self._items):
            if item is row.item or (row.id and self._identify(item) == row.id):
                return self._offset + place
        return self.cursor

    def is_loaded(self, first: int, last: int) -> bool:
        """Tell whether these rows are loaded."""
        return self._offset <= first and last < self._offset + len(self._items)

    # Keys

    def action_move(self, steps: int) -> None:
        """Move the cursor by some rows of what was looked at; beyond its edge by what is loaded now."""
        seen = self._seen
        moved = seen.move_cursor(steps)
        if moved is not None:
            self.aim(moved)
        else:
            self._go((self.cursor if seen.row is None else self.place_of(seen.row)) + steps)

    def action_go(self, index: int) -> None:
        """Go to a row, -1 is the last."""
        self._go(index if index >= 0 else (self.total or 0) - 1)

    def action_page(self, pages: int) -> None:
        """Move by what is visible."""
        self.action_move(pages * max(self._room - 1, 1))

    def step(self) -> None:
        """Go on to the next row."""
        self.action_move(1)
        self.redraw()

    def aim(self, picture: Picture) -> None:
        """Put the cursor on a row that was painted, at the height of the screen where it was."""
        if picture.row is None:
            return
        place = self.place_of(picture.row)
        self._top = max(0, place - picture.line)
        self._put(place, picture.row.id, picture)

    def note_painted(self) -> None:
        """Learn that the rows drawn last can be seen."""
        self._sight.paint()

    # Where things are

    @property
    def _seen(self) -> Picture:
        seen = self._sight.find_picture(read_key_time())
        return Picture((self.row_at(self.cursor),), 0) if seen is NOTHING else seen

    @property
    def _room(self) -> int:
        return max(self.size.height - HEAD_LINES, 1)

    def _item(self, index: int) -> Any:
        place = index - self._offset
        return self._items[place] if 0 <= place < len(self._items) else None

    def _go(self, index: int) -> None:
        index = max(0, min(index, (self.total or 1) - 1))
        row = self.row_at(index)
        if index != self.cursor or (row is not None and row != self.aimed):
            self._put(index, row.id if row else "", Picture((row,), 0))

    def _put(self, index: int, own: str, picture: Picture) -> None:
        self.cursor, self._cursor_id = index, own
        self._sight.aim(picture)
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

"""Scrollable text view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType

from nexus_tui.widgets.lines import Line, LineView
from nexus_tui.widgets.panel import title_line
from nexus_tui.widgets.wrapping import wrap_line


class Reader(LineView, can_focus=True):
    """Lines under a title; long ones are wrapped at spaces.

    Args:
        title: Words of the panel's title.
        at_end: Whether the last lines are shown first, as of a log.
    """

    DEFAULT_CSS = "Reader { height: 1fr; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "down", show=False),
        Binding("k,up", "move(-1)", "up", show=False),
        Binding("g,home", "edge(0)", "first", show=False),
        Binding("G,end", "edge(1)", "last", show=False),
        Binding("pagedown,space", "page(1)", "page down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
    ]

    def __init__(self, title: str = "", *, at_end: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.title = title
        self.stale = ""
        self.top = 0
        self._follows_end = self._at_end = at_end
        self._text: Sequence[Line] = ()
        self._wrapped: tuple[int, list[Line]] = (0, [])
        self._head: int | None = None

    def show(self, text: Sequence[Line], *, stale: str = "") -> None:
        """Show lines; the place on the page stays, or the end where the end was shown."""
        if text != self._text:
            self._text = text
            self._wrapped = (0, [])
            if self.styles.is_auto_height:
                self.refresh(layout=True)
        self.stale = stale
        self.redraw()

    def get_content_height(self, container: Any, viewport: Any, width: int) -> int:
        """Count the title and the lines, for a height of ``auto``."""
        return 1 + len(self._wrap(width))

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw the title and the visible part."""
        lines = self._wrap(width)
        room = height - 1
        last_top = max(len(lines) - room, 0)
        self.top = last_top if self._at_end else min(self.top, last_top)
        words = self.title
        if len(lines) > room:
            words += f" {self.top + 1:,}–{min(self.top + room, len(lines)):,} of {len(lines):,}"
        return [title_line(words, width, self.stale), *lines[self.top : self.top + room]]

    def action_move(self, lines: int) -> None:
        """Scroll by some lines."""
        self.scroll_lines(self.top + lines)

    def action_page(self, pages: int) -> None:
        """Scroll by what is visible."""
        self.scroll_lines(self.top + pages * max(self.size.height - 2, 1))

    def action_edge(self, last: int) -> None:
        """Go to the first or the last line."""
        self._at_end = bool(last) and self._follows_end
        self.scroll_lines(len(self._wrapped[1]) if last else 0)

    def on_mouse_scroll_down(self, _event: events.MouseScrollDown) -> None:
        """Scroll three lines down."""
        self.scroll_lines(self.top + 3)

    def on_mouse_scroll_up(self, _event: events.MouseScrollUp) -> None:
        """Scroll three lines up."""
        self.scroll_lines(self.top - 3)

    def scroll_lines(self, top: int) -> None:
        """Scroll so that a line is the first, as far as there are lines."""
        last_top = max(len(self._wrapped[1]) - self.size.height + 1, 0)
        self.top = max(0, min(top, last_top))
        self._at_end = self._at_end and self.top == last_top
        self.redraw()

    def count_wrapped(self, text: Sequence[Line]) -> int:
        """Count the lines that some lines take here."""
        return sum(1 for line in text for _ in wrap_line(line, max(self.size.width, 1), self._head))

    def _wrap(self, width: int) -> list[Line]:
        if self._wrapped[0] != width:
            wrapped = [part for line in self._text for part in wrap_line(line, width, self._head)]
            self._wrapped = (width, wrapped)
        return self._wrapped[1]

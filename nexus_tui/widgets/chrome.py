"""Frame of every view: health line, tabs, keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import events
from textual.message import Message

from nexus_tui.widgets.lines import Line, LineView, Span, fit, width_of


class OneLine(LineView):
    """One line with a left and a right end; the right one wins when there is no room for both."""

    DEFAULT_CSS = "OneLine { height: 1; background: $surface; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._left: Line = ()
        self._right: Line = ()

    def show(self, left: Line, right: Line = ()) -> None:
        """Show both ends."""
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw them."""
        room = width - width_of(self._right)
        return [(*fit(self._left, max(room, 0)), *self._right)]


class TabBar(LineView):
    """The views with what is in trouble in them, and the way to what is open: ``1 Pulse  2 Queues▲1 ▸ ai_queue``."""

    DEFAULT_CSS = "TabBar { height: 1; }"

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, view: str) -> None:
            super().__init__()
            self.view = view

    def __init__(self, tabs: Sequence[tuple[str, str, str]], active: str) -> None:
        super().__init__()
        self._tabs = tabs
        self._active = active
        self._gap, self._is_short = " ", False
        self._path = ""
        self._counts: Mapping[str, Span] = {}

    def show(self, path: str, counts: Mapping[str, Span]) -> None:
        """Show what is open, and behind the titles of views how much there is in trouble."""
        if (path, counts) != (self._path, self._counts):
            self._path, self._counts = path, counts
            self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw the tabs (key, view, title); the active one is inverted.

        Where there is no room they come nearer to each other, and then all but the active one are keys with counts.
        """
        path: Line = (("  ▸ ", "dim"), (self._path, "strong")) if self._path else ()
        for self._gap, self._is_short in ((" ", False), ("", False), (" ", True)):
            tabs = [span for tab in self._tabs for span in self._tab(*tab)]
            if 1 + width_of((*tabs, *path)) <= width:
                break
        return [fit(((" ", "plain"), *tabs, *path), width)]

    def on_click(self, event: events.Click) -> None:
        """Tell which tab was clicked."""
        start = 1
        for key, view, title in self._tabs:
            end = start + width_of(self._tab(key, view, title))
            if start <= event.x < end:
                self.post_message(self.Chosen(view))
            start = end

    def _tab(self, key: str, view: str, title: str) -> Line:
        words = "" if self._is_short and view != self._active else f" {title}"
        count = self._counts.get(view, ("", "plain"))
        if view == self._active:
            return ((f" {key}{words}{count[0]} ", "tab"),)
        return ((f" {key}", "accent"), (words, "plain"), count, (self._gap, "plain"))


KeyWords = tuple[str, str, bool]
"""A key, what it does, and whether it may be done."""


class KeyBar(LineView):
    """The keys of this view, made from its bindings, and whether all is well at the right."""

    DEFAULT_CSS = "KeyBar { height: 1; background: $surface; dock: bottom; }"

    class Pressed(Message):
        """A key was clicked: which of those that were shown."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def __init__(self) -> None:
        super().__init__()
        self._keys: Sequence[KeyWords] = ()
        self._status: Line = ()

    def show(self, keys: Sequence[KeyWords], status: Line) -> None:
        """Show keys, grey where they are refused, and a status."""
        if (keys, status) != (self._keys, self._status):
            self._keys, self._status = keys, status
            self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Tell which key was clicked."""
        start = 1
        for place, (key, words, _) in enumerate(self._keys):
            end = start + width_of(((key, ""), (f" {words}  ", "")))
            if start <= event.x < min(end, self.size.width - width_of(self._status)):
                self.post_message(self.Pressed(place))
            start = end

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw as many keys as there is room for."""
        status = fit(self._status, min(width_of(self._status), width))
        room = width - width_of(status)
        spans: list[Span] = [(" ", "dim")]
        for key, words, is_allowed in self._keys:
            part: Line = ((key, "accent" if is_allowed else "dim"), (f" {words}  ", "plain" if is_allowed else "dim"))
            if width_of((*spans, *part)) > room:
                break
            spans += part
        return [(*fit(tuple(spans), room), *status)]

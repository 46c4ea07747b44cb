"""Frame of every view: health line, tabs, keys."""

from __future__ import annotations

from collections.abc import Sequence

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
    """The views and the way to what is open: ``1 Pulse  2 Queues ▸ ai_queue``."""

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
        self._is_short = False
        self.path = ""

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw the tabs (key, view, title); the active one is inverted.

        Where what is open has no room behind them, the others are keys alone.
        """
        path: Line = (("  ▸ ", "dim"), (self.path, "strong")) if self.path else ()
        self._is_short = self._is_short_at(width - width_of(path))
        spans: list[Span] = [(" ", "plain")]
        for key, view, title in self._tabs:
            if view == self._active:
                spans.append((f" {key} {title} ", "tab"))
            else:
                spans += [(f" {key}", "accent"), (f"{self._words(view, title)} ", "plain")]
        return [fit((*spans, *path), width)]

    def on_click(self, event: events.Click) -> None:
        """Tell which tab was clicked."""
        start = 1
        for key, view, title in self._tabs:
            end = start + len(key) + len(self._words(view, title)) + 2
            if start <= event.x < end:
                self.post_message(self.Chosen(view))
            start = end

    def _is_short_at(self, room: int) -> bool:
        return 1 + sum(len(key) + len(title) + 3 for key, _, title in self._tabs) > room

    def _words(self, view: str, title: str) -> str:
        return "" if self._is_short and view != self._active else f" {title}"


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

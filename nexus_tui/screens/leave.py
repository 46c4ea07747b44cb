"""The question before the dashboard is left while something still runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual._time import get_time
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from nexus_tui.models.text import safe_text
from nexus_tui.screens.modal import Dialog
from nexus_tui.widgets.lines import BLANK, Line, LineView, wrap
from nexus_tui.widgets.sight import pressed_at

WHAT_LEAVING_DOES = (
    "Leaving lets each end the step at hand and starts no other: what was done stays done, the rest is not done. "
    "The same command does the rest later."
)


class LeaveScreen(Dialog[bool]):
    """Names what runs and what leaving does to it; Enter leaves, Esc stays.

    Args:
        running: Says what runs now, a line each.
    """

    DEFAULT_CSS = "LeaveScreen > .box { border: round $warning; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "leave", "leave"),
        Binding("n,q", "cancel", "stay", show=False),
    ]

    def __init__(self, running: Callable[[], Sequence[str]]) -> None:
        super().__init__()
        self.running = running
        self.readable_at = math.inf

    def compose(self) -> ComposeResult:
        """Make the box."""
        with Vertical(classes="box"):
            yield _Words(self)

    def on_mount(self) -> None:
        """Keep up with what runs."""
        self.set_interval(1.0, self._look)

    def action_leave(self) -> None:
        """Leave."""
        if pressed_at() >= self.readable_at:
            self.dismiss(True)

    def _look(self) -> None:
        words = self.query_one(_Words)
        words.refresh(layout=True)
        words.redraw()


class _Words(LineView):
    """The text of the dialog."""

    DEFAULT_CSS = "_Words { height: auto; }"

    def __init__(self, screen: LeaveScreen) -> None:
        super().__init__()
        self._screen = screen

    def painted(self) -> None:
        """Learn that the question can be read now."""
        if self._lines:
            self._screen.readable_at = min(self._screen.readable_at, get_time())

    def get_content_height(self, container: Any, viewport: Any, width: int) -> int:
        """Count the lines that are needed."""
        return len(self._write(width))

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Write what runs, and what leaving does."""
        return self._write(width)

    def _write(self, width: int) -> list[Line]:
        width = max(width, 10)
        running = self._screen.running()
        count = "An action still runs:" if len(running) == 1 else f"{len(running)} actions still run:"
        lines: list[Line] = [((f"Leave? {count if running else 'Nothing runs any more.'}", "strong"),), BLANK]
        lines += [((part, "accent"),) for told in running for part in wrap(safe_text(told, 400), width)]
        if running:
            lines += [BLANK, *(((part, "warn"),) for part in wrap(WHAT_LEAVING_DOES, width)), BLANK]
        return [*lines, (("Enter", "accent"), (" leave   ", "plain"), ("Esc", "accent"), (" stay", "plain"))]

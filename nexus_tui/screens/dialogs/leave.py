"""Confirmation dialog for leaving the dashboard while something still runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from celery_nexus.rows.text import safe_text
from nexus_tui.screens.dialogs.modal import Question
from nexus_tui.widgets.lines import BLANK, Line
from nexus_tui.widgets.tables.sight import read_key_time
from nexus_tui.widgets.wrapping import wrap

WHAT_LEAVING_DOES = (
    "Leaving lets each end the step at hand and starts no other: what was done stays done, the rest is not done. "
    "The same command does the rest later."
)


class LeaveScreen(Question[bool]):
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

    def on_mount(self) -> None:
        """Keep up with what runs."""
        self.set_interval(1.0, self.write_anew)

    def action_leave(self) -> None:
        """Leave."""
        if read_key_time() >= self.readable_at:
            self.dismiss(True)

    def write(self, width: int) -> list[Line]:
        """Write what runs, and what leaving does."""
        width = max(width, 10)
        running = self.running()
        count = "An action still runs:" if len(running) == 1 else f"{len(running)} actions still run:"
        lines: list[Line] = [((f"Leave? {count if running else 'Nothing runs any more.'}", "strong"),), BLANK]
        lines += [((part, "accent"),) for told in running for part in wrap(safe_text(told, 400), width)]
        if running:
            lines += [BLANK, *(((part, "warn"),) for part in wrap(WHAT_LEAVING_DOES, width)), BLANK]
        return [*lines, (("Enter", "accent"), (" leave   ", "plain"), ("Esc", "accent"), (" stay", "plain"))]

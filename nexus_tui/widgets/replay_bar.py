"""Bar of a replay: its time, its speed, where it is in the recording, and the marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.message import Message

from nexus_tui.widgets.lines import Line, LineView, Span, fit, width_of


@dataclass(frozen=True, slots=True)
class ReplayState:
    """What the bar shows.

    Attributes:
        clock: The moment, in words.
        end: The end of the recording, in words.
        share: Where it is, 0 … 1.
        speed: Seconds of the recording a second; below zero it runs backwards.
        is_paused: Whether it stands still.
        marks: Where something got into trouble, 0 … 1 each.
        last_mark: What the last mark before the moment says, safe for the screen; empty when there is none.
        note: What is missing in the recording; empty when nothing is.
    """

    clock: str
    end: str
    share: float
    speed: float
    is_paused: bool
    marks: Sequence[float]
    last_mark: str = ""
    note: str = ""


class ReplayBar(LineView):
    """One line at the bottom of a replay; a click goes to a moment."""

    DEFAULT_CSS = "ReplayBar { height: 1; background: $panel; dock: bottom; margin-bottom: 1; }"

    class Sought(Message):
        """A moment was clicked: 0 … 1 of the recording."""

        def __init__(self, share: float) -> None:
            super().__init__()
            self.share = share

    def __init__(self) -> None:
        super().__init__()
        self._state: ReplayState | None = None
        self._track = (0, 0)

    def show(self, state: ReplayState) -> None:
        """Show where the replay is."""
        if state != self._state:
            self._state = state
            self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw the moment, the track, and what the last mark says where there is room."""
        state = self._state
        if state is None:
            return []
        head: Line = ((f" {_sign(state)} ", "accent"), (state.clock, "strong"), (" ", "plain"))
        tail: Line = ((f" {state.end} ", "dim"), (state.note, "warn"))
        words: Line = ((f" ▲ {state.last_mark} ", "warn"),) if state.last_mark else ()
        room = width - width_of(head) - width_of(tail)
        words = fit(words, min(width_of(words), max(room - 24, 0) // 2 * 1)) if words else ()
        cells = max(room - width_of(words), 0)
        self._track = (width_of(head), cells)
        return [fit((*head, *_draw_track(state, cells), *tail, *words), width)]

    def on_click(self, event: events.Click) -> None:
        """Go to the moment that was clicked."""
        start, cells = self._track
        if cells > 1 and start <= event.x < start + cells:
            self.post_message(self.Sought((event.x - start) / (cells - 1)))


def _sign(state: ReplayState) -> str:
    if state.is_paused:
        return "∥    "
    return f"{'◀' if state.speed < 0 else '▶'} ×{abs(state.speed):<3.0f}"


def _draw_track(state: ReplayState, cells: int) -> list[Span]:
    """Draw what has passed, where it is, what comes, and the marks on the way."""
    if cells < 2:
        return []
    here = round(state.share * (cells - 1))
    marks = {round(mark * (cells - 1)) for mark in state.marks}
    spans: list[Span] = []
    for cell in range(cells):
        if cell == here:
            spans.append(("●", "strong"))
        elif cell in marks:
            spans.append(("▲", "bad"))
        else:
            spans.append(("━", "accent") if cell < here else ("─", "rule"))
    return spans

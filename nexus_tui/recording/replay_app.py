"""The dashboard on a recording, with keys that go through its time."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType

from celery_nexus.rows import moment
from celery_nexus.rows.text import clock
from nexus_tui.app import NexusApp
from nexus_tui.recording.parts import Totals
from nexus_tui.recording.playback import Playback
from nexus_tui.recording.replayed import open_replay
from nexus_tui.screens.bases.base import NexusScreen
from nexus_tui.widgets.replay_bar import ReplayBar, ReplayState

ADVANCE_S = 0.25
"""Interval of repaints while the time of the recording runs."""

LITTLE_S, MUCH_S = 10, 60


class ReplayApp(NexusApp):
    """The views of a recording.

    Args:
        playback: Where in it.
        options: Those of the dashboard.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("comma", f"step(-{LITTLE_S})", f"{LITTLE_S} s back", show=False),
        Binding("full_stop", f"step({LITTLE_S})", f"{LITTLE_S} s on", show=False),
        Binding("less_than_sign", f"step(-{MUCH_S})", "a minute back", show=False),
        Binding("greater_than_sign", f"step({MUCH_S})", "a minute on", show=False),
        Binding("left_curly_bracket", "mark(-1)", "to the mark before", show=False),
        Binding("right_curly_bracket", "mark(1)", "to the next mark", show=False),
        Binding("plus", "speed(1)", "faster", show=False),
        Binding("equals_sign", "speed(-1)", "slower, and then backwards", show=False),
    ]

    def __init__(self, playback: Playback, **options: Any) -> None:
        sources, known = open_replay(playback)
        self.playback = playback
        self._shown_at_s = -1.0
        super().__init__(sources, known=known, read_only=True, **options)

    @property
    def replay(self) -> ReplayState:
        """Where the replay is."""
        playback = self.playback
        at_s, length_s = playback.at_s, max(playback.reel.length_s, 0.01)
        passed = [mark for mark_s, mark in playback.reel.marks if mark_s <= at_s]
        return ReplayState(
            clock=clock(playback.now, playback.now),
            end=clock(playback.end, playback.now),
            share=at_s / length_s,
            speed=playback.speed,
            is_paused=playback.is_paused,
            marks=[mark_s / length_s for mark_s, _ in playback.reel.marks],
            last_mark=f"{passed[-1].what}: {passed[-1].because}" if passed else "",
            note=self._note(at_s),
        )

    def on_mount(self) -> None:
        """Let the recording's time be the time."""
        moment.set_clock(lambda: self.playback.now)
        super().on_mount()
        self.set_interval(ADVANCE_S, self._advance)

    def on_unmount(self) -> None:
        """Give the time back."""
        moment.set_clock(None)
        super().on_unmount()

    def freeze(self) -> None:
        """Let the time stand still, or go on."""
        self.playback.pause()
        self._draw()

    def read_again(self) -> None:
        """Draw the moment."""
        self._draw()

    # Keys

    def action_step(self, seconds: int) -> None:
        """Go forwards or back."""
        self.playback.step(seconds)
        self._show_moment()

    def action_mark(self, steps: int) -> None:
        """Go to another mark."""
        if self.playback.go_to_mark(steps):
            self._show_moment()
        else:
            self.tell("no mark after this moment" if steps > 0 else "no mark before this moment")

    def action_speed(self, steps: int) -> None:
        """Go faster or slower."""
        self.playback.change_speed(steps)
        self._draw()

    @on(ReplayBar.Sought)
    def _sought(self, event: ReplayBar.Sought) -> None:
        self.playback.seek(event.share * self.playback.reel.length_s)
        self._show_moment()

    def _advance(self) -> None:
        if self.playback.at_s != self._shown_at_s:
            self._shown_at_s = self.playback.at_s
            self._draw()

    def _show_moment(self) -> None:
        """Let the view on the screen read what it needs at once."""
        self._shown_at_s = self.playback.at_s
        if isinstance(self.screen, NexusScreen):
            self.screen.action_read_again()
        self._draw()

    def _note(self, at_s: float) -> str:
        """Say what is missing."""
        try:
            totals: Totals | None = self.playback.reel.last("totals", at_s)
        except ValueError:  # damaged there
            totals = None
        left_out = f"{totals.left_out:,} changes left out " if totals and totals.left_out else ""
        return left_out + ("end is missing " if self.playback.reel.is_cut else "")

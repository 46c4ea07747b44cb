"""Clock of a recording that is replayed: it stands still, runs, runs fast or backwards, and is set."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from nexus_tui.recording.reel import Reel

SPEEDS = (-60.0, -16.0, -4.0, -1.0, 1.0, 4.0, 16.0, 60.0)
FIRST_SPEED = 1.0


class Playback:
    """Where a replay is.

    Args:
        reel: The recording.
        clock: Tells the seconds that pass meanwhile.

    Attributes:
        speed: Seconds of the recording for each that passes; below zero it runs backwards.
        is_paused: Whether it stands still.
    """

    def __init__(self, reel: Reel, clock: Callable[[], float] = time.monotonic) -> None:
        self.reel = reel
        self.speed = FIRST_SPEED
        self.is_paused = False
        self._clock = clock
        self._at_s = 0.0
        self._read_at = clock()

    @property
    def at_s(self) -> float:
        """Seconds since the recording's beginning."""
        now = self._clock()
        if not self.is_paused:
            self._at_s = self._within(self._at_s + (now - self._read_at) * self.speed)
            self.is_paused = self._at_s in (0.0, self.reel.length_s) and self._runs_outward()
        self._read_at = now
        return self._at_s

    @property
    def now(self) -> datetime:
        """The moment of the recording."""
        return self._begin + timedelta(seconds=self.at_s)

    @property
    def end(self) -> datetime:
        """The last moment of the recording."""
        return self._begin + timedelta(seconds=self.reel.length_s)

    def seek(self, at_s: float) -> None:
        """Go to a moment."""
        self.at_s  # noqa: B018  (what has passed until now ends here)
        self._at_s = self._within(at_s)

    def step(self, seconds: float) -> None:
        """Go forwards, or back."""
        self.seek(self.at_s + seconds)

    def pause(self) -> None:
        """Stand still, or go on; at the end it begins again."""
        at_s = self.at_s
        if self.is_paused and self._runs_outward() and at_s in (0.0, self.reel.length_s):
            self.seek(0.0 if self.speed > 0 else self.reel.length_s)
        self.is_paused = not self.is_paused

    def change_speed(self, steps: int) -> None:
        """Go faster, or slower and then backwards."""
        self.at_s  # noqa: B018
        index = SPEEDS.index(self.speed) + steps
        self.speed = SPEEDS[max(0, min(index, len(SPEEDS) - 1))]

    def go_to_mark(self, steps: int) -> bool:
        """Go to the next mark, or the one before; return whether there is one."""
        at_s = self.at_s
        times = [mark_s for mark_s, _ in self.reel.marks]
        found = [mark_s for mark_s in times if (mark_s > at_s + 0.5 if steps > 0 else mark_s < at_s - 1.5)]
        if found:
            self.seek(found[0] if steps > 0 else found[-1])
        return bool(found)

    @property
    def _begin(self) -> datetime:
        return datetime.fromtimestamp(self.reel.header.at, UTC)

    def _within(self, at_s: float) -> float:
        return max(0.0, min(at_s, self.reel.length_s))

    def _runs_outward(self) -> bool:
        return self._at_s >= self.reel.length_s if self.speed > 0 else self._at_s <= 0.0

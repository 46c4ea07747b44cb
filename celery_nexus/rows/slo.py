"""Rows of service levels: how many runs of a queue started in time, and how fast the rest burns what may be late."""

from __future__ import annotations

from dataclasses import dataclass

from celery_nexus.rows.text import duration


@dataclass(frozen=True, slots=True)
class SloWindow:
    """What was kept over some time, to ten minutes.

    Attributes:
        started: Runs that ended in it and whose wait is known; a message that waits too long by now counts, too.
        kept: Those that started in time.
        share: Of those, 0 … 1; None when there were none.
        burn: How many times faster than allowed runs are late: at 1 the target is just kept. None as ``share``.
    """

    started: int
    kept: int
    share: float | None
    burn: float | None

    @classmethod
    def count(cls, started: int, kept: int, target: float) -> SloWindow:
        """Make a window of its counts and the target share."""
        share = kept / started if started else None
        return cls(started, kept, share, None if share is None else (1 - share) / (1 - target))


@dataclass(frozen=True, slots=True)
class SloStatus:
    """A queue's service level, and how far it is kept.

    Attributes:
        starts_within_s: Seconds within which runs are to start.
        target: Share of runs that are to do so, 0 … 1.
        hour: The last hour.
        six_hours: The last six hours.
        is_late_now: Whether a message waits for longer already.
    """

    starts_within_s: float
    target: float
    hour: SloWindow
    six_hours: SloWindow
    is_late_now: bool = False

    @property
    def burn(self) -> float | None:
        """The smaller burn rate of both windows: six hours say that it matters, the last one that it goes on."""
        rates = (self.hour.burn, self.six_hours.burn)
        return None if rates[0] is None or rates[1] is None else min(rates[0], rates[1])

    @property
    def is_kept(self) -> bool | None:
        """Whether the last six hours kept it; None when nothing is known."""
        return None if self.six_hours.share is None else self.six_hours.share >= self.target

    @property
    def words(self) -> str:
        """It in one line: ``99.2 % of 1 h, 99.8 % of 6 h within 30 s; target 99 %, burn …``."""
        if self.six_hours.share is None:
            return f"nothing ended in 6 h; target {100 * self.target:g} % within {duration(self.starts_within_s)}"
        hour = "–" if self.hour.share is None else f"{100 * self.hour.share:.1f} %"
        burns = " ".join("–" if row.burn is None else f"{row.burn:.1f}×" for row in (self.hour, self.six_hours))
        return (
            f"{hour} of 1 h, {100 * self.six_hours.share:.1f} % of 6 h within {duration(self.starts_within_s)};"
            f" target {100 * self.target:g} %, burn {burns}"
        )

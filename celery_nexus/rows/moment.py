"""The current time, read in one place: tests of screens fix it, and a replay has a time of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime


class _Clock:
    """What tells the time of this process; None: its own clock."""

    told: Callable[[], datetime] | None = None


def now() -> datetime:
    """Return the present time (aware, UTC), or that of what is replayed."""
    return datetime.now(UTC) if _Clock.told is None else _Clock.told()


def is_live() -> bool:
    """Tell whether the time is the present one: only then does it say how fresh something is."""
    return _Clock.told is None


def set_clock(told: Callable[[], datetime] | None) -> None:
    """Take the time from elsewhere from now on; None: from this process's clock."""
    _Clock.told = told

"""The current time, read in one place: tests of screens fix it, and a replay has a time of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

_clocks: list[Callable[[], datetime]] = []
"""The clock that is taken instead of the process's own; empty or one."""


def now() -> datetime:
    """Return the present time (aware, UTC), or that of what is replayed."""
    return _clocks[-1]() if _clocks else datetime.now(UTC)


def is_live() -> bool:
    """Tell whether the time is the present one: only then does it say how fresh something is."""
    return not _clocks


def set_clock(clock: Callable[[], datetime] | None) -> None:
    """Take the time from elsewhere from now on; None: from this process's clock."""
    _clocks[:] = [] if clock is None else [clock]

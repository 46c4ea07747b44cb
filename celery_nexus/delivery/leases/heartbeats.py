"""Age of a worker's heartbeat by the broker's clock, which all hosts share, where the worker knew that one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

BEAT_AT = "beat_at"
"""Field of a heartbeat in ``WORKER_HASH``: when it was written, by the broker's clock."""


def measure_silence_s(beat: Mapping[str, Any], now: float, ahead_s: float) -> float | None:
    """Tell how many seconds ago a heartbeat was written; None of one that says no time.

    Args:
        beat: The heartbeat.
        now: This host's time, in seconds since the epoch.
        ahead_s: How far the broker's clock is ahead of this host's.
    """
    if _is_time(at := beat.get(BEAT_AT)):
        return now + ahead_s - at
    if _is_time(at := beat.get("timestamp")):  # of a worker of an earlier version
        return now - at
    return None


def _is_time(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

"""Sequence of this process's fetches, and an estimate of the broker's clock."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from datetime import UTC, datetime, timedelta

from billiard.process import current_process
from celery._state import get_current_worker_task

_incarnation = f"{int(time.time() * 1000):012x}{secrets.token_hex(3)}"
_fetches = itertools.count(1)
_broker_clock: tuple[float, float] | None = None
"""Latest reading of the broker's clock, beside our monotonic clock at that moment."""

_is_leaving = False


def next_fetch_id() -> str:
    """Make the id of a fetch, unlike any other's; ids sort as they were made, over restarts as far as the clock."""
    return f"{_incarnation}-{next(_fetches):010d}"


def may_wait() -> bool:
    """Tell whether this process, thread or greenlet of a worker's pool does nothing but the run that it has."""
    if current_process().daemon:
        return True
    return get_current_worker_task() is not None and threading.current_thread() is not threading.main_thread()


def begin_to_leave() -> None:
    """Take nothing new from now on; safe in a signal's handler and in any thread or greenlet."""
    global _is_leaving  # noqa: PLW0603  one worker a process
    _is_leaving = True


def is_leaving() -> bool:
    """Tell whether this worker is about to end, and takes nothing new."""
    return _is_leaving


def now() -> float:
    """Seconds since the epoch, by the broker's clock as soon as it was heard: what is due is due by that one."""
    if _broker_clock is None:
        return time.time()
    broker_now, heard_at = _broker_clock
    return broker_now + time.monotonic() - heard_at


def note_broker_clock(broker_now: float) -> None:
    """Note what time it is for the broker."""
    global _broker_clock  # noqa: PLW0603  one broker a worker
    _broker_clock = (broker_now, time.monotonic())


def on_this_clock(due: datetime) -> datetime | None:
    """Tell when a moment of the broker's clock is by this host's; None when it has come.

    Args:
        due: An aware time.
    """
    left_s = due.timestamp() - now()
    return datetime.now(UTC) + timedelta(seconds=left_s) if left_s > 0 else None

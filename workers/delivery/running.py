"""What this worker process runs now, and the order of its fetches."""

from __future__ import annotations

import itertools
import time
from typing import Any

from billiard.process import current_process
from celery.worker import state

from workers.delivery.keys import FetchedTag

_incarnation = f"{int(time.time() * 1000):012x}"
_fetches = itertools.count(1)
_broker_is_ahead_s = 0.0
_is_leaving = False


def next_fetch_id() -> str:
    """Make the id of a fetch; ids sort in the order in which they were made, over restarts as well."""
    return f"{_incarnation}-{next(_fetches):010d}"


def is_child() -> bool:
    """Tell whether this is a process of a worker's pool, which does nothing but the run that it has."""
    return bool(current_process().daemon)


def begin_to_leave() -> None:
    """Take nothing new from now on; safe in a signal's handler and in any thread or greenlet."""
    global _is_leaving  # noqa: PLW0603  one worker a process
    _is_leaving = True


def is_leaving() -> bool:
    """Tell whether this worker is about to end, and takes nothing new."""
    return _is_leaving


def now() -> float:
    """Seconds since the epoch, by the broker's clock as far as it was heard: what is due is due by that one."""
    return time.time() + _broker_is_ahead_s


def note_broker_clock(broker_now: float) -> None:
    """Note what time it is for the broker."""
    global _broker_is_ahead_s  # noqa: PLW0603  one broker a worker
    _broker_is_ahead_s = broker_now - time.time()


def tags() -> frozenset[str]:
    """Delivery tags of the runs that a child process has accepted and not finished."""
    requests: list[Any] = list(state.active_requests)  # pyright: ignore[reportArgumentType]
    return frozenset(str(tag) for request in requests if isinstance(tag := request.message.delivery_tag, FetchedTag))

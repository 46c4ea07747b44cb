"""Due times of a schedule, as Celery's beat finds them: it asks the schedule's own object, at any moment we like.

So daylight saving is as beat has it: a time that the clocks leap over is due when they have, and of an hour that comes
twice a crontab takes the first alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

MOST = 10_000
"""Due times that are looked at in one go."""

_CLOCKS_AGREE_S = 2.0

SCHEDULE_ERRORS = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""Errors of a broken schedule: somebody's class, wrong fields, a zone that is not here, a date too far."""


def next_due(when: Any, after: datetime) -> datetime | None:
    """Return the first due time after a moment (aware, UTC); None when there is none.

    Args:
        when: A schedule object of Celery, or of a package that builds on them.
        after: Aware.

    Raises:
        SCHEDULE_ERRORS: The schedule is broken.
    """
    shift = _clock_shift(when)
    moment = (after + shift).astimezone(UTC)
    fixed = _twin(when)
    fixed.nowfun = lambda: moment
    remaining = fixed.remaining_estimate(moment)
    if remaining is None:
        return None
    due: datetime = (fixed.maybe_make_aware(fixed.now()) + remaining).astimezone(UTC) - shift
    return due if due > after else None


def due_times(when: Any, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the due times after one moment up to another, oldest first, at most :data:`MOST`.

    Raises:
        SCHEDULE_ERRORS: The schedule is broken.
    """
    due = next_due(when, after)
    for _ in range(MOST):
        if due is None or due > until:
            return
        yield due
        due = next_due(when, due)


def find_due(when: Any, anchor: datetime | None, since: datetime, until: datetime) -> list[datetime]:
    """Find the due times in a window, both ends included, at most :data:`MOST`.

    Args:
        when: The schedule.
        anchor: What waits after each run is counted from this run; None: from the window's begin.
        since: The window's begin.
        until: Its end.

    Raises:
        SCHEDULE_ERRORS: The schedule is broken.
    """
    begin = start_of_grid(when, anchor, since) - (period_of(when) or timedelta(microseconds=1))
    return [due for due in due_times(when, begin, until) if due >= since]


def period_of(when: Any) -> timedelta | None:
    """Return how long a schedule waits after each run; None when its due times are fixed by clock or calendar."""
    every: Any = getattr(when, "run_every", None)
    is_fixed = bool(getattr(when, "relative", False)) or not isinstance(every, timedelta)
    return None if is_fixed or every <= timedelta(0) else every


def start_of_grid(when: Any, last_at: datetime | None, since: datetime) -> datetime:
    """Return where due times since a moment are counted from: what waits after each run goes on from its last run."""
    period = period_of(when)
    if period is None or last_at is None:
        return since
    return since - (since - last_at) % period


def is_on_our_clock(when: Any) -> bool:
    """Tell whether a schedule's own clock (``nowfun``) says what ours does."""
    return not _clock_shift(when)


def _twin(when: Any) -> Any:
    """Copy a schedule as it is: their ``__reduce__`` parses it anew, or can't be used (RedBeat's ``rrule``)."""
    twin: Any = object.__new__(cast("type[object]", type(when)))
    vars(twin).update(vars(when))
    return twin


def _clock_shift(when: Any) -> timedelta:
    """Return by how much a schedule's own clock (``nowfun``) is ahead of ours."""
    if getattr(when, "nowfun", None) is None:
        return timedelta(0)
    ahead: timedelta = when.maybe_make_aware(when.now()).astimezone(UTC) - datetime.now(UTC)
    return (
        timedelta(0)
        if abs(ahead.total_seconds()) < _CLOCKS_AGREE_S
        else timedelta(seconds=round(ahead.total_seconds()))
    )

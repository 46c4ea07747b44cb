"""The next day of a schedule: how often an entry is due in each quarter of an hour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from celery_nexus.schedule.due import SCHEDULE_ERRORS, due_times, is_on_our_clock, period_of
from celery_nexus.schedule.stored import StoredEntry

SLICE = timedelta(minutes=15)
SLICES = 96
"""A day of them."""


def slice_of(now: datetime) -> datetime:
    """Return when the quarter of an hour began that a moment is in (UTC)."""
    return now.astimezone(UTC).replace(minute=now.minute // 15 * 15, second=0, microsecond=0)


def count_day(entry: StoredEntry, next_at: datetime | None, now: datetime) -> tuple[int, ...]:
    """Count the runs to come of an entry in each slice of the next day, the one that goes on first.

    Args:
        entry: The entry.
        next_at: When it is due next; what has passed is sent at once.
        now: The present (aware).

    Returns:
        :data:`SLICES` numbers; none where its due times are not known.
    """
    start = slice_of(now)
    is_over = (entry.is_one_off and entry.runs) or (entry.ends_at is not None and entry.ends_at <= now)
    if not entry.is_enabled or is_over:
        return (0,) * SLICES
    if next_at is None:
        return ()
    if entry.is_one_off or entry.when is None:
        return _at([next_at], start) if entry.is_one_off else ()
    until = min(start + SLICES * SLICE, entry.ends_at or datetime.max.replace(tzinfo=UTC))
    try:
        return _count(entry.when, next_at, now, until)
    except SCHEDULE_ERRORS:
        return ()


def _count(when: Any, next_at: datetime, now: datetime, until: datetime) -> tuple[int, ...]:
    start, period, first = slice_of(now), period_of(when), max(next_at, now)
    if period is not None:
        return _every(period, first, start, until)
    place = (first - start) // SLICE
    is_plain = hasattr(when, "_orig_minute") and is_on_our_clock(when) and until == start + SLICES * SLICE
    if not is_plain or place >= SLICES:
        return _at([first, *due_times(when, first, until)], start)
    end = start + (place + 1) * SLICE
    head = _at([first, *due_times(when, first, end - timedelta(microseconds=1))], start)
    return (*head[: place + 1], *_minutes(when, start, range(place + 1, SLICES)))


def _every(period: timedelta, first: datetime, start: datetime, until: datetime) -> tuple[int, ...]:
    """Count what is due every so often: by division, since it may be every second."""

    def before(moment: datetime) -> int:
        return max(0, -((first - moment) // period))

    edges = [min(start + place * SLICE, until) for place in range(SLICES + 1)]
    return tuple(before(end) - before(begin) for begin, end in pairwise(edges))


def _minutes(when: Any, start: datetime, places: Iterable[int]) -> Iterator[int]:
    """Count the minutes of a crontab in slices: asking it for one after the other takes ten thousand times as long."""
    for place in places:
        begin = (start + place * SLICE).astimezone(when.tz)
        is_due = (
            not begin.fold
            and begin.hour in when.hour
            and begin.day in when.day_of_month
            and begin.month in when.month_of_year
            and begin.isoweekday() % 7 in when.day_of_week
        )
        yield sum(minute in when.minute for minute in range(begin.minute, begin.minute + 15)) if is_due else 0


def _at(due: Iterable[datetime], start: datetime) -> tuple[int, ...]:
    counts = [0] * SLICES
    for moment in due:
        place = max((moment - start) // SLICE, 0)
        if place < SLICES:
            counts[place] += 1
    return tuple(counts)

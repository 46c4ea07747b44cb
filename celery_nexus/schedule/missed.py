"""Due times that passed without a run: what should have been sent against what was."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from celery_nexus.schedule.due import MOST

NAMED = 100
"""Most missed due times that are named, the latest."""

_SLACK = timedelta(seconds=1)
"""Longest time before a due time at which a run counts as sent for it: clocks differ."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A run that an entry was sent as.

    Attributes:
        at: When it was sent, or first heard of (aware).
        is_exact: Whether somebody told when it was sent: else a worker may have received it long after that.
    """

    at: datetime
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Missed:
    """What was missed.

    Attributes:
        count: How many due times.
        due_at: The latest of them, oldest first.
    """

    count: int = 0
    due_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class DueTime:
    """A due time of the past.

    Attributes:
        at: When.
        sent_at: When a run was sent for it; None: none was, or nothing was recorded then.
        is_recorded: Whether the history goes back so far.
    """

    at: datetime
    sent_at: datetime | None = None
    is_recorded: bool = True


def match_due(
    due: Sequence[datetime], then: datetime | None, sent: Sequence[datetime], recorded_since: datetime | None
) -> list[DueTime]:
    """Say of each due time when a run was sent for it: the first one until the next due time.

    Args:
        due: Due times, oldest first.
        then: The due time after them; None when there is none.
        sent: When runs were sent, oldest first.
        recorded_since: The history goes back so far; None: there is none.
    """
    found: list[DueTime] = []
    for this, following in zip(due, [*due[1:], then] if due else [], strict=True):
        first = bisect_left(sent, this - _SLACK)
        at = sent[first] if first < len(sent) else None
        is_mine = at is not None and (following is None or at < following - _SLACK)
        found.append(DueTime(this, at if is_mine else None, recorded_since is not None and recorded_since <= this))
    return found


DOUBLES = 4
"""Due times in a row with two runs each that prove two beats: a run by hand comes alone."""


def is_doubled(bounds: Sequence[datetime], sent: Sequence[Sent]) -> bool:
    """Tell whether between each of the last bounds and the next one two runs were sent.

    Args:
        bounds: Due times, or moments that are as far apart as these, oldest first.
        sent: Runs, oldest first.
    """
    spans = list(pairwise(bounds))[-DOUBLES:]
    return len(spans) == DOUBLES and all(len(_between(sent, this, following)) >= 2 for this, following in spans)


def find_missed_by_clock(due: Sequence[datetime], sent: Sequence[Sent]) -> Missed:
    """Find the missed ones of due times that clock and calendar fix.

    Beat sends one run for all that is due when it looks, so a due time is missed when nothing was sent until the next
    one. The last is not judged: it may still be sent.

    Args:
        due: Due times, oldest first.
        sent: Runs, oldest first.
    """
    missed: list[datetime] = []
    for this, following in pairwise(due):
        heard = _between(sent, this, following)
        if not heard:
            missed.append(this)
        late = sum(not run.is_exact for run in heard)
        _forgive(missed, min(late, len(heard) - 1))
    return _told(missed)


def find_missed_by_interval(period: timedelta, sent: Sequence[Sent], since: datetime, until: datetime) -> Missed:
    """Find the missed due times of an entry that is due so long after each of its runs.

    Args:
        period: How long it waits after a run.
        sent: Runs after ``since``, oldest first.
        since: When it was sent before, or where its due times are counted from.
        until: Due times after this moment are not judged, nor the last one before it: it may still be sent.
    """
    missed: list[datetime] = []
    moments = [Sent(since), *sent, Sent(until)]
    for before, after in pairwise(moments):
        if not after.is_exact and after.at - before.at < period / 2:
            _forgive(missed, 1)
            continue
        passed = int((after.at - before.at + _SLACK) / period) - 1
        missed += [before.at + number * period for number in range(1, min(passed, MOST) + 1)]
    return _told(missed)


def _between(sent: Sequence[Sent], this: datetime, following: datetime) -> Sequence[Sent]:
    """Return the runs that were sent for a due time: since then, and before the next one."""
    first = bisect_left(sent, this - _SLACK, key=lambda run: run.at)
    return sent[first : bisect_left(sent, following - _SLACK, key=lambda run: run.at)]


def _forgive(missed: list[datetime], count: int) -> None:
    """Take out the latest: what a worker received late, beside others, was sent for a due time before."""
    if count > 0:
        del missed[-count:]


def _told(missed: Sequence[datetime]) -> Missed:
    return Missed(len(missed), tuple(missed[-NAMED:]))

"""From what a store keeps of an entry, and what the history knows of its runs, to the row that people see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from celery_nexus.rows.runs import Run
from celery_nexus.rows.schedule import MissedRuns, ScheduleEntry
from celery_nexus.schedule.due import SCHEDULE_ERRORS, next_due, period_of, start_of_grid
from celery_nexus.schedule.recorded import find_sent_time, outcomes_of
from celery_nexus.schedule.stored import StoredEntry
from celery_nexus.schedule.words import spec_words

LATE_AFTER_S = 30.0
"""Time after its due time from which an unsent entry is late: beat looks every few seconds, or minutes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Turn:
    """When an entry is sent.

    Attributes:
        next_at: When next; the due time that has passed when it is late. None: never, or unknown.
        late_s: How late it is; None when it is on time, or nobody knows.
    """

    next_at: datetime | None = None
    late_s: float | None = None


@dataclass(frozen=True)
class Facts:
    """What is known of an entry beside what its store says.

    Attributes:
        source: The store's name.
        args: Positional arguments as they may be shown.
        kwargs: Keyword arguments, the same.
        queue: Where its runs go.
        runs: Its recorded runs, newest first.
        is_current: Whether they tell what happens now.
        notes_late_s: So long after a run the store may not know of it yet.
        is_known: Whether the application has its task; None where its code is not here.
        is_doubled: Whether its latest due times were sent twice each.
        missed: Due times that passed without a run.
    """

    source: str
    args: Any
    kwargs: Any
    queue: str | None
    runs: Sequence[Run] = ()
    is_current: bool = False
    notes_late_s: float = 0.0
    is_known: bool | None = None
    is_doubled: bool = False
    missed: MissedRuns | None = None


def make_entry(stored: StoredEntry, facts: Facts, now: datetime) -> ScheduleEntry:
    """Make the row of an entry."""
    heard = next((at for run in facts.runs if (at := find_sent_time(run))), None)
    is_run = stored.last_at is not None and stored.last_at <= now and stored.runs != 0
    last_at = max((at for at in (stored.last_at if is_run else None, heard) if at is not None), default=None)
    turn, problem = Turn(), stored.problem
    if not problem and facts.is_known is False:
        problem = f"the application has no task {stored.task}"
    try:
        spec = spec_words(stored.when) if stored.when is not None else stored.spec
        if stored.is_enabled:
            told = [at for at in (stored.last_at, heard if facts.is_current or stored.last_at else None) if at]
            turn = find_turn(stored, max(told, default=None), now, facts.notes_late_s)
    except SCHEDULE_ERRORS as error:
        spec, problem = stored.spec, problem or f"its schedule can't be used: {error}"
    expires: Any = stored.options.get("expires")
    return ScheduleEntry(
        stored.name,
        stored.task,
        spec or "?",
        facts.source,
        facts.args,
        facts.kwargs,
        facts.queue,
        stored.is_enabled,
        turn.next_at,
        last_at,
        turn.late_s,
        stored.runs,
        stored.is_one_off,
        stored.ends_at,
        None if expires is None else _expiry(expires),
        facts.is_known,
        facts.is_doubled,
        problem,
        outcomes_of(facts.runs),
        facts.missed,
    )


def find_turn(stored: StoredEntry, last_at: datetime | None, now: datetime, notes_late_s: float = 0.0) -> Turn:
    """Find when an enabled entry is sent next, and whether that is overdue.

    Args:
        stored: The entry.
        last_at: When it was sent last, or a due time to come that was skipped; None where nobody knows.
        now: The present.
        notes_late_s: So long after a run the store may not know of it yet.

    Raises:
        SCHEDULE_ERRORS: Its schedule is broken.
    """
    if (stored.is_one_off and stored.runs) or (stored.ends_at is not None and stored.ends_at <= now):
        return Turn()
    if stored.when is None:
        return _overdue(stored.next_at, now, notes_late_s)
    if stored.not_before is not None and stored.not_before > now:
        is_timed = hasattr(stored.when, "_orig_minute")
        return _until(stored, next_due(stored.when, stored.not_before) if is_timed else stored.not_before)
    if last_at is None:
        return _first_turn(stored, now, notes_late_s)
    turn = _overdue(next_due(stored.when, last_at), now, notes_late_s)
    if turn.late_s is None and turn.next_at is not None and turn.next_at <= now:
        turn = Turn(next_due(stored.when, start_of_grid(stored.when, last_at, now)))
    return turn if turn.late_s is not None else _until(stored, turn.next_at)


def _first_turn(stored: StoredEntry, now: datetime, notes_late_s: float) -> Turn:
    """Find when an entry is sent next of which nobody knows when it was sent last."""
    if hasattr(stored.when, "clocked_time"):
        return _overdue(next_due(stored.when, _EPOCH), now, notes_late_s)
    if stored.next_at is not None:
        return _overdue(stored.next_at, now, notes_late_s)
    return Turn() if period_of(stored.when) is not None else _until(stored, next_due(stored.when, now))


def _overdue(due: datetime | None, now: datetime, notes_late_s: float) -> Turn:
    is_late = due is not None and now - due > timedelta(seconds=LATE_AFTER_S + notes_late_s)
    return Turn(due, (now - due).total_seconds() if is_late and due is not None else None)


def _until(stored: StoredEntry, due: datetime | None) -> Turn:
    is_over = due is not None and stored.ends_at is not None and due > stored.ends_at
    return Turn(None if is_over else due)


def _expiry(told: Any) -> str:
    return (
        told.isoformat()
        if isinstance(told, datetime)
        else f"{told:g} s"
        if isinstance(told, int | float)
        else f"{told}"
    )

"""Rows of the schedule: its entries, and the stores that keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celery_nexus.rows.text import duration


@dataclass(frozen=True, slots=True)
class EntryRun:
    """A recorded run that beat sent for an entry, or that was published as if it had.

    Attributes:
        id: The run's id.
        state: Its state, as Celery names it.
        at: When it was sent, or first heard of where nobody told that (aware, UTC).
    """

    id: str
    state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class MissedRuns:
    """Due times for which nothing was sent, as far as the history can tell.

    Attributes:
        count: How many.
        due_at: The latest of them, oldest first.
        since: Only due times after this one were judged.
        unknown: Why they can't be known; empty when they are.
    """

    count: int = 0
    due_at: tuple[datetime, ...] = ()
    since: datetime | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """One entry of a schedule. Times are aware, UTC; None is unknown.

    Attributes:
        name: Its name in the schedule.
        task: Name of the task that it sends.
        spec: When, in words: ``every 5 minutes``.
        source: What keeps it: ``beat_schedule``, ``RedBeat`` or ``django-celery-beat``.
        args: Positional arguments, secrets masked.
        kwargs: Keyword arguments, secrets masked.
        queue: Where its runs go; None where nobody says it.
        is_enabled: Whether beat sends it.
        next_at: When it is due next, also when that has passed; None: never, or unknown.
        last_at: When beat last sent it.
        late_s: Since when it should have been sent, in seconds; None: it is on time, or nobody knows.
        runs: How often beat sent it, as its source counts.
        is_one_off: Whether it is sent once.
        ends_at: Nothing is sent after this time.
        expires: When a run that was not started is thrown away, in words: ``5 m 00 s``, or a time.
        is_known: Whether the application has its task; None where its code is not here.
        is_doubled: Whether its latest due times were sent twice each: two beats are at work.
        problem: What is wrong with it, in one line; empty when nothing is.
        outcomes: Its latest recorded runs, newest first.
        missed: Due times that passed without a run.
    """

    name: str
    task: str
    spec: str
    source: str
    args: Any = None
    kwargs: Any = None
    queue: str | None = None
    is_enabled: bool = True
    next_at: datetime | None = None
    last_at: datetime | None = None
    late_s: float | None = None
    runs: int | None = None
    is_one_off: bool = False
    ends_at: datetime | None = None
    expires: str | None = None
    is_known: bool | None = None
    is_doubled: bool = False
    problem: str = ""
    outcomes: tuple[EntryRun, ...] = ()
    missed: MissedRuns | None = None

    def next_words(self, now: datetime) -> str:
        """Say when it is sent next: ``in 2 m 10 s``, ``late by 3 m 00 s``, ``paused``, ``?``."""
        if not self.is_enabled:
            return "paused"
        if self.late_s is not None:
            return f"late by {duration(self.late_s)}"
        if self.next_at is None:
            return "?" if self.problem or not self.runs else "never"
        return f"in {duration((self.next_at - now).total_seconds())}" if self.next_at > now else "now"


@dataclass(frozen=True, slots=True)
class Beat:
    """Whether a beat is at work.

    Attributes:
        source: The source that it reads.
        is_alive: None where nothing tells.
        fact: What was seen.
    """

    source: str
    is_alive: bool | None
    fact: str


@dataclass(frozen=True, slots=True)
class DayAhead:
    """How often entries are due in each quarter of an hour of the next day.

    Attributes:
        since: When the first of them began (aware, UTC).
        counts: By entry, 96 numbers each; none where its due times can't be computed.
    """

    since: datetime
    counts: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """The entries of an application, and what could not be read.

    Attributes:
        entries: What is due first comes first.
        total: How many there are; more than were read where there are very many.
        beats: What is known of the beat of each source.
        problems: What could not be read, one line each.
        day: Runs to come; None where nobody asked for them.
    """

    entries: tuple[ScheduleEntry, ...]
    total: int
    beats: tuple[Beat, ...] = ()
    problems: tuple[str, ...] = ()
    day: DayAhead | None = None

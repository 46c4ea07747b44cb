"""The schedule of an application: what is in it, and changes to it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from celery_nexus.application_code import ApplicationCode
from celery_nexus.errors import Invalid, NotFound, Refused, SourceError
from celery_nexus.rows.moment import now as present
from celery_nexus.rows.schedule import Beat, DayAhead, MissedRuns, Schedule, ScheduleEntry
from celery_nexus.schedule.changes import changes_of
from celery_nexus.schedule.day_ahead import count_day, slice_of
from celery_nexus.schedule.due import SCHEDULE_ERRORS, find_due, next_due
from celery_nexus.schedule.entries import Facts, find_turn, make_entry
from celery_nexus.schedule.lookup import EntryLookup, Found
from celery_nexus.schedule.message import evaluate, options_of
from celery_nexus.schedule.missed import DueTime, match_due
from celery_nexus.schedule.recorded import (
    Coverage,
    RecordedRuns,
    find_sent_time,
    is_sent_twice,
    judge_missed,
    may_hide_runs,
    read_coverage,
)
from celery_nexus.schedule.shadows import join_pages
from celery_nexus.schedule.stored import EntryStore, StoredEntry

if TYPE_CHECKING:
    from celery_nexus.broker import BrokerSource
    from celery_nexus.catalog.own import CatalogSource
    from celery_nexus.control.source import ControlSource
    from celery_nexus.rows.catalog import Submitted
    from celery_nexus.rows.runs import Run
    from celery_nexus.runs.source import HistorySource

DAY = timedelta(days=1)
_NO_CELERY = "its due times can't be computed without Celery: pip install 'celery-nexus[celery]'"
_AUDITED = 300
"""Most changes of operators that are searched for those of entries."""


@dataclass(frozen=True)
class _Past:
    """What was before, read once for all entries.

    Attributes:
        at: The present.
        since: Missed runs are looked for since then.
        runs: Recorded runs.
        recorded: What the history covers.
        changed: When operators last changed entries.
        broker: Whose queues may hold what was sent.
    """

    at: datetime
    since: datetime
    runs: RecordedRuns
    recorded: Coverage
    changed: Mapping[str, datetime]
    broker: BrokerSource

    def hides_runs(self, runs: Sequence[Run], queue: str | None) -> bool:
        """Tell whether runs of an entry may wait in its queue, or in any where that is not known, unrecorded."""
        if not may_hide_runs(runs, 1):
            return False
        waiting = sum(self._waiting.values()) if queue is None else self._waiting.get(queue, 0)
        return may_hide_runs(runs, waiting)

    @cached_property
    def _waiting(self) -> Mapping[str, int]:
        try:
            return {row.name: row.waiting for row in self.broker.queues()}
        except SourceError:
            return {}


class ScheduleSource:
    """Reads and changes the schedule; safe in threads, every call blocks.

    Args:
        code: The application's code, as far as it is here.
        broker: Its broker.
        history: Its recorded runs.
        catalog: Publishes.
        control: Its workers, who know which tasks there are.
    """

    def __init__(
        self,
        code: ApplicationCode,
        broker: BrokerSource,
        history: HistorySource,
        catalog: CatalogSource,
        control: ControlSource,
    ) -> None:
        self._code = code
        self._broker = broker
        self._history = history
        self._catalog = catalog
        self._control = control
        self._lookup = EntryLookup(code, broker)

    def read(self, limit: int = 100, missed_for: timedelta = DAY, *, day_ahead: bool = False) -> Schedule:
        """Read the entries that are due first.

        Args:
            limit: At most so many; of the others only the number is told.
            missed_for: Missed runs are looked for so far back.
            day_ahead: Whether the runs of the next day are counted, too.

        Raises:
            SourceError: The broker can't be read.
        """
        stores, past = self._lookup.opened.stores, self._past(missed_for)
        if not stores:
            return Schedule((), 0, (), tuple(self._lookup.opened.problems))
        joined = join_pages([(store, store.page(limit)) for store in stores], self._lookup.opened.used)
        known = [entry for _, entry in joined.entries]
        shown = sorted(joined.entries, key=lambda row: _order(row[1], past.at))[:limit]
        rows = [self._row(Found(store, entry), known, past) for store, entry in shown]
        beats = [beat for store in stores if (beat := _beat_of(store, past.at)) is not None]
        problems = (*self._lookup.opened.problems, *joined.problems)
        stored = [entry for _, entry in shown]
        day = _count_day(zip(stored, rows, strict=True), past.at) if day_ahead else None
        return Schedule(_sorted(rows), joined.total, tuple(beats), problems, day)

    def entry(self, name: str, missed_for: timedelta = DAY) -> ScheduleEntry:
        """Read one entry; raises as :meth:`find`."""
        found = self._lookup.find(name)
        return self._row(found, self._lookup.list_siblings(found), self._past(missed_for))

    def find(self, name: str) -> Found:
        """Find an entry by its name; raises as :meth:`.lookup.EntryLookup.find`."""
        return self._lookup.find(name)

    def backfill(self, name: str, since: datetime, until: datetime) -> list[DueTime]:
        """Compute the due times of an entry in a window, both ends included, at most ten thousand.

        Raises:
            NotFound: There is no such entry.
            Invalid: Its due times can't be computed.
        """
        found = self._lookup.find(name)
        runs = self._runs_of(found.entry, self._lookup.list_siblings(found), RecordedRuns(self._history))
        sent = sorted(at for run in runs if (at := find_sent_time(run)) is not None)
        anchor = max((at for at in sent if at <= since), default=found.entry.last_at)
        if found.entry.when is None:
            raise Invalid(f"{name}: {found.entry.problem or _NO_CELERY}")
        try:
            due = find_due(found.entry.when, anchor, since, until)
            then = next_due(found.entry.when, due[-1]) if due else None
        except SCHEDULE_ERRORS as error:
            raise Invalid(f"{name}: its schedule can't be used: {error}") from None
        return match_due(due, then, sent, read_coverage(self._history).since)

    def publisher(self, name: str) -> Callable[[datetime | None], Submitted]:
        """Find an entry, and return what publishes a run of it as its beat would; its times go on as they were.

        What it returns takes the due time of the past that a run is for, which is told in the header ``nexus_due_at``
        (such a run does not expire), or None for a run that is for now.

        Raises:
            NotFound: There is no such entry, or nobody knows its task.
            Invalid: Its arguments can't be read; when it publishes: its task refuses them.
        """
        entry = self._lookup.find(name).entry
        if not entry.task or entry.unsendable:
            raise Invalid(f"{name}: {entry.unsendable or entry.problem or 'it names no task'}")
        if problem := self._unknown_task(entry.task):
            raise NotFound(f"{name}: {problem}; nothing was queued")

        def publish(due_at: datetime | None) -> Submitted:
            args, kwargs = evaluate(entry.args), evaluate(entry.kwargs)
            return self._catalog.send(entry.task, args, kwargs, options_of(entry, due_at))

        return publish

    def check_change(self, name: str, change: str) -> None:
        """Make sure that an entry can be ``paused``, ``resumed`` or ``skipped``.

        Raises:
            NotFound: There is no such entry.
            Refused: What keeps it can't do that; says what one can do instead.
        """
        self._changeable(name, change)

    def set_enabled(self, name: str, *, is_enabled: bool) -> str:
        """Pause or resume an entry, and say what was done; what is resumed counts from now.

        Raises:
            NotFound: There is no such entry.
            Refused: What keeps it can't do that.
        """
        found = self._changeable(name, "resumed" if is_enabled else "paused")
        return found.store.set_enabled(found.entry, present(), is_enabled=is_enabled)

    def next_time(self, name: str) -> datetime:
        """Return the due time that :meth:`skip` would skip.

        Raises:
            NotFound: There is no such entry.
            Invalid: It is paused, or nothing is due any more.
        """
        return self._next(self._lookup.find(name))

    def skip(self, name: str) -> datetime:
        """Let the next due time of an entry pass without a run, and return it.

        Raises:
            NotFound: There is no such entry.
            Invalid: It is paused, or nothing is due any more.
            Refused: What keeps it can't do that.
        """
        found = self._changeable(name, "skipped")
        due_at = self._next(found)
        found.store.skip(found.entry, due_at, next_due(found.entry.when, due_at))
        return due_at

    def _changeable(self, name: str, change: str) -> Found:
        found = self._lookup.find(name)
        if obstacle := found.store.obstacle(name, change):
            raise Refused(obstacle)
        return found

    def _next(self, found: Found) -> datetime:
        entry = found.entry
        if not entry.is_enabled:
            raise Invalid(f"{entry.name} is paused: nothing is due that could be skipped")
        if entry.when is None:
            raise Invalid(f"{entry.name}: {entry.problem or _NO_CELERY}")
        try:
            due_at = find_turn(entry, entry.last_at, present()).next_at
        except SCHEDULE_ERRORS as error:
            raise Invalid(f"{entry.name}: its schedule can't be used: {error}") from None
        if due_at is None:
            raise Invalid(f"{entry.name} is not due any more")
        return due_at

    def _row(self, found: Found, known: Sequence[StoredEntry], past: _Past) -> ScheduleEntry:
        entry, (args, kwargs) = found.entry, self._shown(found.entry)
        queue, runs = self._queue_of(entry), self._runs_of(entry, known, past.runs)
        is_hidden = past.hides_runs(runs, queue)
        missed, is_twice = judge_missed(entry, runs, past.recorded, past.since, past.changed.get(entry.name)), False
        if is_hidden and not missed.unknown:
            missed = MissedRuns(
                unknown="messages wait in its queue, and nobody tells what was sent before it is received"
            )
        if any(_is_same_call(entry, other) for other in known if other is not entry):
            missed = MissedRuns(unknown="another entry sends the same task with the same arguments")
        else:
            is_twice = is_sent_twice(entry, runs, past.recorded)
        facts = Facts(
            found.store.source,
            args,
            kwargs,
            queue,
            runs,
            past.recorded.is_current(past.at) and not is_hidden,
            found.store.notes_late_s,
            self._is_known(entry.task),
            is_twice,
            missed,
        )
        return make_entry(entry, facts, past.at)

    def _runs_of(self, entry: StoredEntry, known: Sequence[StoredEntry], runs: RecordedRuns) -> list[Run]:
        is_shared = sum(other.task == entry.task for other in known) > 1
        return runs.of_entry(entry.task, *self._shown(entry), is_shared=is_shared)

    def _past(self, missed_for: timedelta) -> _Past:
        try:
            log = self._broker.audit.read(_AUDITED)
        except SourceError:
            log = ()
        at = present()
        runs, recorded = RecordedRuns(self._history), read_coverage(self._history)
        return _Past(at, at - missed_for, runs, recorded, changes_of(log), self._broker)

    def _shown(self, entry: StoredEntry) -> tuple[Any, Any]:
        from celery_nexus.privacy.masking import mask

        if not self._code.is_here:
            return mask(list(entry.args)), mask(dict(entry.kwargs))
        from celery_nexus.privacy.arguments import mask_arguments

        return mask_arguments(self._code.app.tasks.get(entry.task), entry.args, entry.kwargs)

    def _queue_of(self, entry: StoredEntry) -> str | None:
        told: Any = entry.options.get("queue")
        if told is not None:
            return str(getattr(told, "name", None) or told)
        return self._catalog.queue_of(entry.task) if self._code.is_here and entry.task else None

    def _is_known(self, task: str) -> bool | None:
        return task in self._code.app.tasks if self._code.is_here and task else None

    def _unknown_task(self, task: str) -> str:
        """Say that neither application nor workers know a task; empty when somebody does, or nobody can be asked."""
        if self._is_known(task) is not False:
            return ""
        try:
            names = [worker.name for worker in self._control.workers() if worker.pool is not None]
            known = {name for tasks in self._control.list_registered_tasks(names).values() for name in tasks}
        except SourceError:
            known = set[str]()
        if task in known:
            return ""
        near = difflib.get_close_matches(task, [*known, *self._code.app.tasks], 1, 0.6)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"neither the application nor a worker has a task {task}{hint}"


def _is_same_call(one: StoredEntry, other: StoredEntry) -> bool:
    return one.task == other.task and list(one.args) == list(other.args) and dict(one.kwargs) == dict(other.kwargs)


def _beat_of(store: EntryStore, at: datetime) -> Beat | None:
    try:
        return store.beat(at)
    except (SourceError, Refused) as error:
        return Beat(store.source, None, str(error))


def _count_day(rows: Iterable[tuple[StoredEntry, ScheduleEntry]], at: datetime) -> DayAhead:
    return DayAhead(slice_of(at), {row.name: count_day(entry, row.next_at, at) for entry, row in rows})


def _order(entry: StoredEntry, at: datetime) -> tuple[bool, datetime, str]:
    """Order entries before their rows are made: by what their store says."""
    return entry.next_at is None, entry.next_at or at, entry.name


def _sorted(rows: Sequence[ScheduleEntry]) -> tuple[ScheduleEntry, ...]:
    far = present() + timedelta(days=36_500)
    return tuple(sorted(rows, key=lambda row: (not row.is_enabled, row.next_at or far, row.name)))

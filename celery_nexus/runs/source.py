"""Source of runs, failures and figures, from the recorder's SQLite file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from celery_nexus.errors import Invalid, NotFound, Refused, Unreachable
from celery_nexus.filters.errors import FilterError
from celery_nexus.filters.parser import NO_FAMILIES, parse
from celery_nexus.history.errors import HistoryError
from celery_nexus.history.marks import MarksFile
from celery_nexus.history.query import distributions, figures, follow
from celery_nexus.history.query.families import Family, read_family
from celery_nexus.history.query.history import SILENT_WORKERS, History
from celery_nexus.history.query.paging import find_oldest_time, walk
from celery_nexus.history.query.starts import Starts, count_starts
from celery_nexus.history.query.totals import read_totals
from celery_nexus.history.store.schema import lock_path, size_of
from celery_nexus.private_files import find_user
from celery_nexus.rows.history import (
    Changes,
    ErrorGroup,
    Gap,
    QueueWaits,
    RunTotals,
    Share,
    Slice,
    TaskStats,
    TrendPoint,
)
from celery_nexus.rows.marks import Mark, find_new_since
from celery_nexus.rows.runs import LifeEvent, Run, RunPage
from celery_nexus.runs.paced_counts import PacedCounts

MAX_CANDIDATES = 10
_SHOWN_ID = 13


class FilterInvalid(Invalid):
    """A filter that can't be understood: ``position`` and ``length`` say where."""

    def __init__(self, message: str, position: int, length: int) -> None:
        super().__init__(message)
        self.position = position
        self.length = length


class HistorySource:
    """Reads the history; safe in threads, each call one snapshot.

    Args:
        path: The recorder's file. Where there is none, the history is empty: see :attr:`exists`.
        is_foreign: Whether it is that of another application, recorded only while somebody looks.
        families: Names of queues by their short names, for filters.
        recorder_command: What starts its recorder anew.
    """

    def __init__(
        self,
        path: Path,
        *,
        is_foreign: bool = False,
        families: Mapping[str, str] = NO_FAMILIES,
        recorder_command: str = "nexus-tui restart recorder",
    ) -> None:
        self.path = path
        self.is_foreign = is_foreign
        self.recorder_command = recorder_command
        self.recorder_problem: Callable[[], str] = lambda: ""
        self._history = History(path, families)
        self._counts = PacedCounts(self._history)

    @property
    def exists(self) -> bool:
        """Whether a recorder ever wrote the file."""
        return self._history.exists

    def size_bytes(self) -> int:
        """Return how much of the disk it takes."""
        return size_of(self.path)

    def close(self) -> None:
        """Close the file."""
        self._history.close()

    def runs(self, filter_text: str = "", limit: int = 200, offset: int = 0) -> list[Run]:
        """Return runs that match a filter, newest first.

        Raises:
            FilterInvalid: The filter can't be understood.
            Unreachable: The file can't be read.
        """
        with _translated():
            now = time.time()
            return [_until(run, now) for run in self._history.runs(filter_text, limit, offset)]

    def count(self, filter_text: str = "") -> int:
        """Count the runs that match a filter; raises as :meth:`runs`."""
        with _translated():
            return self._history.count(filter_text)

    def check(self, filter_text: str) -> None:
        """Make sure that a filter can be understood; raises as :meth:`runs`."""
        with _translated():
            parse(filter_text)

    def page(self, filter_text: str, limit: int, offset: int, budget_s: float) -> RunPage:
        """Return a page of the runs that match a filter and their number, as far as they are found in some time.

        Who asks again and again is told a number that is a moment old, where counting takes long. Raises as
        :meth:`runs`.
        """
        with _translated():
            found = self._history.page(filter_text, limit, offset, budget_s=budget_s)
            counted = self._counts.count(filter_text, budget_s / 4)
        now = time.time()
        total = max(counted.count, offset + len(found.runs))
        looked_to = None if found.is_complete else _time(found.looked_to)
        return RunPage(tuple(_until(run, now) for run in found.runs), total, looked_to, not counted.is_complete)

    def run(self, id_or_prefix: str) -> Run:
        """Return the run of this id, or the only one whose id begins so.

        Raises:
            NotFound: There is none.
            Invalid: Several begin so; names them.
        """
        with _translated():
            found = self._history.find(id_or_prefix, MAX_CANDIDATES + 1) if id_or_prefix else []
        if not found:
            raise NotFound(f"no run {id_or_prefix!r} in the history")
        if len(found) > 1:
            names = [
                f"{run.id[: max(_SHOWN_ID, len(id_or_prefix) + 4)]} ({run.task})" for run in found[:MAX_CANDIDATES]
            ]
            more = " …" if len(found) > MAX_CANDIDATES else ""
            raise Invalid(f"several runs begin with {id_or_prefix!r}: {', '.join(names)}{more}")
        return _until(found[0], time.time())

    def find_sent_time(self, run_id: str) -> float | None:
        """Return when a run was sent, in seconds since the epoch; None when nobody told, or nothing can be read."""
        try:
            found = self._history.find(run_id, 1)
        except HistoryError:
            return None
        sent_at = found[0].sent_at if found and found[0].id == run_id else None
        return sent_at and sent_at.timestamp()

    def family(self, run_id: str) -> Family:
        """Return the runs of the workflow that a run belongs to, by its full id; raises as :meth:`version`."""
        with _translated():
            return read_family(self._history, run_id)

    def life(self, id_: str) -> list[LifeEvent]:
        """Return what happened to a run, in order of time; empty when nothing is known."""
        with _translated():
            return [LifeEvent(_time(at), name, detail) for at, name, detail in self._history.life(id_)]

    def version(self) -> int:
        """Return a number that changes when runs do; cheap enough for each tick.

        Raises:
            Unreachable: The file can't be read, or its recorder can't write it.
        """
        if problem := self.recorder_problem():
            raise Unreachable(problem)
        if not self.is_foreign and not self.exists:
            raise Unreachable(
                f"there is no history at {self.path}: its recorder has not written it yet, or it was moved or deleted; "
                f"{self.recorder_command} begins a new one"
            )
        with _translated():
            return self._history.version()

    def bad_events(self) -> int:
        """Count the events that made no sense and were skipped."""
        with _translated():
            return int(self._history.meta("bad_events") or 0)

    def list_silent_workers(self) -> tuple[str, ...]:
        """Name the workers of a foreign application that begin runs and send no events of them."""
        with _translated():
            return tuple(json.loads(self._history.meta(SILENT_WORKERS) or "[]"))

    def walk(self, filter_text: str = "") -> Iterator[Run]:
        """Yield all runs that match a filter, newest first, in bounded memory; raises as :meth:`runs`."""
        with _translated():
            now = time.time()
            for run in walk(self._history, filter_text):
                yield _until(run, now)

    def find_oldest_time(self) -> datetime | None:
        """Return when the oldest run that is kept was sent; None when there is none."""
        with _translated():
            return _maybe_time(find_oldest_time(self._history))

    def last_change(self) -> int:
        """Return the number of the last change of a run, for :meth:`changes`."""
        with _translated():
            return follow.read_last_change(self._history)

    def changes(self, after: int, filter_text: str = "") -> Changes[Run]:
        """Return the runs that changed after a number and match now; raises as :meth:`runs`."""
        with _translated():
            found = follow.changes(self._history, after, filter_text)
        now = time.time()
        return Changes(tuple(_until(run, now) for run in found.runs), found.number, found.missed)

    def failures(self, since: float | None = None, filter_text: str = "", limit: int = 100) -> list[ErrorGroup]:
        """Return failed runs by type and place of their exception, the largest group first.

        Args:
            since: Runs sent at or after this time (seconds since the epoch); None for the last day.
            filter_text: Only runs that match.
            limit: At most so many groups.
        """
        start = time.time() - figures.DAY_S if since is None else since
        with _translated():
            groups = figures.failures(self._history, start, None, filter_text, limit=limit)
        marks = self.marks(start) if groups else []
        return [replace(group, new_since=find_new_since(marks, group.first_at, start)) for group in groups]

    def stats(
        self, since: float | None = None, by_queue: bool = False, until: float | None = None, by_task: bool = True
    ) -> list[TaskStats]:
        """Return counts, failure rate and p50/p95/p99 of each task since a time; None for the last day.

        Args:
            since: From this time, to the minute.
            by_queue: One row for each task and queue.
            until: Up to this time; None for now.
            by_task: With False one row for each queue, or for everything.
        """
        with _translated():
            return figures.stats(self._history, since, until, by_queue, by_task)

    def chart(self, since: float, slice_s: int = 60, task: str | None = None, queue: str | None = None) -> list[Slice]:
        """Return what happened in each slice of time until now, oldest first; ``slice_s`` is a multiple of 60."""
        with _translated():
            return figures.chart(self._history, since, time.time(), slice_s, task, queue)

    def trend(
        self, since: float, slice_s: int = 60, task: str | None = None, queue: str | None = None
    ) -> list[TrendPoint]:
        """Return how many runs ended and how long they took in each slice of time until now; as :meth:`chart`."""
        with _translated():
            return figures.trend(self._history, since, time.time(), slice_s, task, queue)

    def waits(self, since: float, slice_s: int = 60) -> list[QueueWaits]:
        """Return how long runs waited in each slice of time until now, by queue, the longest wait first."""
        with _translated():
            return distributions.read_waits(self._history, since, time.time(), slice_s)

    def histogram(self, since: float, task: str) -> tuple[list[Share], list[Share]]:
        """Return how long a task's runs ran, and how long they waited, as bars of a histogram."""
        with _translated():
            return distributions.read_histogram(self._history, since, time.time(), task)

    def totals(self, first_minute: int, end_minute: int) -> list[RunTotals]:
        """Return what became of runs between two minutes since the epoch, by task, queue and state."""
        with _translated():
            return read_totals(self._history, first_minute, end_minute)

    def count_starts(
        self, bounds: Mapping[str, float], now: float, windows: tuple[int, ...]
    ) -> dict[str, tuple[Starts, ...]]:
        """Count runs of queues that started within some seconds, over windows that end now."""
        with _translated():
            return count_starts(self._history, bounds, now, windows)

    def gaps(self) -> list[Gap]:
        """Return the parts of the stream that were never recorded, newest first."""
        with _translated():
            return self._history.gaps()

    def marks(self, since: float = 0.0) -> list[Mark]:
        """Return the moments that were marked since a time, oldest first.

        Raises:
            Unreachable: They can't be read.
        """
        marks = MarksFile(self.path)
        try:
            return marks.read(since)
        except OSError as error:
            raise Unreachable(f"can't read {marks.path}: {error.strerror or error}") from None

    def mark(self, label: str) -> Mark:
        """Mark this moment.

        Raises:
            Refused: The file can't be written.
        """
        mark = Mark(datetime.now(UTC), label, find_user())
        marks = MarksFile(self.path)
        try:
            marks.add(mark)
        except OSError as error:
            raise Refused(f"can't write {marks.path}: {error.strerror or error}") from None
        return mark

    def complete_at(self) -> datetime | None:
        """Return when everything in the stream was last recorded; None when no recorder ever ran."""
        try:
            return _time(lock_path(self.path).stat().st_mtime)
        except OSError:
            return None

    def lag_s(self) -> float | None:
        """Return how far the history is behind in seconds, about 1 at rest; None when no recorder ever ran."""
        at = self.complete_at()
        return None if at is None else max(0.0, time.time() - at.timestamp())


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except FilterError as error:
        raise FilterInvalid(f"{error} (at {error.position + 1})", error.position, error.length) from error
    except HistoryError as error:
        raise Unreachable(str(error)) from error


def _until(run: Run, now: float) -> Run:
    """Count what is under way until now: how long a run waits, or runs."""
    if run.waited_s is None and run.sent_at is not None and run.state in {"PENDING", "RECEIVED"}:
        return replace(run, waited_s=max(0.0, now - run.sent_at.timestamp()))
    if run.ran_s is None and run.started_at is not None and run.state == "STARTED":
        return replace(run, ran_s=max(0.0, now - run.started_at.timestamp()))
    return run


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _maybe_time(seconds: float | None) -> datetime | None:
    return None if seconds is None else _time(seconds)

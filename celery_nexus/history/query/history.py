"""Reader of the history. Each method answers from the file as it is; several readers may ask at once.

::

    with History(settings().paths.history) as history:
        for run in history.runs("state:failure age:<1d", limit=50):
            ...

Error groups, statistics and charts are in ``figures``. A missing file is an empty history.
Their times are seconds since the epoch; those of runs are aware.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import orjson

from celery_nexus.filters.parser import NO_FAMILIES, parse
from celery_nexus.history.encoding import COUNTERS, STATES
from celery_nexus.history.errors import HistoryError
from celery_nexus.history.filter.matching import loads
from celery_nexus.history.filter.sql import MAX_KEY, register
from celery_nexus.history.index import RunIndex
from celery_nexus.history.store import damage
from celery_nexus.history.store.schema import connect_reader
from celery_nexus.rows.history import Gap, HistoryPage, RunCount
from celery_nexus.rows.runs import Progress, Run

T = TypeVar("T")

SILENT_WORKERS = "silent_workers"
"""Name under which a recorder of pub/sub events remembers, as JSON, the workers that send no events of their runs."""

_RUN = """
select run.id, task.text, state, queue.text, priority, worker.text, sent_at, received_at, started_at,
  finished_at, waited_s, ran_s, retries, args, kwargs, result, error, traceback, place, progress, root_id, parent_id,
  group_id, verdict
from run
left join name as task on task.id = run.task
left join name as queue on queue.id = run.queue
left join name as worker on worker.id = run.worker
left join arguments on arguments.key = run.key
left join ending on ending.key = run.key
"""
_LATEST = "order by run.key desc"


@dataclass
class _Reader:
    connection: sqlite3.Connection
    inode: int


class History:
    """A reader of the history's file; safe in threads.

    Args:
        path: The recorder's file; may not exist (yet).
        families: Names of queues by their short names, for filters.
    """

    def __init__(self, path: Path, families: Mapping[str, str] = NO_FAMILIES) -> None:
        self.path = path
        self.families = families
        self._lock = threading.Lock()
        self._idle: list[_Reader] = []

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            readers, self._idle = self._idle, []
        for reader in readers:
            reader.connection.close()

    @property
    def exists(self) -> bool:
        """Whether there is a file."""
        return self.path.exists()

    @contextmanager
    def read(self) -> Generator[_Reader | None]:
        """Lend a connection, in one snapshot of the file; None where there is no file.

        Raises:
            HistoryError: The file can't be read.
        """
        reader = None
        try:
            reader = self._take_reader()
            if reader is not None:
                reader.connection.execute("begin")
            yield reader
        except (sqlite3.Error, OSError) as error:
            if reader is not None:
                reader.connection.close()
                reader = None
            if not damage.is_damage(error):
                raise HistoryError(f"the history {self.path} can't be read: {error}") from error
            damage.report(self.path)
            raise HistoryError(
                f"the history {self.path} is damaged ({error}); its recorder sets it aside and builds a new one"
                " from the stream"
            ) from error
        finally:
            if reader is not None:
                if reader.connection.in_transaction:
                    reader.connection.execute("rollback")
                with self._lock:
                    self._idle.append(reader)

    def _take_reader(self) -> _Reader | None:
        """Return an idle reader or a new one, so that a slow question holds up no other."""
        try:
            inode = self.path.stat().st_ino
        except (FileNotFoundError, NotADirectoryError):
            self.close()
            return None
        while True:
            with self._lock:
                reader = self._idle.pop() if self._idle else None
            if reader is None:
                break
            if reader.inode == inode:
                return reader
            reader.connection.close()  # the recorder set a damaged file aside and built a new one
        reader = _Reader(connect_reader(self.path), inode)
        register(reader.connection)
        if reader.connection.execute("select 1 from sqlite_master where name = 'meta'").fetchone():
            return reader
        reader.connection.close()
        return None

    def ask(self, question: Callable[[sqlite3.Connection], T], empty: T) -> T:
        """Answer a question on one snapshot; ``empty`` where there is no file."""
        with self.read() as reader:
            if reader is None:
                return empty
            return question(reader.connection)

    def runs(self, filter_text: str = "", limit: int = 200, offset: int = 0, before: float | None = None) -> list[Run]:
        """Return runs that match a filter, newest first.

        Args:
            filter_text: See :mod:`celery_nexus.filters.parser`; empty for all.
            limit: At most so many.
            offset: Skip so many.
            before: Only runs sent before this time.

        Raises:
            FilterError: The filter can't be understood.
        """
        after = None if before is None else int(before * 1_000_000) * COUNTERS
        return list(self.page(filter_text, limit, offset, after).runs)

    def page(
        self,
        filter_text: str = "",
        limit: int = 200,
        offset: int = 0,
        after: int | None = None,
        budget_s: float | None = None,
    ) -> HistoryPage:
        """Return a page of the runs that match a filter, newest first.

        Nearly all filters are answered at once. What can only be told by looking at each run's arguments (a number
        or text that is smaller or larger, a pattern that nothing matches) takes some seconds for a million runs:
        with ``budget_s`` the page says how far it looked.

        Args:
            filter_text: See :mod:`celery_nexus.filters.parser`; empty for all.
            limit: At most so many.
            offset: Skip so many; pages by ``after`` cost less.
            after: :attr:`HistoryPage.next` of the page before.
            budget_s: Stop looking after so long; None looks to the end.

        Raises:
            FilterError: The filter can't be understood.
        """
        node = parse(filter_text, self.families)

        def question(connection: sqlite3.Connection) -> HistoryPage:
            found = RunIndex(connection).page(node, limit + offset, MAX_KEY if after is None else after, budget_s)
            is_full, is_end = len(found.keys) == limit + offset, found.reached == 0
            return HistoryPage(
                tuple(load_runs(connection, found.keys[offset:])),
                found.reached if is_full or not is_end else None,
                is_full or is_end,
                found.reached // COUNTERS / 1e6,
            )

        return self.ask(question, HistoryPage((), None, True, 0.0))

    def count(self, filter_text: str = "") -> int:
        """Count the runs that match a filter.

        Raises:
            FilterError: The filter can't be understood.
        """
        return self.count_within(filter_text).count

    def count_within(self, filter_text: str = "", budget_s: float | None = None) -> RunCount:
        """Count the runs that match a filter, as far as that can be done in some time; None counts all.

        Raises:
            FilterError: The filter can't be understood.
        """
        node = parse(filter_text, self.families)

        def question(connection: sqlite3.Connection) -> RunCount:
            found = RunIndex(connection).count(node, budget_s)
            return RunCount(found.count, found.is_complete)

        return self.ask(question, RunCount(0, True))

    def find(self, id_or_prefix: str, limit: int = 10) -> list[Run]:
        """Return the run of this id; or those whose id begins so, newest first, at most ``limit``."""

        def question(connection: sqlite3.Connection) -> list[Run]:
            exact = _runs(connection, "where run.id = ?", (id_or_prefix,))
            if exact or not id_or_prefix:
                return exact
            end = id_or_prefix[:-1] + chr(min(ord(id_or_prefix[-1]) + 1, 0x10FFFF))
            return _runs(connection, f"where run.id >= ? and run.id < ? {_LATEST} limit ?", (id_or_prefix, end, limit))

        return self.ask(question, [])

    def life(self, id_: str) -> list[tuple[float, str, str]]:
        """Return the transitions of a run in order of time: when, event (``received``), detail."""

        def question(connection: sqlite3.Connection) -> list[tuple[float, str, str]]:
            sql = "select events from life where key = (select key from run where id = ?)"
            row = connection.execute(sql, (id_,)).fetchone()
            return [(float(at), str(name), str(detail)) for at, name, detail in orjson.loads(row[0])] if row else []

        return self.ask(question, [])

    def version(self) -> int:
        """Return a number that grows with each change of runs; costs some microseconds."""
        return int(self.meta("version") or 0)

    def meta(self, name: str) -> Any:
        """Return what the recorder remembers under a name: ``cursor``, ``bad_events``, ``dropped_events`` …"""

        def question(connection: sqlite3.Connection) -> Any:
            row = connection.execute("select value from meta where name = ?", (name,)).fetchone()
            return row[0] if row else None

        return self.ask(question, None)

    def gaps(self, limit: int = 20) -> list[Gap]:
        """Return the latest gaps, newest first."""

        def question(connection: sqlite3.Connection) -> list[Gap]:
            rows = connection.execute("select at, missed, reason from gap order by at desc limit ?", (limit,))
            return [Gap(*row) for row in rows]

        return self.ask(question, [])


def load_runs(connection: sqlite3.Connection, keys: list[int]) -> list[Run]:
    """Return the runs of these rows, in this order."""
    return [run for key in keys for run in _runs(connection, "where run.key = ?", (key,))]


def _runs(connection: sqlite3.Connection, rest: str, parameters: tuple[Any, ...]) -> list[Run]:
    return [_run(row) for row in connection.execute(_RUN + rest, parameters)]


def _run(row: tuple[Any, ...]) -> Run:
    id_, task, state, queue, priority, worker, sent_at, received_at, started_at, finished_at, *counted = row[:13]
    args, kwargs, result, error, traceback, place, progress, root_id, parent_id, group_id, verdict = row[13:]
    waited_s, ran_s, retries = counted
    return Run(
        id=id_,
        task=task,
        state=STATES[int(state)],
        queue=queue,
        priority=priority,
        worker=worker,
        sent_at=_time(sent_at),
        received_at=_time(received_at),
        started_at=_time(started_at),
        finished_at=_time(finished_at),
        waited_s=waited_s,
        ran_s=ran_s,
        retries=retries,
        args=loads(args),
        kwargs=loads(kwargs),
        result=loads(result),
        error=error,
        traceback=traceback,
        progress=_progress(progress),
        root_id=root_id or id_,
        parent_id=parent_id,
        group_id=group_id,
        verdict=verdict,
        place=place,
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _progress(text: str | None) -> Progress | None:
    if text is None:
        return None
    done, total, note = text.split(" ", 2)
    return Progress(int(done), None if total == "null" else int(total), note)

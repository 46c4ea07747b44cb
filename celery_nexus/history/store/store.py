"""Writer of the history: many events at once, each batch with the cursor in one transaction."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from celery_nexus.history.encoding import COUNTERS, STATES
from celery_nexus.history.errors import BadEvent
from celery_nexus.history.index import IndexWriter, open_index_writer
from celery_nexus.history.store import rollups
from celery_nexus.history.store.aggregates import NO_NAME, Aggregates
from celery_nexus.history.store.change_log import ChangeLog
from celery_nexus.history.store.event_batch import Counts, decode_events
from celery_nexus.history.store.event_fields import Event, event_time
from celery_nexus.history.store.run_record import RunRecord
from celery_nexus.history.store.schema import connect, log_of, remove_log

MAX_CACHED = 10_000
"""Most runs kept in memory: most events follow their run's last one soon."""

REPEAT = "repeat:"
"""Beginning of the names under which :meth:`Store.meta` keeps submissions of an id that had been submitted before:
time and id follow, the value is 1 or 0: whether it was counted."""

_LOOKUP = 500
_STATE_NUMBER = {state: number for number, state in enumerate(STATES)}

_COLUMNS: tuple[str, ...] = (
    "key", "id", "task", "queue", "worker", "state", "state_at", "priority", "retries", "sent_at", "eta_at",
    "received_at", "started_at", "finished_at", "waited_s", "ran_s", "root_id", "parent_id", "group_id",
    "error_group", "progress", "verdict",
)  # fmt: skip
_NAMED = {"task": "task", "queue": "queue", "worker": "worker", "error_group": "error"}
_INSERT = f"insert into run ({', '.join(_COLUMNS)}) values ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
_UPDATE = f"update run set {', '.join(f'{name} = ?' for name in _COLUMNS[2:])} where key = ?"  # noqa: S608
_KEY = "select key from run where id = ?"
_AHEAD_S = 60
"""Lead from which a clock counts as wrong: its runs are not put before all others."""

Row = tuple[Any, ...]


class Store:
    """The history's one writer.

    Args:
        path: The SQLite file; made where there is none.

    Raises:
        HistoryError: A newer version wrote the file.
        sqlite3.DatabaseError: The file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = connect(path)
        self._aggregates = Aggregates(self._connection)
        self._index = open_index_writer(self._connection)
        self._changes = ChangeLog(self._connection)
        self._file, self._log = path.stat(), log_of(path)
        self._runs: OrderedDict[str, RunRecord] = OrderedDict()
        self._names: dict[tuple[str, str], int] = {}
        self._texts: dict[int, str] = {}
        self._new_keys: set[int] = set()
        self._is_careful = False
        self._counter = random.randrange(COUNTERS)  # noqa: S311  (two recorders in turn shall not collide)

    @property
    def connection(self) -> sqlite3.Connection:
        """The writer's connection, in autocommit between batches."""
        return self._connection

    @property
    def index(self) -> IndexWriter:
        """The writer's side of the index."""
        return self._index

    @property
    def is_in_place(self) -> bool:
        """Whether the file is still the one of its name: it may have been moved or removed since."""
        try:
            return os.path.samestat(self.path.stat(), self._file)
        except OSError:
            return False

    def close_moved_file(self) -> None:
        """Close a file that is not in its place any more: with all that its log holds, which stays behind."""
        with suppress(sqlite3.Error):
            self._connection.execute("pragma wal_checkpoint(truncate)")
        self.close()
        log = log_of(self.path)
        if log is not None and self._log is not None and os.path.samestat(log, self._log):
            remove_log(self.path)  # the next file would take it for its own

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def meta(self, name: str, default: Any = None) -> Any:
        """Return a remembered value."""
        row = self._connection.execute("select value from meta where name = ?", (name,)).fetchone()
        return default if row is None else row[0]

    def write(self, events: Iterable[Event | bytes], **meta: Any) -> Counts:
        """Take events in, with values to remember (the cursor), all or nothing.

        Args:
            events: Events as JSON or decoded; what is malformed is counted and skipped.
            meta: Values for :meth:`meta`.

        Raises:
            sqlite3.Error: Nothing was written.
        """
        batch = list(events)
        try:
            return self._write(batch, meta)
        except sqlite3.IntegrityError:  # a new run's key is taken: next to impossible, unless clocks stand still
            self._is_careful = True
            try:
                return self._write(batch, meta)
            finally:
                self._is_careful = False

    def _write(self, events: list[Event | bytes], meta: dict[str, Any]) -> Counts:
        counts = Counts()
        connection = self._connection
        connection.execute("begin immediate")
        try:
            changed = self._merge(decode_events(events, counts), counts)
            self._write_runs(changed)
            self._changes.note(run.key for run in changed.values())
            self._aggregates.write()
            self._count("bad_events", counts.bad)
            self._count("dropped_events", counts.dropped)
            if changed:
                self._count("version", 1)
            self._remember(meta)
            connection.execute("commit")
        except BaseException:
            self._forget()
            if connection.in_transaction:
                connection.execute("rollback")
            raise
        self._new_keys.clear()
        while len(self._runs) > MAX_CACHED:
            self._runs.popitem(last=False)
        self.tidy()
        return counts

    @property
    def run_count(self) -> int:
        """About how many runs the file has; counting them one by one would take long."""
        return self._index.run_count

    def tidy(self, *, is_idle: bool = False) -> bool:
        """Make segments of runs that are due; True when there may be more to do.

        What filters ask stays right without them, only slower: a disk that is full then is not the events' failure.
        """
        try:
            return self._index.step(is_idle=is_idle)
        except sqlite3.OperationalError:
            return False

    def roll_up(self) -> bool:
        """Sum up the periods that are over, for some milliseconds; True when there may be more to do."""
        return rollups.roll_up(self._connection)

    def set_verdicts(self, verdicts: dict[str, str | None]) -> None:
        """Set the verdicts of runs; None takes one away."""
        if not verdicts:
            return
        with self._connection:
            self._connection.execute("begin immediate")
            rows = [(verdict, id_) for id_, verdict in verdicts.items()]
            self._connection.executemany("update run set verdict = ? where id = ?", rows)
            keys = [row[0] for id_ in verdicts for row in self._connection.execute(_KEY, (id_,))]
            self._index.note(keys, 0)
            self._changes.note(keys)
            self._count("version", 1)
        for id_, verdict in verdicts.items():
            if id_ in self._runs:
                self._runs[id_].verdict = verdict

    def _forget(self) -> None:
        self._runs.clear()
        self._new_keys.clear()
        self._names.clear()
        self._texts.clear()
        self._aggregates.forget()
        self._index.recall()

    def _remember(self, values: dict[str, Any]) -> None:
        self._connection.executemany("insert or replace into meta values (?, ?)", values.items())

    def _count(self, name: str, more: int) -> None:
        if more:
            self._connection.execute(
                "insert into meta values (?, ?) on conflict (name) do update set value = value + excluded.value",
                (name, more),
            )

    def _merge(self, events: Sequence[Event], counts: Counts) -> dict[str, RunRecord]:
        runs = self._runs
        self._load({id_ for event in events if (id_ := event["uuid"]) not in runs})
        changed: dict[str, RunRecord] = {}
        for event in events:
            id_ = event["uuid"]
            run = runs.get(id_)
            if run is None:
                run = RunRecord(id_)
            try:
                if run.apply(event):
                    changed[id_] = run
                    if not run.key:
                        run.key = self._new_key(event_time(event))
                        runs[id_] = run
            except BadEvent:
                counts.bad += 1
        for id_ in changed:
            runs.move_to_end(id_)
        return changed

    def _new_key(self, at: float) -> int:
        self._counter = (self._counter + 1) % COUNTERS
        key = int(min(at, time.time() + _AHEAD_S) * 1_000_000) * COUNTERS + self._counter
        while key in self._new_keys or (self._is_careful and self._is_taken(key)):
            key += 1
        self._new_keys.add(key)
        return key

    def _is_taken(self, key: int) -> bool:
        return self._connection.execute("select 1 from run where key = ?", (key,)).fetchone() is not None

    def _load(self, ids: set[str]) -> None:
        missing = list(ids)
        for start in range(0, len(missing), _LOOKUP):
            part = missing[start : start + _LOOKUP]
            rows = self._connection.execute(
                f"select {', '.join('run.' + name for name in _COLUMNS)}, life.events,"  # noqa: S608
                " exists (select 1 from arguments where arguments.key = run.key)"
                f" from run left join life using (key) where id in ({', '.join('?' * len(part))})",
                part,
            )
            for row in rows:
                self._runs[row[1]] = self._record(row)

    def _record(self, row: tuple[Any, ...]) -> RunRecord:
        values: dict[str, Any] = dict(zip(_COLUMNS, row, strict=False))
        values["state"] = STATES[values["state"]]
        for name in _NAMED:
            values[name] = self._text(values[name])
        run = RunRecord(**values, life=orjson.loads(row[-2] or "[]"), has_arguments=bool(row[-1]))
        run.recall_uncounted()
        return run

    def _write_runs(self, changed: dict[str, RunRecord]) -> None:
        new: list[Row] = []
        known: list[Row] = []
        lives: list[Row] = []
        arguments: list[Row] = []
        endings: list[Row] = []
        plans: list[Row] = []
        repeats: list[Row] = []
        for run in changed.values():
            task, queue = self._number("task", run.task), self._number("queue", run.queue)
            (new if run.key in self._new_keys else known).append((
                run.key, run.id, task, queue, self._number("worker", run.worker), _STATE_NUMBER[run.state],
                run.state_at, run.priority, run.retries, run.sent_at, run.eta_at, run.received_at, run.started_at,
                run.finished_at, run.waited_s, run.ran_s, run.root_id, run.parent_id, run.group_id,
                self._number("error", run.error_group), run.progress, run.verdict,
            ))  # fmt: skip
            if run.repeats is not None:
                repeats += [(f"{REPEAT}{at:017.6f}:{run.id}", counted) for at, counted in run.repeats]
                run.repeats = None
            lives.append((run.key, orjson.dumps(run.life).decode()))
            if run.arguments is not None:
                arguments.append((run.key, *run.arguments))
                run.arguments = None
            if run.ahead is not None:
                plans.append((run.key, run.ahead))
                run.ahead = None
            if run.ending is not None:
                endings.append((run.key, *run.ending))
                run.ending = None
            if task is not None:
                for state, at in run.done:
                    self._aggregates.add(state, at, task, queue or NO_NAME, run.waited_s, run.ran_s)
                run.done.clear()
        connection = self._connection
        connection.executemany(_INSERT, new)
        connection.executemany(_UPDATE, [(*row[2:], row[0]) for row in known])
        connection.executemany("insert or replace into life values (?, ?)", lives)
        connection.executemany("insert or replace into arguments values (?, ?, ?)", arguments)
        connection.executemany("insert or replace into canvas values (?, ?)", plans)
        connection.executemany("insert or replace into ending values (?, ?, ?, ?, ?)", endings)
        connection.executemany("insert or replace into meta values (?, ?)", repeats)
        self._index.note((run.key for run in changed.values()), len(new))

    def _number(self, kind: str, text: str | None) -> int | None:
        if text is None:
            return None
        number = self._names.get((kind, text))
        if number is None:
            select = "select id from name where kind = ? and text = ?"
            row = self._connection.execute(select, (kind, text)).fetchone()
            if row is None:
                cursor = self._connection.execute("insert into name (kind, text) values (?, ?)", (kind, text))
                number = int(cursor.lastrowid or 0)
            else:
                number = int(row[0])
            self._names[kind, text] = number
            self._texts[number] = text
        return number

    def _text(self, number: int | None) -> str | None:
        if number is None:
            return None
        if number not in self._texts:
            self._texts[number] = self._connection.execute("select text from name where id = ?", (number,)).fetchone()[
                0
            ]
        return self._texts[number]

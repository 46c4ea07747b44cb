"""Recorder of the event stream, the program ``recorder``: ``python -m celery_nexus.history.recorder``.

Reads the stream from its cursor, which is in the same transaction as what was read: killed at any moment, it
loses nothing and doubles nothing. It waits for a broker that is away and for a disk that is full, rebuilds a
damaged file from the stream, and ends on SIGTERM after the batch at hand.
"""

from __future__ import annotations

import fcntl
import gc
import logging
import os
import signal
import sqlite3
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from celery_nexus.connection.keys import EVENT_FIELD, EVENT_STREAM, RECORDER_TROUBLE
from celery_nexus.connection.redis_client import open_redis
from celery_nexus.history.errors import AlreadyRecording
from celery_nexus.history.marks import MarksFile
from celery_nexus.history.places import history_of
from celery_nexus.history.recorder import count_start, results
from celery_nexus.history.recorder.new_code import mark_new_code
from celery_nexus.history.recorder.reconciliation import Reconciler
from celery_nexus.history.recorder.status import BEAT_EVERY_S, report_alive, report_trouble
from celery_nexus.history.store import damage
from celery_nexus.history.store.event_fields import Event
from celery_nexus.history.store.retention import Retention
from celery_nexus.history.store.schema import lock_path, set_aside
from celery_nexus.history.store.store import Store
from celery_nexus.parent import end_with_supervisor
from celery_nexus.privacy.program_log import begin_log

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger("nexus.recorder")

BATCH = 2_000
BATCH_BYTES = 8_000_000
"""Largest batch: all of it is in memory at once."""

BLOCK_MS = 1_000
REST_S = 0.05
"""Pause after a batch that was not full: each batch costs a transaction, however few events it has."""

RETRY_S = 1.0
LOOK_EVERY_S = 1.0
START = "0-0"

GC_THRESHOLD = (100_000, 50, 100)
"""Threshold of the garbage collector: the runs in memory are no garbage, and scanning them costs a tenth of all work.
"""


class Recorder:
    """Copies one stream into one file.

    Args:
        client: Redis; its socket timeout must be above :data:`BLOCK_MS`.
        path: The history's file.
        prefix: What the names of the application's keys begin with.
        reconciler: Looks at open runs; by default one that knows the lists of runs that it finds.
        retention: What is kept, and for how long.
    """

    def __init__(
        self,
        client: redis.Redis,
        path: Path,
        prefix: str = "",
        retention: Retention | None = None,
        reconciler: Reconciler | None = None,
    ) -> None:
        self._client = client
        self._path = path
        self._prefix = prefix
        self._stream = prefix + EVENT_STREAM
        self._retention = retention or Retention()
        self._reconciler = reconciler or Reconciler(client, prefix=prefix)
        self._lock = hold_lock(path)
        self._marks = MarksFile(path)
        self._store: Store | None = None
        self._stopping = threading.Event()
        self._count = BATCH // 10
        self._is_in_trouble = True  # what was told before it began is over with its first step
        self._reconciled_at = 0.0
        self._beat_at = -BEAT_EVERY_S

    def stop(self) -> None:
        """End after the batch at hand."""
        self._stopping.set()

    def run(self) -> None:
        """Record until :meth:`stop`."""
        try:
            while not self._stopping.is_set():
                self._guarded_step()
            self._finish()
        finally:
            if self._store is not None:
                self._store.close()
            self._lock.close()

    def _finish(self) -> None:
        """Do what is left to do at the end; the stream keeps what was not read."""

    def _guarded_step(self) -> None:
        try:
            most = self._count
            if 0 < self.step() < most:
                self._stopping.wait(REST_S)
            if self._is_in_trouble:
                self._client.delete(self._prefix + RECORDER_TROUBLE)
                self._is_in_trouble = False
        except (redis.RedisError, OSError) as error:
            self._wait("the broker does not answer", error)
        except sqlite3.OperationalError as error:
            # A full disk, a folder that can't be written: both can pass.
            self._wait("the history can't be written", error)
        except sqlite3.DatabaseError as error:
            self._rebuild(error)

    def _wait(self, what: str, error: Exception) -> None:
        log.warning("%s: %s; trying again", what, error)
        report_trouble(self._client, self._prefix, f"{what}: {error}")
        self._is_in_trouble = True
        self._stopping.wait(RETRY_S)

    def _rebuild(self, error: sqlite3.DatabaseError) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
        aside = set_aside(self._path)
        log.error("the history is damaged (%s): set aside as %s, building a new one", error, aside)
        self._store = Store(self._path)
        _note_gap(self._store, "", START, None, f"the file was damaged ({error}); it is kept as {aside.name}")

    def step(self) -> int:
        """Record one batch, or wait a second for one; returns how many events it had."""
        store = self._open()
        cursor = str(store.meta("cursor", START))
        entries = self._read(store, cursor)
        if not entries:
            self._touch()
            store.tidy(is_idle=True)
            self._look_after(store)
            entries = self._entries(self._client.xread({self._stream: cursor}, count=self._count, block=BLOCK_MS))
        if entries:
            self._write(store, entries)
            self._look_after(store)
        self._beat(store)
        return len(entries)

    def _open(self) -> Store:
        """Return the history, made anew when its file was moved or removed: what is there now is what people read."""
        if self._store is not None and not self._store.is_in_place:
            log.warning("%s was moved or removed: beginning a new history there", self._path)
            self._store.close_moved_file()
            self._store = None
        if self._store is None:
            self._store = Store(self._path)
        return self._store

    def _beat(self, store: Store) -> None:
        """Let who looks at the history know that it is written, and how far."""
        if time.monotonic() - self._beat_at >= BEAT_EVERY_S:
            report_alive(self._client, self._prefix, str(store.meta("cursor", START)))
            self._beat_at = time.monotonic()

    def _look_after(self, store: Store) -> None:
        """Prune, and look at open runs, a little at a time, so that neither waits for an idle moment."""
        self._retention.step(store)
        if time.monotonic() - self._reconciled_at >= LOOK_EVERY_S:
            self._look_for_damage()
            self._reconciler.step(store)
            count_start.note(self._client, store, str(store.meta("cursor", START)), self._prefix)
            store.roll_up()
            self._reconciled_at = time.monotonic()

    def _look_for_damage(self) -> None:
        """Check the file when a reader found it damaged.

        Raises:
            sqlite3.DatabaseError: It is.
        """
        if damage.take_report(self._path) and (found := damage.find(self._path)):
            raise sqlite3.DatabaseError(found)

    def _read(self, store: Store, cursor: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """Read what is there, and look whether the stream was cut or made anew behind the cursor."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.xinfo_stream(self._stream)
        pipeline.xread({self._stream: cursor}, count=self._count)
        info, reply = pipeline.execute(raise_on_error=False)
        if isinstance(reply, Exception):
            raise reply
        if isinstance(info, redis.ResponseError):  # no stream yet
            return []
        if cursor != START and _order(info["last-generated-id"]) < _order(cursor):
            _note_gap(store, cursor, START, None, "the stream was made anew")
            store.write((), cursor=START, offset=0)
            return self._read(store, START)
        self._look_for_gap(store, cursor, info)
        return self._entries(reply)

    def _look_for_gap(self, store: Store, cursor: str, info: dict[str, Any]) -> None:
        trimmed = int(info.get("entries-added", 0)) - int(info["length"])
        offset = store.meta("offset")
        if offset is None or cursor == START:
            store.write((), offset=trimmed)
        elif trimmed > offset:
            first = info["first-entry"]
            _note_gap(store, cursor, first[0].decode() if first else "", trimmed - offset, "the stream was cut")
            log.warning("%d events were cut from the stream before they were recorded", trimmed - offset)
            store.write((), offset=trimmed)

    @staticmethod
    def _entries(reply: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
        return reply[0][1] if reply else []

    def _write(self, store: Store, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        events = _decode_entries(entries)
        results.complete(self._client, (event for event in events if isinstance(event, dict)))
        mark_new_code(store, self._marks, events)
        offset = int(store.meta("offset", 0)) + len(entries)
        store.write(events, cursor=entries[-1][0].decode(), offset=offset)
        if len(entries) < self._count:
            self._touch()
        size = sum(len(fields.get(EVENT_FIELD, b"")) for _, fields in entries if fields) // len(entries)
        self._count = max(10, min(BATCH, 2 * self._count, BATCH_BYTES // max(1, size)))

    def _touch(self) -> None:
        """Say that everything is recorded as of now: by the lock file's time, which costs no write to the history."""
        os.utime(self._lock.fileno())


def _decode_entries(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> list[Event | bytes]:
    """Decode the events of a batch; what is none stays as it is."""
    events: list[Any] = []
    for _, fields in entries:
        data = fields.get(EVENT_FIELD, b"") if fields else b""
        try:
            event: Any = orjson.loads(data)
        except orjson.JSONDecodeError:
            event = data
        events.append(event if isinstance(event, dict) else data)
    return events


def _order(entry_id: bytes | str) -> tuple[int, int]:
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    milliseconds, _, number = text.partition("-")
    return int(milliseconds), int(number or 0)


def _note_gap(store: Store, after: str, before: str, missed: int | None, reason: str) -> None:
    store.connection.execute("insert into gap values (?, ?, ?, ?, ?)", (time.time(), after, before, missed, reason))


def hold_lock(path: Path) -> IO[bytes]:
    """Become the one writer of a history until the file that is returned is closed.

    Raises:
        AlreadyRecording: Somebody else is.
        OSError: The folder can't be made or written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.fdopen(os.open(lock_path(path), os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise AlreadyRecording(f"another recorder writes {path}") from None
    return file


def _begin(app: Celery, client: redis.Redis) -> Recorder:
    """Make the recorder; a folder that can't be written is waited for."""
    from celery_nexus.delivery.layout import layout_of
    from celery_nexus.installation import prefix_of

    path, prefix = history_of(app), prefix_of(app)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        try:
            reconciler = Reconciler(client, prefix=prefix, queues=app.amqp.queues, layout=layout_of(app))
            return Recorder(client, path, prefix, reconciler=reconciler)
        except OSError as error:
            log.warning("the history can't be written: %s; trying again", error)
            report_trouble(client, prefix, f"the history can't be written: {error}")
            time.sleep(RETRY_S)


def main() -> None:
    """Run the program."""
    # Celery, which a recorder of somebody's events does without (pubsub)
    from celery_nexus.application_import import application_of_arguments
    from celery_nexus.installation import broker_of

    begin_log()
    end_with_supervisor()
    app = application_of_arguments("recorder", "Write the events of an application into its history.")
    broker = broker_of(app)
    client = open_redis(
        broker.redis_py,
        socket_timeout=BLOCK_MS / 1000 + 5,
        socket_connect_timeout=5,
        retry=Retry(NoBackoff(), 0),
    )
    recorder = _begin(app, client)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: recorder.stop())
    gc.set_threshold(*GC_THRESHOLD)
    log.info("recording %s into %s", broker.masked, history_of(app))
    recorder.run()
    log.info("stopped")

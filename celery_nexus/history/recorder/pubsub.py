"""Recorder of any Celery application on Redis, from pub/sub: ``python -m celery_nexus.history.recorder.pubsub``.

For brokers without our event stream. It is a child of the dashboard (or of ``nexus-tui history record``): what to
record comes as one line of JSON on standard input, which keeps passwords out of the list of processes; when the
input ends, the parent is gone, and so does the child.
"""

from __future__ import annotations

import gc
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import hiredis
import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from celery_nexus.connection.redis_client import open_redis
from celery_nexus.history.errors import AlreadyRecording, BadEvent, HistoryError
from celery_nexus.history.query.history import SILENT_WORKERS
from celery_nexus.history.recorder.nodes import Nodes
from celery_nexus.history.recorder.reconciliation import Reconciler
from celery_nexus.history.recorder.recorder import GC_THRESHOLD, Recorder
from celery_nexus.history.recorder.stock_events import events_of
from celery_nexus.history.recorder.subscription import BURST_S, Broken, Drain, Spool
from celery_nexus.history.store.event_fields import Event
from celery_nexus.history.store.retention import Retention
from celery_nexus.history.store.schema import lock_path
from celery_nexus.history.store.store import Store
from celery_nexus.privacy.program_log import begin_log

log = logging.getLogger("nexus.recorder")

EVENT_EXCHANGE = "celeryev"
BATCH = 1_000
WAIT_S = 0.5
GATHER_S = 0.05
"""Time for which a few events wait for more, to be written together."""

JUDGE_AFTER_S = 30.0
"""Time from the start until every living worker was heard; heartbeats come every 2 s."""

SWITCH_S = 0.000_5
"""Switch interval of the interpreter: the longest wait of the draining thread after each chunk of 200 kB; Python's
default of 5 ms would make it slower than a burst.
"""

LINGER_S = 5.0
"""Time at the end for recording what was received."""

LOCK_ATTEMPTS = 5
UNREADABLE = "unreadable"


def channel_patterns(database: int, prefix: str = "") -> tuple[str, ...]:
    """Name the channels on which an application's events are published, as ``PSUBSCRIBE`` takes it.

    See ``Channel._get_publish_topic`` in ``kombu/transport/redis.py``: prefix, ``/database.``, exchange, ``/`` and
    the routing key, which is left out with ``fanout_patterns=False``. With ``fanout_prefix=False`` the database is
    not named: events of all databases of the server are on the same channels, see :class:`Nodes`.
    """
    beginning = re.sub(r"([\[\]*?^\\])", r"\\\1", prefix)
    return f"{beginning}/{database}.{EVENT_EXCHANGE}*", f"{beginning}{EVENT_EXCHANGE}*"


@dataclass
class _Activity:
    """What was heard of one worker: seconds of our clock, and of the one that nobody sets."""

    timestamp: float = 0.0
    clock_s: float = 0.0
    started_at: float | None = None
    processed: int | None = None
    beats_since_work: int | None = None
    has_told: bool = False  # of a run, since its last heartbeat


@dataclass
class WorkerActivity:
    """Which workers live, and which of them do work and tell nothing about it."""

    workers: dict[str, _Activity] = field(default_factory=lambda: cast("dict[str, _Activity]", {}))

    def note(self, event: Event, now: float) -> None:
        """Take an event of a worker or a run in."""
        name, kind = event.get("hostname"), event["type"]
        if not isinstance(name, str) or kind == "task-sent":
            return
        if kind == "worker-offline":
            self.workers.pop(name, None)
            return
        heard = self.workers.setdefault(name, _Activity())
        heard.timestamp, heard.clock_s = now, time.monotonic()
        if kind.startswith("task-"):
            heard.beats_since_work, heard.has_told = None, True
        elif kind == "worker-online":
            heard.started_at, heard.processed, heard.beats_since_work = now, 0, None
        elif isinstance(processed := event.get("processed"), int):
            # What it did before we listened proves nothing, and events of runs may come just behind a heartbeat;
            # those that came before it are of the runs that it counts, which may be long and quiet from then on.
            if heard.beats_since_work is not None:
                heard.beats_since_work += 1
            elif heard.processed is not None and processed > heard.processed and not heard.has_told:
                heard.beats_since_work = 0
            heard.processed, heard.has_told = processed, False

    def heartbeats(self) -> dict[str, dict[str, Any]]:
        """Give each worker's heartbeat in the form that the stack's workers write."""
        now = time.monotonic()
        return {
            name: {"timestamp": heard.timestamp, "started_at": heard.started_at, "silent_s": now - heard.clock_s}
            for name, heard in self.workers.items()
        }

    def list_silent(self) -> list[str]:
        """Name the workers that began runs and said nothing about them for two heartbeats: they send no task events."""
        return sorted(name for name, heard in self.workers.items() if (heard.beats_since_work or 0) >= 2)


class PubSubRecorder(Recorder):
    """Copies what is published into one file.

    Args:
        client: Redis.
        path: The history's file.
        database: The application's database number.
        prefix: Its ``global_keyprefix``.
        retention: What is kept, and for how long.
        patterns: Of its channels; None for those of a stock application.
        shared: Channels without a database, on which those of all databases are heard.
        nodes: Keys that name its workers; see :class:`Nodes`.
    """

    def __init__(
        self,
        client: redis.Redis,
        path: Path,
        database: int = 0,
        prefix: str = "",
        retention: Retention | None = None,
        *,
        patterns: Sequence[str] | None = None,
        shared: Sequence[str] | None = None,
        nodes: Sequence[str] | None = None,
    ) -> None:
        existed = path.exists()
        super().__init__(client, path, prefix, retention)
        self.hearing = WorkerActivity()
        self._reconciler = Reconciler(client, heartbeats=self.hearing.heartbeats, prefix=prefix)
        self._spool = Spool(path.parent)
        self._drain = Drain(client, tuple(patterns or channel_patterns(database, prefix)), self._spool)
        self._shared = tuple(name.encode() for name in shared or (f"{prefix}{EVENT_EXCHANGE}",))
        self._nodes = Nodes(client, database, nodes or (f"{prefix}_kombu.binding.celery.pidbox",))
        self._reader = hiredis.Reader()
        self._pending: list[Event | None] = []
        self._unreadable = ""
        self._breaks: list[Broken] = []
        if existed:
            self._breaks.append(Broken(lock_path(path).stat().st_mtime, "nobody recorded"))
        self._started = time.monotonic()
        self._told = ""

    @property
    def is_listening(self) -> bool:
        """Whether the subscription stands."""
        return self._drain.subscribed.is_set()

    def run(self) -> None:
        """Record until :meth:`stop`, then what was received before."""
        self._drain.start()
        try:
            super().run()
        finally:
            self._drain.stop()
            self._spool.close()

    def _finish(self) -> None:
        self._drain.stop()
        until = time.monotonic() + LINGER_S
        while (self._pending or self._spool.waiting_bytes) and time.monotonic() < until:
            self._guarded_step()

    def step(self) -> int:
        """Record what has come, or wait half a second for it; returns how many events it had."""
        store = self._open()
        self._gather()
        count = len(self._pending)
        if count or self._breaks or self._news():
            self._write_pending(store)
        if not self._spool.waiting_bytes:
            if self.is_listening:
                self._touch()
            self._retention.step(store)
            if time.monotonic() - self._started > JUDGE_AFTER_S and self.is_listening:
                self._reconciler.step(store)
        return count

    def _gather(self) -> None:
        wait_s = WAIT_S
        while len(self._pending) < BATCH:
            item = self._spool.take(wait_s)
            if item is None:
                return
            while self._drain.is_in_burst and not self._stopping.is_set():
                time.sleep(BURST_S / 4)
            if isinstance(item, Broken):
                self._breaks.append(item)
                self._reader = hiredis.Reader()
            else:
                self._feed(item)
            wait_s = 0.0 if len(self._pending) >= BATCH // 10 else GATHER_S
            if self._stopping.is_set():
                wait_s = 0.0

    def _feed(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            if isinstance(reply, list) and reply and reply[0] == b"pmessage":
                self._take(cast("bytes", reply[3]), is_shared=self._is_shared(cast("bytes", reply[2])))

    def _is_shared(self, channel: bytes) -> bool:
        return any(channel == name or channel.startswith(name + b"/") for name in self._shared)

    def _take(self, message: bytes, *, is_shared: bool) -> None:
        try:
            events = events_of(message)
        except BadEvent as error:
            self._unreadable = str(error)
            self._pending.append(None)
            return
        if is_shared:  # of whichever database: only what our workers say is known to be of this one
            events = [event for event in events if event is not None and self._nodes.has(event.get("hostname"))]
        now = time.time()
        for event in events:
            if event is not None:
                self.hearing.note(event, now)
        self._pending += events

    def _news(self) -> bool:
        return self._state() != self._told

    def _state(self) -> str:
        return orjson.dumps([self.hearing.list_silent(), self._unreadable]).decode()

    def _write_pending(self, store: Store) -> None:
        state = self._state()
        for broken in self._breaks:
            row = (time.time(), f"{broken.at:.3f}", f"{time.time():.3f}", None, broken.reason)
            store.connection.execute("insert into gap values (?, ?, ?, ?, ?)", row)
        self._breaks.clear()
        events: list[Event | bytes] = [b"" if event is None else event for event in self._pending]
        silent = orjson.dumps(self.hearing.list_silent()).decode()
        store.write(events, **{SILENT_WORKERS: silent, UNREADABLE: self._unreadable})
        self._pending.clear()
        self._told = state


def main() -> None:
    """Run as a child: read what to record from standard input, and end with it."""
    begin_log()
    told = orjson.loads(sys.stdin.buffer.readline())
    client = open_redis(str(told["url"]), socket_timeout=10, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0))
    path = Path(str(told["path"]))
    recorder = _recorder(client, path, told)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: recorder.stop())
    threading.Thread(target=_end_with_parent, args=(recorder,), name="parent", daemon=True).start()
    gc.set_threshold(*GC_THRESHOLD)
    sys.setswitchinterval(SWITCH_S)
    log.info("recording %s into %s", told["place"], path)
    recorder.run()
    log.info("stopped")


def _recorder(client: redis.Redis, path: Path, told: dict[str, Any]) -> Recorder:
    database, prefix = int(told["database"]), str(told["prefix"])
    more = {name: told.get(name) for name in ("patterns", "shared", "nodes")}
    for _ in range(LOCK_ATTEMPTS - 1):
        try:
            return PubSubRecorder(client, path, database, prefix, **more)
        except AlreadyRecording:
            time.sleep(0.1)  # perhaps somebody only looked whether it is locked
    return PubSubRecorder(client, path, database, prefix, **more)


def _end_with_parent(recorder: Recorder) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    recorder.stop()


if __name__ == "__main__":
    try:
        main()
    except (HistoryError, OSError, ValueError, KeyError) as problem:
        sys.exit(f"recorder: {problem}")

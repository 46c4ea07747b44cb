"""Queue observer: the state of every queue in one round trip, and the history behind rates and sparklines."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import redis
from redis.exceptions import NoPermissionError, NoScriptError

from celery_nexus.broker.read.ages import Ages
from celery_nexus.broker.read.flights import Flight, Routes, flights_of
from celery_nexus.broker.read.paused import read_paused_workers
from celery_nexus.broker.read.reliable import Reliable
from celery_nexus.broker.wire.scripts import OBSERVE, Script
from celery_nexus.connection.keys import PAUSED_HASH, SENT_AT_HEADER, WORKER_HASH
from celery_nexus.delivery.layout import Layout, escape_pattern
from celery_nexus.rows.broker import QueueStats

MOST_UNACKED = 2000
MOST_UNACKED_BYTES = 32 * 1024 * 1024
"""Most messages, and bytes, by which messages in flight are counted; beyond, their number is unknown."""

SCAN_STEP = 2000
FIRST_SCAN_S = 0.25
LOOK_EVERY_S = 5.0
"""Interval between searches for bound queues."""

SPARK_EVERY_S = 5.0
SPARK_LENGTH = 60
RATE_WINDOW_S = 15.0
MIN_RATE_WINDOW_S = 2.0

_MAILBOX = ".pidbox"


@dataclass
class Memory:
    """What is kept of one queue between readings."""

    sampled_at: float = -math.inf
    spark: deque[int] = field(default_factory=lambda: deque[int](maxlen=SPARK_LENGTH))
    takers: tuple[str, ...] | None = None
    readings: deque[tuple[float, int, int]] = field(default_factory=lambda: deque[tuple[float, int, int]]())


@dataclass(frozen=True, slots=True)
class Taken:
    """Messages that a queue's workers took since they started."""

    workers: tuple[str, ...]
    count: int


class Observer:
    """Reads all queues of one application. Not thread-safe: the source that owns it locks.

    Attributes:
        missing: What the broker does not let its user read, as far as was noticed.
        is_flight_hidden: Whether what is in flight lies where it can't be seen, so that it is unknown.
    """

    def __init__(self, client: redis.Redis, layout: Layout, queues: Sequence[str], declared: Sequence[str]) -> None:
        self._client = client
        self._layout = layout
        self._observe = Script(client, OBSERVE)
        self._named = tuple(queues)
        self._declared = frozenset(declared)
        self._bindings: set[str] = set()
        self._bound: dict[str, set[tuple[str, str]]] = {}
        self._cursor = 0
        self._scanned = False
        self._looked_at = -math.inf
        self._paused: dict[str, tuple[str, ...]] = {}
        self._orphans: frozenset[str] = frozenset()
        self._reliable = Reliable(layout)
        self.ages = Ages()
        self.missing = ""
        self.is_flight_hidden = False
        self._memory: dict[str, Memory] = {}
        self._lists: dict[str, tuple[str, ...]] = {}

    def adopt(self, layout: Layout) -> None:
        """Go on with what is now known of the layout; what was observed of queues is kept."""
        self._layout = layout
        self._lists.clear()
        self._bindings.clear()
        self._bound.clear()
        self._cursor, self._scanned, self._looked_at = 0, False, -math.inf
        self._reliable = Reliable(layout)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the known queues: the named ones in their order, then the discovered ones."""
        return self._named + tuple(sorted(set(self._bound) - set(self._named)))

    @property
    def routes(self) -> Routes:
        """Where messages go by exchange and routing key, as far as bindings were seen."""
        return Routes(self._bound)

    @property
    def known(self) -> tuple[str, ...]:
        """Names of the known queues, and of those that workers named last."""
        return (*self.names, *sorted(self._orphans.difference(self.names)))

    def read(self, consumers: Mapping[str, tuple[str, ...]] | None) -> tuple[QueueStats, ...]:
        """Read every queue, with what the workers in ``consumers`` are known to take."""
        self.discover_once()
        consumed = [name for name in consumers or () if name not in self.names]
        self._orphans = frozenset(consumed)
        names = (*self.names, *sorted(consumed))
        observed, heartbeats = self._round_trip(names)
        lengths, times, held, old = observed
        flight = None if held is None or self.is_flight_hidden else flights_of(held, old, self.routes)
        processed = _processed(heartbeats)
        now = time.time()
        width = len(self._layout.steps)
        rows: list[QueueStats] = []
        for index, name in enumerate(names):
            part = slice(index * width, (index + 1) * width)
            by_step = [max(0, int(length)) for length in lengths[part]]
            took = count_taken(name, consumers, processed)
            rows.append(self._row(name, by_step, times[part], flight, consumers, took, now))
        return tuple(rows)

    def discover_once(self) -> None:
        """Look for bound queues, unless that was done."""
        if not self._scanned:
            self.discover()

    def discover(self) -> None:
        """Look for queues that are bound on the broker, for a bounded time; later readings go on where it stopped."""
        until = time.monotonic() + FIRST_SCAN_S
        while True:
            pipeline = self._client.pipeline(transaction=False)
            self._add_scan(pipeline)
            self._take_scan(pipeline.execute(raise_on_error=False))
            if self._cursor == 0 or time.monotonic() > until:
                break
        if self._bindings:
            pipeline = self._client.pipeline(transaction=False)
            keys = self._add_bindings(pipeline)
            self._take_bindings(keys, pipeline.execute(raise_on_error=False))
        self._scanned = True

    def _round_trip(self, names: Sequence[str]) -> tuple[Any, dict[bytes, bytes]]:
        for attempt in range(2):
            pipeline = self._client.pipeline(transaction=False)
            lists = [key for name in names for key in self._lists_of(name)]
            arguments = [SENT_AT_HEADER, MOST_UNACKED, MOST_UNACKED_BYTES, repr(time.time())]
            self._observe.queue(pipeline, [self._layout.unacked, *lists], arguments)
            pipeline.hgetall(self._layout.add_prefix(WORKER_HASH))
            pipeline.hgetall(self._layout.add_prefix(PAUSED_HASH))
            self._reliable.add(pipeline, names)
            # Queues come and go seldom: looking for them at each reading was a third of its cost.
            looks = self._cursor != 0 or time.monotonic() - self._looked_at >= LOOK_EVERY_S
            keys: list[str] = []
            if looks:
                self._add_scan(pipeline)
                keys = self._add_bindings(pipeline)
            replies: list[Any] = pipeline.execute(raise_on_error=False)
            if isinstance(replies[0], NoScriptError) and attempt == 0:
                self._observe.load()
                continue
            if isinstance(replies[0], NoPermissionError):
                replies[0] = self._without_scripts(lists)
            if isinstance(replies[0], Exception):
                raise replies[0]
            heartbeats = {} if isinstance(replies[1], Exception) else cast("dict[bytes, bytes]", replies[1])
            paused = {} if isinstance(replies[2], Exception) else cast("dict[bytes, bytes]", replies[2])
            self._paused = {_name(name): read_paused_workers(told) for name, told in paused.items()}
            rest = self._reliable.take(replies[3:], names)
            if self._reliable.unasked:  # at the first reading, and when workers come
                self._reliable.complete(self._client.pipeline(transaction=False))
            if looks:
                self._looked_at = time.monotonic()
                self._take_scan(rest[:1])
                self._take_bindings(keys, rest[1:])
            return replies[0], heartbeats
        raise NoScriptError("the broker forgets its scripts")

    def _lists_of(self, name: str) -> tuple[str, ...]:
        found = self._lists.get(name)
        if found is None:
            found = self._lists[name] = self._layout.keys(name)
        return found

    def _without_scripts(self, lists: list[str]) -> Any:
        """Read what a user may read who may not run scripts: the lengths; ages and what is in flight are unknown."""
        self.missing = "its user may not run scripts (EVALSHA): ages and what is in flight are unknown"
        pipeline = self._client.pipeline(transaction=False)
        for key in lists:
            pipeline.llen(key)
        lengths: list[Any] = pipeline.execute(raise_on_error=False)
        refused = [length for length in lengths if isinstance(length, NoPermissionError)]
        if refused and len(refused) == len(lists):
            return refused[0]
        known = [-1 if isinstance(length, Exception) else int(length) for length in lengths]
        return [known, [[] if length <= 0 else [b""] for length in known], None, []]

    def _add_scan(self, pipeline: Any) -> None:
        pipeline.scan(self._cursor, match=escape_pattern(self._layout.bindings) + "*", count=SCAN_STEP)

    def _take_scan(self, replies: list[Any]) -> None:
        if isinstance(replies[0], Exception):
            if not isinstance(replies[0], NoPermissionError):
                raise replies[0]
            self._cursor = 0
            self.missing = self.missing or "its user may not SCAN: only the queues of the registry are known"
            return
        self._cursor, found = replies[0]
        for raw in found:
            key = _name(raw)
            exchange = key.removeprefix(self._layout.bindings)
            if exchange not in self._layout.events and not exchange.endswith(_MAILBOX):
                self._bindings.add(key)

    def _add_bindings(self, pipeline: Any) -> list[str]:
        keys = sorted(self._bindings)
        for key in keys:
            pipeline.smembers(key)
        return keys

    def _take_bindings(self, keys: list[str], replies: list[Any]) -> None:
        self._bound = {}
        for key, members in zip(keys, replies, strict=True):
            if isinstance(members, Exception) or not members:
                self._bindings.discard(key)
                continue
            exchange = key.removeprefix(self._layout.bindings)
            for member in members:
                parts = _name(member).split(self._layout.separator)
                if len(parts) >= 3 and parts[-1]:
                    self._bound.setdefault(parts[-1], set()).add((exchange, parts[0]))

    def _row(
        self,
        name: str,
        by_step: list[int],
        times: list[list[bytes]],
        flights: dict[str, Flight] | None,
        consumers: Mapping[str, tuple[str, ...]] | None,
        took: Taken | None,
        now: float,
    ) -> QueueStats:
        waiting = sum(by_step)
        flight = None if flights is None else flights.get(name) or Flight()
        is_blind = flight is None or flight.is_blind
        memory = self._memory.setdefault(name, Memory())
        oldest_age_s, is_at_least = self.ages.find_oldest(times)
        if now - memory.sampled_at >= SPARK_EVERY_S:
            memory.sampled_at = now
            memory.spark.append(waiting)
        # Who asks without saying who consumes learns no rates, and must not end those of who does.
        in_per_s, out_per_s = (None, None) if consumers is None else rates(memory, now, waiting, took)
        return QueueStats(
            name=name,
            waiting=waiting,
            by_priority=self._layout.spread_over_priorities(by_step),
            in_flight=None if flight is None or is_blind else flight.running + self._reliable.count_in_flight(name),
            delayed=_sum(self._reliable.count_delayed(name), flight.delayed if flight and not is_blind else None),
            oldest_age_s=oldest_age_s,
            oldest_is_at_least=is_at_least,
            in_per_s=in_per_s,
            out_per_s=out_per_s,
            consumers=None if consumers is None else tuple(consumers.get(name, ())),
            paused=name in self._paused,
            declared=name in self._declared if self._declared else None,
            history=tuple(memory.spark),
            next_due_at=_first_due(self._reliable.find_next_due(name), flight and flight.next_due),
            is_orphan=name in self._orphans,
            paused_workers=self._paused.get(name, ()),
        )


def rates(memory: Memory, now: float, waiting: int, took: Taken | None) -> tuple[float | None, float | None]:
    """In and out per second over the last readings: out from its workers' counters, in from out and the change."""
    readings = memory.readings
    if took is None or took.workers != memory.takers:
        readings.clear()
    memory.takers = took.workers if took else None
    if took is None:
        return None, None
    if readings and took.count < readings[-1][2]:  # a worker was restarted and counts from 0 again
        readings.clear()
    readings.append((now, waiting, took.count))
    while len(readings) > 2 and now - readings[1][0] >= RATE_WINDOW_S:
        readings.popleft()
    then, waited, had_taken = readings[0]
    elapsed = now - then
    if elapsed < MIN_RATE_WINDOW_S:
        return None, None
    out = (took.count - had_taken) / elapsed
    return max(0.0, (waiting - waited) / elapsed + out), out


def count_taken(name: str, consumers: Mapping[str, tuple[str, ...]] | None, processed: dict[str, int]) -> Taken | None:
    """Sum what its workers ever took; None unless each of them is known and serves this queue alone."""
    if consumers is None:
        return None
    mine = tuple(sorted(consumers.get(name, ())))
    shared = {worker for queue, workers in consumers.items() if queue != name for worker in workers}
    if any(worker not in processed or worker in shared for worker in mine):
        return None
    return Taken(mine, sum(processed[worker] for worker in mine))


def _processed(heartbeats: dict[bytes, bytes]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, raw in heartbeats.items():
        try:
            beat = json.loads(raw)
        except (ValueError, RecursionError):
            continue
        count = cast("dict[str, Any]", beat).get("processed") if isinstance(beat, dict) else None
        if isinstance(count, int):
            counts[_name(name)] = count
    return counts


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)


def _first_due(*times: float | None) -> datetime | None:
    first = min((at for at in times if at is not None), default=None)
    return None if first is None else datetime.fromtimestamp(first, UTC)


def _name(raw: bytes | str) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw

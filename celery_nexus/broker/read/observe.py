"""Queue observer: the state of every queue in one round trip, of a large site in some, and what is kept for rates."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import redis
from redis.exceptions import NoPermissionError, NoScriptError

from celery_nexus.broker.read.ages import Ages
from celery_nexus.broker.read.bindings import Bindings
from celery_nexus.broker.read.counting import Counting
from celery_nexus.broker.read.flights import Flight, Routes, flights_of
from celery_nexus.broker.read.paused import read_paused_workers
from celery_nexus.broker.read.rates import SPARK_EVERY_S, Memory, Shares, Taken, rates, read_processed
from celery_nexus.broker.read.reliable import Reliable
from celery_nexus.connection.keys import PAUSED_HASH, WORKER_HASH
from celery_nexus.delivery.layout import Layout
from celery_nexus.rows.broker import QueueStats


class Observer:
    """Reads all queues of one application. Not thread-safe: the source that owns it locks.

    Attributes:
        ages: How long messages wait that carry no time.
        is_flight_hidden: Whether what is in flight lies where it can't be seen, so that it is unknown.
    """

    def __init__(self, client: redis.Redis, layout: Layout, queues: Sequence[str], declared: Sequence[str]) -> None:
        self._client = client
        self._layout = layout
        self._named = tuple(queues)
        self._declared = frozenset(declared)
        self._bindings = Bindings(client, layout)
        self._names: tuple[str, ...] = self._named
        self._named_of: object = None
        self._paused: dict[str, tuple[str, ...]] = {}
        self._orphans: frozenset[str] = frozenset()
        self._reliable = Reliable(layout)
        self.ages = Ages()
        self._missing = ""
        self.is_flight_hidden = False
        self._memory: dict[str, Memory] = {}
        self._lists: dict[str, tuple[str, ...]] = {}

    def adopt(self, layout: Layout) -> None:
        """Go on with what is now known of the layout; what was observed of queues is kept."""
        self._layout = layout
        self._lists.clear()
        self._bindings = Bindings(self._client, layout)
        self._reliable = Reliable(layout)

    @property
    def missing(self) -> str:
        """What the broker does not let its user read, as far as was noticed."""
        return self._missing or self._bindings.missing

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the known queues: the named ones in their order, then the discovered ones."""
        bound = self._bindings.bound
        if bound is not self._named_of:  # asked for with each queue: they are sorted when there are others
            self._names = self._named + tuple(sorted(bound.keys() - set(self._named)))
            self._named_of = bound
        return self._names

    @property
    def routes(self) -> Routes:
        """Where messages go by exchange and routing key, as far as bindings were seen."""
        return self._bindings.routes

    @property
    def known(self) -> tuple[str, ...]:
        """Names of the known queues, and of those that workers named last."""
        return (*self.names, *sorted(self._orphans.difference(self.names)))

    def read(self, consumers: Mapping[str, tuple[str, ...]] | None) -> tuple[QueueStats, ...]:
        """Read every queue, with what the workers in ``consumers`` are known to take."""
        self._bindings.look_once()
        self._bindings.look_on()
        self._orphans = frozenset(consumers or ()).difference(self.names)
        names = self.known
        counted, heartbeats = self._count(names)
        flight = None
        if counted.held is not None and not self.is_flight_hidden:
            flight = flights_of(counted.held, counted.old, self.routes)
        shares = Shares(consumers, read_processed(heartbeats))
        now = time.time()
        width = len(self._layout.steps)
        rows: list[QueueStats] = []
        for index, name in enumerate(names):
            part = slice(index * width, (index + 1) * width)
            by_step = [max(0, length) for length in counted.lengths[part]]
            took = shares.count_taken(name)
            rows.append(self._row(name, by_step, counted.times[part], flight, consumers, took, now))
        return tuple(rows)

    def discover_once(self) -> None:
        """Look for bound queues, unless that was done."""
        self._bindings.look_once()

    def discover(self) -> None:
        """Look for queues that are bound on the broker, for a bounded time; later readings go on where it stopped."""
        self._bindings.look()

    def _count(self, names: Sequence[str]) -> tuple[Counting, dict[bytes, bytes]]:
        """Count what is in the lists of queues and in workers' hands, and read the workers' heartbeats."""
        lists = [key for name in names for key in self._lists_of(name)]
        counting = Counting(self._client, self._layout.unacked, lists, len(self._layout.steps))
        for attempt in range(2):
            pipeline = self._client.pipeline(transaction=False)
            counting.add_first(pipeline)
            pipeline.hgetall(self._layout.add_prefix(WORKER_HASH))
            pipeline.hgetall(self._layout.add_prefix(PAUSED_HASH))
            self._reliable.add(pipeline, names)
            first, *told = pipeline.execute(raise_on_error=False)
            if isinstance(first, NoScriptError) and attempt == 0:
                counting.load()
                continue
            if isinstance(first, NoPermissionError):
                self._count_without_scripts(counting, lists)
            elif isinstance(first, Exception):
                raise first
            else:
                counting.take(first)
                counting.finish()
            heartbeats, paused = (
                {} if isinstance(row, Exception) else cast("dict[bytes, bytes]", row) for row in told[:2]
            )
            self._paused = {name.decode("utf-8", "replace"): read_paused_workers(row) for name, row in paused.items()}
            self._reliable.take(told[2:], names)
            self._reliable.complete(self._client, names)
            return counting, heartbeats
        raise NoScriptError("the broker forgets its scripts")

    def _lists_of(self, name: str) -> tuple[str, ...]:
        found = self._lists.get(name)
        if found is None:
            found = self._lists[name] = self._layout.keys(name)
        return found

    def _count_without_scripts(self, counting: Counting, lists: list[str]) -> None:
        """Read what a user may read who may not run scripts: the lengths; ages and what is in flight are unknown.

        Raises:
            NoPermissionError: The user may not read a single length either.
        """
        self._missing = "its user may not run scripts (EVALSHA): ages and what is in flight are unknown"
        pipeline = self._client.pipeline(transaction=False)
        for key in lists:
            pipeline.llen(key)
        lengths: list[Any] = pipeline.execute(raise_on_error=False)
        refused = [length for length in lengths if isinstance(length, NoPermissionError)]
        if refused and len(refused) == len(lists):
            raise refused[0]
        counting.lengths = [-1 if isinstance(length, Exception) else int(length) for length in lengths]
        counting.times = [[] if length <= 0 else [b""] for length in counting.lengths]
        counting.held = None

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


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)


def _first_due(*times: float | None) -> datetime | None:
    first = min((at for at in times if at is not None), default=None)
    return None if first is None else datetime.fromtimestamp(first, UTC)

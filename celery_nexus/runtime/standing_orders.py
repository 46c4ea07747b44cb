"""Standing orders: revoked runs, paused queues, and remembered worker commands, obeyed after restarts.

Celery keeps both in the worker's memory. A worker that was down when the order was broadcast, or restarted
afterwards, would not know. Each worker therefore reads them from Redis before it consumes anything, and again
every few seconds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any, cast

import redis
from celery import bootsteps
from celery.worker import state as _state
from celery.worker.consumer.tasks import Tasks
from redis.backoff import NoBackoff
from redis.retry import Retry

from celery_nexus.connection.keys import ORDERS_HASH, PAUSED_HASH, REVOKED_FOR_S, REVOKED_SET, REVOKED_STAMPS
from celery_nexus.connection.redis_client import open_redis
from celery_nexus.delivery.ends.ending import carry_out_what_can_be
from celery_nexus.delivery.remembering import broker_now, read_stamp
from celery_nexus.installation import broker_of, prefix_of

REFRESH_S = 5.0
ENDS_EVERY_S = 1.0
"""Interval at which runs that will not run are ended."""

OVERLAP_S = 60.0
"""Overlap of two readings: an order may be written late."""

READ_STEP = 10_000
TIMEOUT_S = 2.0

MAX_POOL = 256
"""Largest remembered pool."""

worker_state: Any = _state  # the stubs know an older Celery
logger = logging.getLogger(__name__)


class RevokedRuns:
    """Copies what must never start, ids and stamps, into the worker's own memory.

    Celery keeps the newest 50,000 ids for three hours; here all are kept for as long as Redis remembers them.

    Args:
        prefix: What the names of the application's keys begin with.
    """

    def __init__(self, prefix: str = "") -> None:
        self._ids, self._stamps = prefix + REVOKED_SET, prefix + REVOKED_STAMPS
        self._read_until = 0.0

    def read(self, client: redis.Redis) -> None:
        """Read what is new, some thousand at a time.

        Raises:
            RedisError: The broker does not answer.
        """
        now = broker_now(client)
        since = max(now - REVOKED_FOR_S, self._read_until - OVERLAP_S)
        ids = worker_state.revoked
        ids.maxlen, ids.minlen, ids.expires = 0, 0, REVOKED_FOR_S
        for members in _since(client, self._ids, since):
            worker_state.merge_revoked([raw.decode("utf-8", "replace") for raw in members])
        for members in _since(client, self._stamps, since):
            for raw in members:
                self._merge_stamp(raw)
        self._read_until = now

    @staticmethod
    def _merge_stamp(raw: bytes) -> None:
        stamp = read_stamp(raw)
        if stamp is None:
            return
        known: Any = worker_state.revoked_stamps.setdefault(stamp[0], [])
        if not isinstance(known, list):
            known = worker_state.revoked_stamps[stamp[0]] = [known]
        if stamp[1] not in known:
            known.append(stamp[1])


def _since(client: redis.Redis, key: str, since: float) -> Iterator[list[bytes]]:
    """Read what was added to a sorted set by time, the oldest first."""
    start = 0
    while members := cast("list[bytes]", client.zrangebyscore(key, since, "+inf", start=start, num=READ_STEP)):
        yield members
        start += len(members)


class PausedQueues:
    """Stops and resumes consuming. Touches only queues that this worker was started for and that it stopped itself."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._own = frozenset(consumer.app.amqp.queues.consume_from)
        self._stopped: set[str] = set()

    def read(self, client: redis.Redis) -> frozenset[str]:
        """Read the names of the paused queues.

        Raises:
            RedisError: The broker does not answer.
        """
        names = cast("list[bytes]", client.hkeys(prefix_of(self._consumer.app) + PAUSED_HASH))
        return frozenset(name.decode("utf-8", "replace") for name in names)

    def apply(self, paused: frozenset[str]) -> None:
        """Consume what is not paused."""
        consuming = self._consumer.app.amqp.queues.consume_from
        for queue in sorted(self._own & paused):
            self._stopped.add(queue)
            if queue in consuming:
                logger.warning("%s is paused by an operator", queue)
                self._consumer.cancel_task_queue(queue)
        for queue in sorted(self._stopped - paused):
            self._stopped.discard(queue)
            if queue not in consuming:
                logger.warning("%s is resumed", queue)
                self._consumer.add_task_queue(queue)


class RememberedOrders:
    """Pool sizes, consumed queues, rate and time limits: obeyed again whenever the worker starts or connects."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._tasks = consumer.app.tasks

    def obey(self, client: redis.Redis) -> None:
        """Read the orders and do what concerns this worker; one that makes no sense is left out.

        Raises:
            RedisError: The broker does not answer.
        """
        orders = cast("dict[bytes, bytes]", client.hgetall(prefix_of(self._consumer.app) + ORDERS_HASH))
        for name, text in sorted(orders.items()):
            try:
                kind, *rest = name.decode().split(" ")
                self._do(kind, rest, cast("dict[str, Any]", json.loads(text)))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                logger.warning("can't obey the remembered order %.200r: %s", name, error)

    def _do(self, kind: str, rest: list[str], told: dict[str, Any]) -> None:
        if kind == "pool" and rest == [self._consumer.hostname]:
            self._resize(max(1, min(MAX_POOL, int(told["size"]))))
        elif kind == "consumer" and rest[0] == self._consumer.hostname:
            self._consume(rest[1], consume=bool(told["consume"]))
        elif kind == "rate" and rest[0] in self._tasks:
            self._tasks[rest[0]].rate_limit = told["rate"] or None
            self._consumer.reset_rate_limits()
        elif kind == "time" and rest[0] in self._tasks:
            self._tasks[rest[0]].time_limit, self._tasks[rest[0]].soft_time_limit = told["hard"], told["soft"]

    def _resize(self, size: int) -> None:
        pool = self._consumer.pool
        more = size - pool.num_processes
        if more:
            logger.warning("an operator ordered a pool of %d", size)
            (pool.grow if more > 0 else pool.shrink)(abs(more))
            self._consumer._update_prefetch_count(more)

    def _consume(self, queue: str, *, consume: bool) -> None:
        if consume != (queue in self._consumer.app.amqp.queues.consume_from):
            (self._consumer.add_task_queue if consume else self._consumer.cancel_task_queue)(queue)


class StandingOrders(bootsteps.StartStopStep):
    """Reads the orders each time the worker (re)connects, before its event loop takes the first message."""

    requires = (Tasks,)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timers: list[Any] = []
        self._client: redis.Redis | None = None
        self._revoked = RevokedRuns(prefix_of(parent.app))
        self._paused: PausedQueues | None = None

    def start(self, parent: Any) -> None:
        """Read, and go on reading; without an answer the worker does not consume and connects anew."""
        self._client = self._client or open_redis(
            broker_of(parent.app).redis_py,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
        )
        RememberedOrders(parent).obey(self._client)
        self._paused = self._paused or PausedQueues(parent)
        self._revoked.read(self._client)
        self._paused.apply(self._paused.read(self._client))
        self._end_runs(parent)
        self._timers = [
            parent.timer.call_repeatedly(REFRESH_S, self._refresh, (parent,)),
            parent.timer.call_repeatedly(ENDS_EVERY_S, self._end_runs, (parent,)),
        ]

    def stop(self, parent: Any) -> None:
        """Stop reading."""
        for timer in self._timers:
            timer.cancel()
        self._timers = []

    def _end_runs(self, parent: Any) -> None:
        """End runs that will not run, which nobody could end when their messages were taken away."""
        if self._client is not None:
            carry_out_what_can_be(parent.app, self._client, prefix_of(parent.app))

    def _refresh(self, parent: Any) -> None:
        if self._client is None or self._paused is None:
            return
        try:
            self._revoked.read(self._client)
            paused = self._paused.read(self._client)
        except (redis.RedisError, OSError) as error:  # nothing is consumed while the broker is away
            logger.warning("can't read what operators ordered: %s", error)
        else:
            # Pools without an event loop run timers in a thread of their own.
            parent.call_soon(self._paused.apply, paused)

"""What operators ordered stays in force: revoked runs, paused queues, and what they asked to be remembered.

Celery keeps both in the worker's memory. A worker that was down when the order was broadcast, or restarted
afterwards, would not know. Each worker therefore reads them from Redis before it consumes anything, and again
every few seconds.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any, cast

import redis
from celery import bootsteps
from celery.worker import state as _state
from celery.worker.consumer.tasks import Tasks
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.celery_config import celery_app
from config.keys import ORDERS_HASH, PAUSED_HASH, REVOKED_FOR_S, REVOKED_SET
from config.redis_client import open_redis
from config.settings import settings

REFRESH_S = 5.0
RELOAD_S = 3600.0
"""All revoked ids are read again this often: Celery forgets one 3 hours after it was last told."""

OVERLAP_S = 60.0
"""Ids this much older than the last reading are read again: the clocks of two hosts differ."""

TIMEOUT_S = 2.0

MAX_POOL = 256
"""A remembered pool is never larger."""

worker_state: Any = _state  # the stubs know an older Celery
logger = logging.getLogger(__name__)


class RevokedRuns:
    """Copies the remembered ids into the worker's own set."""

    def __init__(self) -> None:
        self._loaded_at: float | None = None
        self._read_until = 0.0

    def read(self, client: redis.Redis) -> None:
        """Read what is new, and everything from time to time.

        Raises:
            RedisError: The broker does not answer.
        """
        now, clock = time.time(), time.monotonic()
        is_full = self._loaded_at is None or clock - self._loaded_at > RELOAD_S
        since = now - REVOKED_FOR_S if is_full else self._read_until - OVERLAP_S
        newest = client.zrevrangebyscore(REVOKED_SET, "+inf", since, start=0, num=worker_state.REVOKES_MAX)
        ids = [raw.decode("utf-8", "replace") for raw in cast("list[bytes]", newest)]
        worker_state.merge_revoked(reversed(ids))
        self._read_until = now
        if is_full:
            self._loaded_at = clock


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
        names = cast("list[bytes]", client.hkeys(PAUSED_HASH))
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
        orders = cast("dict[bytes, bytes]", client.hgetall(ORDERS_HASH))
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
        self._timer: Any = None
        self._client: redis.Redis | None = None
        self._revoked = RevokedRuns()
        self._paused: PausedQueues | None = None

    def start(self, parent: Any) -> None:
        """Read, and go on reading; without an answer the worker does not consume and connects anew."""
        self._client = self._client or open_redis(
            settings().broker.redis_py,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
        )
        RememberedOrders(parent).obey(self._client)
        self._paused = self._paused or PausedQueues(parent)
        self._revoked.read(self._client)
        self._paused.apply(self._paused.read(self._client))
        self._timer = parent.timer.call_repeatedly(REFRESH_S, self._refresh, (parent,))

    def stop(self, parent: Any) -> None:
        """Stop reading."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

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


celery_app.steps["consumer"].add(StandingOrders)

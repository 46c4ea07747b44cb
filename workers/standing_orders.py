"""What operators ordered stays in force: revoked runs never start, paused queues are not consumed.

Celery keeps both in the worker's memory. A worker that was down when the order was broadcast, or restarted
afterwards, would not know. Each worker therefore reads them from Redis before it consumes anything, and again
every few seconds.
"""

from __future__ import annotations

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
from config.keys import PAUSED_HASH, REVOKED_FOR_S, REVOKED_SET
from config.settings import settings

REFRESH_S = 5.0
RELOAD_S = 3600.0
"""All revoked ids are read again this often: Celery forgets one 3 hours after it was last told."""

OVERLAP_S = 60.0
"""Ids this much older than the last reading are read again: the clocks of two hosts differ."""

TIMEOUT_S = 2.0

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
        self._client = self._client or redis.Redis.from_url(
            settings().broker.redis_py,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
        )
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

"""What was revoked stays revoked: a worker learns it from Redis when it starts, not only from who shouts.

Celery keeps revoked ids in the worker's memory. A worker that was down when the revoke was broadcast, or
restarted afterwards, would run the message when it gets it (again). Each worker therefore loads the ids from
a sorted set before it consumes anything, and reads the new ones every few seconds.
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
from config.keys import REVOKED_FOR_S, REVOKED_SET
from config.settings import settings

REFRESH_S = 5.0
RELOAD_S = 3600.0
"""Everything is read again this often: Celery forgets an id 3 hours after it was last told."""

OVERLAP_S = 60.0
"""Ids this much older than the last reading are read again: the clocks of two hosts differ."""

TIMEOUT_S = 2.0

worker_state: Any = _state  # the stubs know an older Celery
logger = logging.getLogger(__name__)


class RevokedRuns:
    """Reads the set into the worker's own."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._loaded_at = 0.0
        self._read_until = 0.0

    def load(self) -> None:
        """Read everything that is remembered.

        Raises:
            RedisError: The broker does not answer; the worker must not consume yet.
        """
        self._read(since=time.time() - REVOKED_FOR_S)
        self._loaded_at = time.monotonic()

    def refresh(self) -> None:
        """Read what is new; while the broker is away nothing is consumed either, so a failure is only logged."""
        try:
            if time.monotonic() - self._loaded_at > RELOAD_S:
                self.load()
            else:
                self._read(since=self._read_until - OVERLAP_S)
        except (redis.RedisError, OSError) as error:
            logger.warning("can't read revoked runs: %s", error)

    def _read(self, since: float) -> None:
        now = time.time()
        newest = self._client.zrevrangebyscore(REVOKED_SET, "+inf", since, start=0, num=worker_state.REVOKES_MAX)
        ids = [raw.decode("utf-8", "replace") for raw in cast("list[bytes]", newest)]
        worker_state.merge_revoked(reversed(ids))
        self._read_until = now


class RevokedStep(bootsteps.StartStopStep):
    """Loads the set each time the worker (re)connects, before its event loop takes the first message."""

    requires = (Tasks,)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        """Load, and go on reading."""
        client: redis.Redis = redis.Redis.from_url(
            settings().broker.redis_py,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
        )
        revoked = RevokedRuns(client)
        revoked.load()
        self._timer = parent.timer.call_repeatedly(REFRESH_S, revoked.refresh)

    def stop(self, parent: Any) -> None:
        """Stop reading."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


celery_app.steps["consumer"].add(RevokedStep)

"""Shutdown of a worker whose broker does not answer.

Celery says good-bye on each of its connections, and waits for each answer: a stop takes as long as all time limits
together. What the worker holds is recorded in the broker as in flight, and its next start puts it back, so that
nothing has to be said.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

import psutil
import redis
from celery.utils.log import get_logger
from redis.backoff import NoBackoff
from redis.retry import Retry

from celery_nexus.connection.redis_client import open_redis

PROBE_S = 1.0
LOOK_EVERY_S = 0.5
PATIENCE_S = 2.0
"""Longest wait for a broker that does not answer."""

logger = get_logger(__name__)


class Leaving:
    """Ends a worker that is told to stop, once its broker is silent and nothing runs.

    Args:
        url: Address of the broker in redis-py's spelling.
        is_at_rest: Tells whether nothing runs, and no acknowledgement is owed.
        grace_s: What runs may go on for so long.
    """

    def __init__(self, url: str, is_at_rest: Callable[[], bool], grace_s: float) -> None:
        self._url = url
        self._is_at_rest = is_at_rest
        self._grace_s = grace_s
        self._ends_at: float | None = None

    def begin(self) -> None:
        """Begin to watch; to be called by a signal's handler, again when the signal comes again."""
        if self._ends_at is None:
            self._ends_at = time.monotonic() + self._grace_s
            threading.Thread(target=self._watch, daemon=True).start()

    def hurry(self) -> None:
        """Wait no longer for what runs."""
        self._ends_at = 0.0

    def _watch(self) -> None:
        silent_since: float | None = None
        while True:
            asked_at = time.monotonic()
            if _answers(self._url):
                silent_since = None
            else:
                silent_since = asked_at if silent_since is None else silent_since
                if time.monotonic() - silent_since >= PATIENCE_S and self._may_leave():
                    self._leave()
            time.sleep(LOOK_EVERY_S)

    def _may_leave(self) -> bool:
        if time.monotonic() >= (self._ends_at or 0.0):
            return True
        try:
            return self._is_at_rest()
        except RuntimeError:  # the main thread changed the set of runs meanwhile
            return False

    def _leave(self) -> None:
        logger.warning("stopping without the broker, which does not answer; what is in flight stays recorded there")
        end_process()


def end_process() -> NoReturn:
    """End this worker and its children here and now, whatever it still does."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


def _answers(url: str) -> bool:
    client = open_redis(
        url,
        socket_timeout=PROBE_S,
        socket_connect_timeout=PROBE_S,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
    finally:
        client.close()

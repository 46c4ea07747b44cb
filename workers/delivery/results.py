"""A result backend whose writes outlive a broker that is away."""

# Celery's backends have no complete stubs
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownLambdaType=false
from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import redis
from celery.backends.redis import RedisBackend

from workers.delivery import running

_Base: Any = RedisBackend if TYPE_CHECKING else object

AGAIN_S = 1.0
_REFUSALS = ("MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN")
"""How a server begins that will take writes later: its disk is full, its replicas are away."""

logger = logging.getLogger(__name__)


class PatientResults(_Base):
    """Waits for the broker in a child process: it has a run's result, which is nowhere else.

    Celery 5.7 reads a run's record before it writes it, and lets the run fail when that reading does: a run whose
    work is done, and whose chain does not go on. Here the child tries again until the broker is back, or the run's
    time limit ends it; its message stays in flight meanwhile. Everybody else gives up as Celery does.
    """

    def ensure(self, fun: Any, args: Any, **policy: Any) -> Any:
        """Try until the broker does it; outside a child as often as the settings say."""
        return _patiently(lambda: fun(*args)) if running.is_child() else super().ensure(fun, args, **policy)

    def get(self, key: str) -> Any:
        """Read a record."""
        read: Any = super().get
        return _patiently(lambda: read(key)) if running.is_child() else read(key)

    def on_chord_part_return(self, request: Any, state: str, result: Any, **options: Any) -> Any:
        """Note that a part of a chord is done; the last one starts the chord's body."""
        note: Any = super().on_chord_part_return
        if not running.is_child():
            return note(request, state, result, **options)
        return _patiently(lambda: note(request, state, result, **options))


def _patiently(step: Callable[[], Any]) -> Any:
    attempt = 0
    while True:
        try:
            return step()
        except (redis.ConnectionError, redis.TimeoutError, redis.OutOfMemoryError, redis.ReadOnlyError) as error:
            problem = error
        except redis.ResponseError as error:
            if not str(error).startswith(_REFUSALS):
                raise
            problem = error
        if attempt % 60 == 0:
            logger.warning("a result waits for the broker: %s", problem)
        time.sleep(min(attempt, 1) * AGAIN_S)
        attempt += 1

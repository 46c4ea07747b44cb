"""Start of the upgrade: the process that takes over earlier versions' keys, and when.

Each worker takes over the queues that it consumes when it starts, and goes on looking: a worker, beat or client of an
earlier version that still runs adds more. The guardian does so for declared queues that nobody consumes.
"""

from __future__ import annotations

from typing import Any

import redis
from celery import Celery, bootsteps
from celery.utils.log import get_logger
from celery.worker.consumer.tasks import Tasks
from redis.backoff import NoBackoff
from redis.retry import Retry

from celery_nexus.connection.redis_client import open_redis
from celery_nexus.delivery.upgrade.former_lists import FormerLists
from celery_nexus.installation import broker_of, installation_of, prefix_of

LOOK_EVERY_S = 5.0
TIMEOUT_S = 5

logger = get_logger(__name__)


def open_former_lists(app: Celery) -> FormerLists:
    """Make one for an application's broker; it connects at first use."""
    client = open_redis(
        broker_of(app).redis_py,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),
    )
    return FormerLists(client, prefix_of(app))


class FormerListsStep(bootsteps.StartStopStep):
    """Takes over what earlier versions left, before the worker's event loop takes the first message, and goes on."""

    requires = (Tasks,)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None
        self._lists = open_former_lists(parent.app)

    def include_if(self, parent: Any) -> bool:
        """Tell whether the application may have such lists: keys of others are left alone."""
        installed = installation_of(parent.app)
        return installed is not None and installed.upgrades

    def start(self, parent: Any) -> None:
        """Take over, and go on looking; without an answer the worker does not consume and connects anew."""
        self._lists.renew_bindings(_consumed(parent))
        self._take_over(parent)
        self._timer = parent.timer.call_repeatedly(LOOK_EVERY_S, self._look, (parent,))

    def stop(self, parent: Any) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, parent: Any) -> None:
        try:
            self._take_over(parent)
        except (redis.RedisError, OSError) as error:
            logger.warning("can't look for lists of an earlier version: %s", error)

    def _take_over(self, parent: Any) -> None:
        if taken := self._lists.take_over(_consumed(parent)):
            logger.info("took over %d messages from lists of an earlier version", taken)


def _consumed(parent: Any) -> list[str]:
    return list(parent.app.amqp.queues.consume_from)

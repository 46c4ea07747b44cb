"""What happens to a run whose child process died."""

# Celery's Request has no complete stubs: what its methods return is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import Any

import redis
from celery.exceptions import WorkerLostError
from celery.utils.log import get_logger

from workers.delivery import rescue
from workers.delivery.keys import FetchedTag
from workers.private_records import PrivateRequest

logger = get_logger(__name__)

_Request: Any = PrivateRequest


class Request(_Request):
    """A request that counts the children it lost: put back within ``max_retries``, set aside after the third."""

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Deal with a failed run."""
        error = exc_info.exception
        error = getattr(error, "exc", error)  # billiard's ExceptionWithTraceback
        self._lost_child = isinstance(error, WorkerLostError | SystemExit | KeyboardInterrupt)
        try:
            return super().on_failure(exc_info, send_failed_event, return_ok)
        except MemoryError:
            # Celery raises it in the worker and leaves the message in flight; the child stored the failure and lives.
            self.acknowledge()
            self.send_event("task-failed", exception=repr(error), traceback=exc_info.traceback)
            return None
        finally:
            self._lost_child = False

    def reject(self, requeue: bool = False) -> None:
        """Drop the message or put it back; after a lost child, count that first."""
        tag = self._message.delivery_tag
        if not (requeue and getattr(self, "_lost_child", False) and isinstance(tag, FetchedTag)):
            super().reject(requeue=requeue)
            return
        if self.acknowledged:
            return
        self.acknowledged = True
        try:
            self._give_up_or_restore(tag)
        except (redis.RedisError, OSError) as error:
            logger.warning("%s stays in flight until the broker is back: %s", self, error)

    def _give_up_or_restore(self, tag: FetchedTag) -> None:
        in_flight = self._message.channel.in_flight
        raw = in_flight.entries().get(tag)
        if raw is None:
            return
        restored = rescue.give_up_or_restore(self._app, in_flight, tag, raw, lost="child")
        self._message.channel.qos.forget(tag)
        if restored:
            self.send_event("task-rejected", requeue=True)

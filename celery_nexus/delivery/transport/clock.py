"""ETA and expiry by the broker's clock: those of publishing hosts may be wrong by hours."""

# Celery's AMQP has no complete stubs
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

import inspect
import numbers
import time
from datetime import UTC, datetime
from typing import Any

import redis
from celery.app.amqp import AMQP

from celery_nexus.delivery.remembering import broker_now

READ_EVERY_S = 60.0

_Amqp: Any = AMQP
_PARAMETERS = tuple(inspect.signature(_Amqp.as_task_v2).parameters)[1:]


class BrokerTimedMessages(_Amqp):
    """Makes messages as Celery does; seconds from now are counted from the broker's now."""

    _read_at = 0.0
    _ahead_s = 0.0
    """How far the broker's clock is ahead of this process's monotonic one."""

    def as_task_v2(self, *args: Any, **options: Any) -> Any:
        """Make a message of protocol 2."""
        given = dict(zip(_PARAMETERS, args, strict=False)) | options
        if (given.get("countdown") or isinstance(given.get("expires"), numbers.Real)) and not given.get("now"):
            given["now"] = self._now()
        return super().as_task_v2(**given)

    def _now(self) -> datetime | None:
        """Read the time in the application's zone; None, which means this host's, when the broker does not tell."""
        clock = time.monotonic()
        if not self._read_at or clock - self._read_at > READ_EVERY_S:
            try:
                self._ahead_s = broker_now(self.app.backend.client) - clock
            except (redis.RedisError, OSError, AttributeError):
                return None
            self._read_at = clock
        return datetime.fromtimestamp(self._ahead_s + clock, UTC).astimezone(self.app.timezone)

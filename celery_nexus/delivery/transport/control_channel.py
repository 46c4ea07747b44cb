"""Control channel that survives malformed messages: they are counted and dropped."""

# kombu's Redis transport has no complete stubs: what its methods return is unknown.
# pyright: reportUnknownVariableType=false
from __future__ import annotations

import logging
from queue import Empty
from typing import Any

import redis
from kombu.transport import redis as kombu_redis

from celery_nexus.delivery import keys, validation
from celery_nexus.delivery.transport import control_arguments

logger = logging.getLogger(__name__)

_kombu: Any = kombu_redis
_Channel: Any = _kombu.Channel


class ControlMixin(_Channel):
    """Guards what comes over pub/sub; counts for the worker that the channel belongs to."""

    def _deliver_fanout_message(self, message: Any, exchange: str) -> bool:
        """Deliver what came over the control channel; what is malformed is counted and dropped."""
        try:
            command = validation.check_control(message, is_command=exchange.endswith(".pidbox"))
            if command:
                control_arguments.check(command["method"], command.get("arguments") or {})
            return super()._deliver_fanout_message(message, exchange)
        except (redis.ConnectionError, redis.TimeoutError, OSError):
            raise
        except (validation.Malformed, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            self._drop_control(f"{type(error).__name__}: {error}")
            return False

    def _receive_one(self, c: Any) -> Any:
        try:
            return super()._receive_one(c)
        except RecursionError:  # kombu expects ValueError and TypeError from its JSON decoder
            self._drop_control("nested too deeply")
            raise Empty from None
        except Empty as nothing:
            if isinstance(nothing.__context__, ValueError | TypeError):
                self._drop_control("not JSON")
            raise

    def _drop_control(self, problem: str) -> None:
        logger.warning("dropped a malformed control message: %.200s", problem)
        if self.nexus_node:
            self.in_flight.count(keys.BAD_CONTROL)

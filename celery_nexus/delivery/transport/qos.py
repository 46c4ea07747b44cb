"""Quality of service of a channel: its delivered, unacknowledged messages."""

# kombu's Redis transport has no complete stubs: what its methods return is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any

import redis
from kombu.transport import redis as kombu_redis
from kombu.transport import virtual

from celery_nexus.delivery.keys import FetchedTag

STOCK_LOOK_EVERY_S = 600.0

logger = logging.getLogger(__name__)

_kombu: Any = kombu_redis
_QoS: Any = _kombu.QoS
_virtual_qos: Any = virtual.QoS


class QoS(_QoS):
    """Tracks what was delivered; what the fetch recorded is acknowledged and put back by :class:`InFlight`."""

    _look_for_stock_at = 0.0
    count_children: Callable[[], int] | None = None
    """How many runs go on at once; unknown where runs are not those of child processes."""

    def can_consume(self) -> bool:
        """Tell whether to fetch: when half of what may wait behind the children's runs was handed to them.

        What is fetched waits in the order of its fetch. Several are fetched at once, then, instead of one after each
        run: that costs less, and what is urgent is overtaken by fewer.
        """
        if self.count_children is None or not self.prefetch_count:
            return bool(super().can_consume())
        held = len(self._delivered) - len(self._dirty)
        spare = self.prefetch_count - self.count_children()
        return held < self.prefetch_count - max(spare, 0) // 2

    def append(self, message: Any, delivery_tag: Any) -> None:
        """Note a delivered message."""
        if isinstance(delivery_tag, FetchedTag):
            _virtual_qos.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)

    def ack(self, delivery_tag: Any) -> None:
        """Forget a message that was dealt with."""
        if isinstance(delivery_tag, FetchedTag):
            self.channel.in_flight.acknowledge(delivery_tag)
            _virtual_qos.ack(self, delivery_tag)
        else:
            super().ack(delivery_tag)

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        """Drop a message, or put it at the end of its priority."""
        if not isinstance(delivery_tag, FetchedTag):
            super().reject(delivery_tag, requeue=requeue)
        elif requeue:
            self.channel.in_flight.restore(delivery_tag, first=False)
            _virtual_qos.ack(self, delivery_tag)
        else:
            self.ack(delivery_tag)

    def forget(self, delivery_tag: FetchedTag) -> None:
        """Note that a message was put back or set aside by other means."""
        _virtual_qos.ack(self, delivery_tag)

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Put one message back."""
        if isinstance(tag, FetchedTag):
            self.channel.in_flight.restore(tag, first=not leftmost)
        else:
            super().restore_by_tag(tag, client=client, leftmost=leftmost)

    def restore_visible(self, start: int = 0, num: int = 10, interval: int = 10) -> None:
        """Pick up what workers with stock delivery left behind; rarely, as a silent connection blocks here."""
        if self.channel.nexus_node:
            if monotonic() < self._look_for_stock_at:
                return
            self._look_for_stock_at = monotonic() + STOCK_LOOK_EVERY_S
            interval = 1
        super().restore_visible(start, num, interval)

    def restore_unacked(self, client: Any = None) -> list[Any]:
        """Put back what is not acknowledged, except runs that go on and will be acknowledged later."""
        self._flush()
        keep = self.channel.in_flight.handed_over if self.channel.nexus_node else frozenset[Any]()
        try:
            for tag in reversed([tag for tag in self._delivered if tag not in keep]):
                self.restore_by_tag(tag, client=client)
        except (redis.RedisError, OSError) as error:
            logger.warning("messages in flight stay there until the broker is back: %s", error)
        self._delivered.clear()
        return []

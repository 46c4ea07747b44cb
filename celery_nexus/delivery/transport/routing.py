"""Bindings of a channel: from an exchange to queues, as the broker or this process declared them."""

# kombu's Redis transport has no complete stubs: what its methods return is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import Any

from kombu.transport import redis as kombu_redis
from kombu.utils.encoding import bytes_to_str

from celery_nexus.delivery import keys

_kombu: Any = kombu_redis
_Channel: Any = _kombu.Channel


class RoutingMixin(_Channel):
    """Finds queues where kombu finds none, or fails."""

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:
        """Find the queues of a routing key; what this process declared counts even when the broker lost it."""
        found: list[str] = list(super()._lookup(exchange, routing_key, default))
        if found or not exchange:
            return found
        declared = [
            binding
            for binding in self.state.bindings
            if binding.exchange == exchange and binding.routing_key == routing_key
        ]
        for binding in declared:
            meta = self.typeof(exchange).prepare_bind(binding.queue, exchange, routing_key, None)
            self._queue_bind(exchange, *meta)
        return [binding.queue for binding in declared]

    def get_table(self, exchange: str) -> list[tuple[str, str, str]]:
        """Read who is bound to an exchange, also by an earlier version; kombu fails at what it can't read."""
        with self.conn_or_acquire() as client:
            members: set[bytes] = client.smembers(self.keyprefix_queue % exchange)
        found = (keys.split_binding(bytes_to_str(member), self.sep) for member in members)
        return [binding for binding in found if binding]

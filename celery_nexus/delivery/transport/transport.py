"""kombu's Redis transport with a fetch in one step, delayed sets, and acknowledgements that survive a reconnect.

The overridden internals are those of kombu 5.7; a test names them.
"""

# kombu's Redis transport has no complete stubs: what its methods return is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import Any

import redis
from kombu.transport import redis as kombu_redis
from redis.sentinel import SentinelConnectionPool

from celery_nexus.connection import silence
from celery_nexus.delivery.transport.fetching import FetchMixin

ROUND_S = 0.5
FULL_ROUND_S = 0.02
"""Longest single wait of a worker without an event loop, when it is idle or has as many runs as it may."""

# kombu's transports have no stubs
_kombu: Any = kombu_redis
_Channel: Any = _kombu.Channel
_Transport: Any = _kombu.Transport
_SentinelChannel: Any = _kombu.SentinelChannel


class Channel(FetchMixin, _Channel):
    """A channel to one Redis server."""

    connection_class = silence.TcpConnection
    connection_class_ssl = silence.TlsConnection


class SentinelChannel(FetchMixin, _SentinelChannel):
    """A channel to the master that Sentinel names."""

    connection_class = silence.SentinelConnection
    connection_class_ssl = silence.SentinelTlsConnection
    from_transport_options = (*_SentinelChannel.from_transport_options, "nexus_node", "nexus_former_queues")

    def _pool_beside(self, parameters: dict[str, Any]) -> redis.ConnectionPool:
        _ = self.pool  # makes the manager
        kept = {name: value for name, value in parameters.items() if name not in ("host", "port")}
        return SentinelConnectionPool(self.master_name, self._sentinel_manager, **kept)


class Transport(_Transport):
    """``redis://``, ``rediss://`` and ``redis+socket://``."""

    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Wait for messages; pools of greenlets do so here, and nothing wakes them when one has room again."""
        fetching = [channel for channel in self.cycle._channels if channel._is_fetching]
        if fetching and timeout is not None:
            has_room = all(channel.qos.can_consume() for channel in fetching)
            timeout = min(timeout, ROUND_S if has_room else FULL_ROUND_S)
        super().drain_events(connection, timeout)


class SentinelTransport(Transport):
    """``sentinel://``."""

    default_port = 26379
    Channel = SentinelChannel

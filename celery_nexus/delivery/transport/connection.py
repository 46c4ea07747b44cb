"""Connections of one application over this transport; others in the process keep their own."""

# kombu's connections have no complete stubs
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

from typing import Any

import kombu
from kombu import connection as kombu_connection
from kombu.transport import redis as kombu_redis
from kombu.utils.collections import HashedSeq

from celery_nexus.delivery.transport.transport import SentinelTransport, Transport

_kombu: Any = kombu_redis
_Connection: Any = kombu.Connection
_PooledConnection: Any = kombu_connection.PooledConnection
_ConnectionPool: Any = kombu_connection.ConnectionPool


class OurTransportMixin:
    """Makes an address of Redis, with Sentinels or without, mean our transport.

    kombu chooses a transport by a table that all applications of the process share.
    """

    def get_transport_cls(self) -> Any:
        """Return the class of the transport."""
        known: Any = super()
        chosen: Any = known.get_transport_cls()
        return _OURS.get(chosen, chosen)


class ReliableConnection(OurTransportMixin, _Connection):
    """A connection of kombu, over our transport.

    kombu's pools are shared by all connections of the process that are equal: ours equal their own kind only.
    """

    def __eqhash__(self) -> HashedSeq:
        """Return what tells which connections are equal."""
        return HashedSeq(ReliableConnection, *super().__eqhash__())

    def Pool(self, limit: int | None = None, **options: Any) -> ReliablePool:  # noqa: N802  kombu's name
        """Make a pool of connections like this one."""
        return ReliablePool(self, limit, **options)


class _ReliablePooledConnection(OurTransportMixin, _PooledConnection):
    """One of a pool."""


class ReliablePool(_ConnectionPool):
    """A pool of connections over our transport."""

    def new(self) -> Any:
        """Make one more."""
        pooled: Any = _ReliablePooledConnection
        return pooled(self, **dict(self.connection._info(resolve=False)))


_OURS = {_kombu.Transport: Transport, _kombu.SentinelTransport: SentinelTransport}

"""Detection of silent servers, shared by all connections of a process.

When a router vanishes, every TCP connection of a process hangs, and each would be found out by a time limit of its
own, one after the other. Here, the first one that waits for an answer in vain makes all suspect from which nothing was
heard since: they connect anew before their next command.
"""

# redis-py's connections are typed in parts
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

import redis
from redis.connection import Connection, SSLConnection
from redis.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

if TYPE_CHECKING:
    _Base = Connection
else:
    _Base = object

SHORTEST_S = 1.0
"""Shortest time limit that counts as silence: below it somebody only polled for an answer."""

_silent_since = 0.0
"""Time of the latest command that a connection of this process got no answer to."""


def _note_silence(timeout_s: float | None) -> None:
    global _silent_since  # noqa: PLW0603  what one connection learns is for all
    if timeout_s is not None and timeout_s >= SHORTEST_S:
        _silent_since = max(_silent_since, monotonic() - timeout_s)


class _Attentive(_Base):
    """What is added to each of redis-py's connections over a network."""

    _heard_at = 0.0

    def _connect(self) -> Any:
        socket = super()._connect()
        self._heard_at = monotonic()
        return socket

    def check_health(self) -> None:
        """Connect anew when suspect; redis-py calls this before each command that may do so."""
        if self._heard_at < _silent_since and self._sock is not None:
            self.disconnect()
            self.connect()
        else:
            super().check_health()

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Read an answer; tells the other connections when there is none."""
        try:
            answer = super().read_response(*args, **options)
        except redis.TimeoutError:
            if "timeout" not in options:
                _note_silence(self.socket_timeout)
            raise
        self._heard_at = monotonic()
        return answer


class TcpConnection(_Attentive, Connection):
    """``redis://``."""


class TlsConnection(_Attentive, SSLConnection):
    """``rediss://``."""


class _Asking(_Base):
    """Asks the Sentinels before it connects, whoever opens the connection.

    redis-py 8.1 does so when its pool opens one; one that is opened by its first command goes to localhost, or to the
    server that led before.
    """

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send a command."""
        if self._sock is None:
            self.connect()
        super().send_packed_command(command, check_health)


class SentinelConnection(_Asking, _Attentive, SentinelManagedConnection):
    """``sentinel://``."""


class SentinelTlsConnection(_Asking, _Attentive, SentinelManagedSSLConnection):
    """``sentinel://`` to servers that speak TLS."""

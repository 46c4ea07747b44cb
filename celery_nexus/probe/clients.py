"""The connections of a server, as ``CLIENT LIST`` shows them: which of them wait for a message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from celery_nexus.connection.plain_connection import PlainConnection

RECENT_S = 1
"""A connection that waited so short a time ago is between two waits: kombu's last one second, ours a quarter."""

_ROW = re.compile(
    rb"^id=\d+ addr=(.*?)(?: laddr=(.*?))? fd=(-?\d+) name=\S* .*?idle=(\d+) flags=(\S+) .*?db=(\d+) .*?cmd=(\S+)",
    re.MULTILINE,
)
"""One line; each version has fields more than the one before, anywhere between these."""


class Client(NamedTuple):
    """One connection to the server.

    Attributes:
        address: ``host:port`` of its other end as the server sees it; of a unix socket the path and ``:0``.
        server: ``host:port`` of the server's end; empty before Redis 6.2.
        fd: Its number in the server's process.
        idle_s: Whole seconds since it sent or got anything.
        is_blocked: Whether it waits for something.
        command: The last it sent, in lower case.
    """

    address: str
    server: str
    fd: int
    idle_s: int
    is_blocked: bool
    command: str

    @property
    def has_waited(self) -> bool:
        """Whether the last that it did was to wait at lists, as workers do."""
        return self.command == "brpop"

    @property
    def is_consuming(self) -> bool:
        """Whether it waits for a message, or did a moment ago."""
        return self.has_waited and (self.is_blocked or self.idle_s <= RECENT_S)


IS_REPLICA = "this server is a replica, at which no worker is: name its primary"


def is_replica(server: PlainConnection) -> bool:
    """Tell whether a server is a replica: workers are connected to its primary; False when it may not say."""
    role = server.ask(("ROLE",))[0]
    return isinstance(role, list) and role[:1] == [b"slave"]


def read_clients(answer: bytes | None, database: int) -> tuple[Client, ...] | None:
    """Read the connections to one database; None when this user may not see them, or none of them can be read.

    There is always one: the one by which this was asked.
    """
    return tuple(parse_clients(answer or b"", database)) or None


def parse_clients(raw: bytes, database: int) -> list[Client]:
    """Read the connections to one database; lines that can't be read are left out."""
    wanted = str(database).encode()
    return [
        Client(_text(row[1]), _text(row[2] or b""), int(row[3]), int(row[4]), b"b" in row[5], _text(row[7]))
        for row in _ROW.finditer(raw)
        if row[6] == wanted
    ]


def count_consuming(clients: Sequence[Client]) -> int:
    """Count the connections that wait for a message."""
    return sum(client.is_consuming for client in clients)


def took_last(clients: Sequence[Client]) -> Client | None:
    """Return the connection that took a message last and has not asked for another since; None when there is none."""
    waiting = [client for client in clients if client.has_waited and not client.is_consuming]
    return min(waiting, key=lambda client: client.idle_s, default=None)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")

"""Connections of a broker as its ``CLIENT LIST`` tells them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

POPS = frozenset({"blmove", "blmpop", "blpop", "brpop", "brpoplpush", "bzmpop", "bzpopmax", "bzpopmin"})
"""Commands that wait for a message."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection to the database that is looked at.

    Attributes:
        id: Its number on the server.
        address: Where it comes from, ``10.0.0.7:51122``; the socket's path for a unix socket.
        name: What it calls itself; most call themselves nothing.
        command: Its last command, ``brpop``.
        is_blocked: Whether it waits in that command at this moment.
        idle_s: Seconds since that command.
        subscriptions: Channels and patterns that it listens to.
        library: Client library and version, ``redis-py 8.1.0``; empty when the server does not note it.
    """

    id: int
    address: str = ""
    name: str = ""
    command: str = ""
    is_blocked: bool = False
    idle_s: int = 0
    subscriptions: int = 0
    library: str = ""

    @property
    def pops(self) -> bool:
        """Whether it takes messages: its last command was a blocking pop."""
        return self.command in POPS

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for a message at this moment."""
        return self.is_blocked and self.pops


@dataclass(frozen=True)
class Connections:
    """All connections to one database at one moment."""

    rows: tuple[Connection, ...] = ()

    @cached_property
    def popping(self) -> int:
        """Connections that take messages, whether they wait for one now or were just given one."""
        return sum(row.pops for row in self.rows)

    @cached_property
    def waiting(self) -> int:
        """Connections that wait for a message at this moment."""
        return sum(row.is_waiting for row in self.rows)

    @cached_property
    def listening(self) -> int:
        """Connections that listen to a channel: remote control, events, results."""
        return sum(row.subscriptions > 0 for row in self.rows)

"""Ownership of node names: a live worker keeps its own, and no two workers run under one.

A lease is a record in the hash ``nexus:leases``. Its owner changes it every few seconds, and whoever doubts that the
owner lives looks whether the record still changes, by a clock of its own that nobody sets. The token in the record is
the fence: each step that touches what the owner holds compares it in the same script.
"""

from __future__ import annotations

import json
import math
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

import redis

from celery_nexus.delivery import keys, scripts
from celery_nexus.delivery.leases.process_identity import ProcessIdentity, identify_boot, start_of
from celery_nexus.delivery.remembering import broker_now

LEASE_S = 15.0
"""Age of an unchanged lease from which its owner counts as gone, where nobody here can see its process."""

RENEW_S = 4.0

MAX_LOOK_GAP_S = 5.0
"""Longest pause between two looks at a lease that still proves it unchanged: an observer may have been stopped."""


class NameTaken(Exception):
    """A node name has an owner; says where it runs.

    Attributes:
        lives: Whether the owner certainly lives: waiting for its end makes no sense.
    """

    def __init__(self, node: str, owner: Owner, *, lives: bool) -> None:
        super().__init__(f"{node} already runs on {owner.host} with pid {owner.pid}; give one of them another -n")
        self.lives = lives


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that owns a node name.

    Attributes:
        token: Fence of this ownership; empty in a record of the version before.
        place: Boot and pid namespace of its machine.
        host: Name of the machine, for people.
        pid: Its process id there.
        start: When it started, see :class:`ProcessIdentity`; in a record of the version before a time of day.
        renewals: How often it said that it lives.
        renewed_at: When it said so last, by the broker's clock in seconds since the epoch: for people alone.
        is_rescuing: Whether it only puts back what the owner before it held.
        by_socket: Whether it reached the broker over a unix socket: then its machine was the broker's.
    """

    token: str
    place: str
    host: str
    pid: int
    start: float
    renewals: int = 0
    renewed_at: float = 0.0
    is_rescuing: bool = False
    by_socket: bool = False

    @property
    def process(self) -> ProcessIdentity:
        """Its process."""
        boot, _, namespace = self.place.partition(" ")
        return ProcessIdentity(boot, namespace, self.pid, int(self.start))

    def is_running(self, *, by_socket: bool) -> bool | None:
        """Tell whether its process runs; None when that can't be seen from here.

        Args:
            by_socket: Whether this process reaches the same broker over a unix socket.
        """
        process = self.process
        if process.is_visible and not self.token:  # its start was told as a time of day, which may have moved since
            return None if start_of(self.pid) else False
        if by_socket and self.by_socket and process.boot != identify_boot():
            return False  # the broker's machine was started anew since
        return process.is_running()


@dataclass
class Standstill:
    """Since when things have stood still, by the clock of this process.

    Attributes:
        clock: Seconds of a clock that nobody sets.
    """

    clock: Callable[[], float] = time.monotonic
    _since: dict[str, tuple[object, float]] = field(default_factory=dict[str, tuple[object, float]])
    _looked_at: float = -math.inf

    def look(self) -> None:
        """Begin to look; after a gap nothing is known to have stood still."""
        now = self.clock()
        if now - self._looked_at > MAX_LOOK_GAP_S:
            self._since.clear()
        self._looked_at = now

    def seconds(self, name: str, sight: object) -> float:
        """Tell for how long a thing has looked as it does now."""
        now = self.clock()
        seen, since = self._since.get(name, (None, now))
        if seen != sight:
            since = now
        self._since[name] = (sight, since)
        return now - since


class Leases:
    """The hash of all leases of a broker.

    Args:
        client: The broker; its replies are bytes.
        prefix: kombu's ``global_keyprefix``.
        clock: Seconds of a clock that nobody sets.
    """

    def __init__(self, client: redis.Redis, prefix: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._prefix = prefix
        self._key = prefix + keys.LEASES
        self._take = client.register_script(scripts.TAKE_LEASE)
        self._drop = client.register_script(scripts.DROP_LEASE)
        self._standstill = Standstill(clock)
        self._tokens: dict[str, str] = {}
        self._seen: dict[str, Owner] = {}
        self._by_socket = _uses_socket(client)

    def now(self) -> float:
        """The broker's clock, in seconds since the epoch."""
        return broker_now(self._client)

    def owners(self) -> dict[str, Owner]:
        """List who owns which name; records that can't be read are left out."""
        return {node: owner for node, (owner, _) in self._read().items()}

    def take(self, node: str) -> Owner:
        """Own a name, or renew what this process owns.

        An owner that can't be seen from here is watched: call again, at least every :data:`MAX_LOOK_GAP_S`.

        Raises:
            NameTaken: The name has an owner that lives, or may live.
        """
        while True:
            record = cast("bytes | None", self._client.hget(self._key, node)) or b""
            found = read_owner(record)
            if found is not None and not self._is_ours(node, found):
                self._standstill.look()
                self._require_gone(node, record, found)
            mine = self._renewed(node, found)
            if self._put(node, record, mine):
                self._tokens[node] = mine.token
                return mine

    def find_abandoned(self, grace_s: float) -> list[tuple[str, Owner, bytes]]:
        """Find names whose owner is gone; to be called every second or so.

        Args:
            grace_s: An owner that was seen dead is left alone for so long: its successor may take the name.

        Returns:
            Name, owner, and the record that :meth:`take_over` wants to see.
        """
        self._standstill.look()
        found: list[tuple[str, Owner, bytes]] = []
        for node, (owner, record) in self._read().items():
            runs = owner.is_running(by_socket=self._by_socket)
            patience_s = LEASE_S if runs is None else grace_s
            if self._standstill.seconds(node, (record, runs)) >= patience_s and not runs:
                found.append((node, owner, record))
        return found

    def take_over(self, node: str, record: bytes) -> Owner | None:
        """Own a name for the time of a rescue; None when its record changed meanwhile."""
        mine = replace(self._renewed(node, None), is_rescuing=True)
        return mine if self._put(node, record, mine) else None

    def drop(self, node: str, owner: Owner) -> bool:
        """Free a name and the notes of its starts, unless it has another owner by now."""
        names = [self._key, self._prefix + keys.starts_key(node)]
        return bool(self._drop(keys=names, args=[node, owner.token]))

    def _put(self, node: str, seen: bytes, owner: Owner) -> bool:
        return bool(self._take(keys=[self._key], args=[node, seen, json.dumps(asdict(owner))]))

    def _read(self) -> dict[str, tuple[Owner, bytes]]:
        raw = cast("dict[bytes, bytes]", self._client.hgetall(self._key))
        found = {node.decode("utf-8", "replace"): (read_owner(record), record) for node, record in raw.items()}
        return {node: (owner, record) for node, (owner, record) in found.items() if owner is not None}

    def _is_ours(self, node: str, found: Owner) -> bool:
        if not found.token:
            return False
        return found.token == self._tokens.get(node) or found.process == ProcessIdentity.identify()

    def _require_gone(self, node: str, record: bytes, found: Owner) -> None:
        runs = found.is_running(by_socket=self._by_socket)
        before = self._seen.get(node)
        self._seen[node] = found
        stood_still_s = self._standstill.seconds(node, record)
        if runs is False or (runs is None and stood_still_s >= LEASE_S):
            return
        is_renewed = before is not None and before.token == found.token and before != found
        raise NameTaken(node, found, lives=not found.is_rescuing and (runs is True or is_renewed))

    def _renewed(self, node: str, found: Owner | None) -> Owner:
        process = ProcessIdentity.identify()
        is_same = found is not None and found.token != "" and found.token == self._tokens.get(node)
        return Owner(
            token=found.token if found is not None and is_same else uuid.uuid4().hex,
            place=f"{process.boot} {process.namespace}",
            host=socket.gethostname(),
            pid=process.pid,
            start=process.start,
            renewals=found.renewals + 1 if found is not None and is_same else 0,
            renewed_at=self.now(),
            by_socket=self._by_socket,
        )


def read_owner(record: bytes) -> Owner | None:
    """Read a lease's record, of this version or the one before; None when it is none."""
    try:
        known = cast("dict[str, Any]", json.loads(record))
        return _checked_owner(known)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _checked_owner(known: dict[str, Any]) -> Owner | None:
    start = known["start"] if "start" in known else known["born_at"]
    texts = (known.get("token", ""), known["place"], known["host"])
    counts = (known["pid"] - 1, known.get("renewals", 0))
    are_right = all(isinstance(text, str) for text in texts) and all(isinstance(n, int) and n >= 0 for n in counts)
    if not are_right or not all(math.isfinite(number) for number in (start, known["renewed_at"])):
        return None
    return Owner(
        token=known.get("token", ""),
        place=known["place"],
        host=known["host"],
        pid=known["pid"],
        start=start,
        renewals=known.get("renewals", 0),
        renewed_at=known["renewed_at"],
        is_rescuing=known.get("is_rescuing") is True,
        by_socket=known.get("by_socket") is True,
    )


def _uses_socket(client: redis.Redis) -> bool:
    return issubclass(client.connection_pool.connection_class, redis.UnixDomainSocketConnection)

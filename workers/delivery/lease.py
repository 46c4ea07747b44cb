"""Who owns a node name: a live worker is never robbed, and two of one name never run."""

from __future__ import annotations

import json
import math
import os
import socket
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import psutil
import redis

from workers.delivery import keys, scripts

LEASE_S = 30.0
"""A worker on another machine that has not renewed its lease for so long is gone."""

RENEW_S = 5.0


class NameTaken(Exception):
    """A live worker has this node name; says where it runs."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that owns a node name.

    Attributes:
        place: Machine, boot and pid namespace: two processes with the same place can see each other's pids.
        host: Name of the machine, for people.
        pid: Its process id there.
        born_at: When the process started, in seconds since the epoch: a pid alone may be used again.
        renewed_at: When it last said that it lives, by the broker's clock.
    """

    place: str
    host: str
    pid: int
    born_at: float
    renewed_at: float

    @property
    def is_local(self) -> bool:
        """Whether its pid means something here."""
        return self.place == this_place()

    @property
    def is_alive_here(self) -> bool:
        """Whether the process runs on this machine."""
        return self.is_local and _birth(self.pid) == self.born_at

    def is_gone(self, now: float) -> bool:
        """Tell whether the name is free: its process is dead, or, elsewhere, its lease has ended."""
        return not self.is_alive_here if self.is_local else now - self.renewed_at > LEASE_S

    def is_from_the_future(self, now: float) -> bool:
        """Tell whether the broker's clock was set back: a worker that lives renews its lease within seconds."""
        return not self.is_local and self.renewed_at - now > LEASE_S


@lru_cache(maxsize=1)
def this_place() -> str:
    """Identify this machine, boot and pid namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{socket.gethostname()} {int(psutil.boot_time())}"


class Leases:
    """The hash of all leases of a broker."""

    def __init__(self, client: redis.Redis, prefix: str = "") -> None:
        self._client = client
        self._key = prefix + keys.LEASES
        self._take = client.register_script(scripts.TAKE_LEASE)
        self._drop = client.register_script(scripts.DROP_LEASE)

    def now(self) -> float:
        """The broker's clock, in seconds since the epoch."""
        seconds, microseconds = self._client.time()
        return seconds + microseconds / 1_000_000

    def owners(self) -> dict[str, Owner]:
        """List who owns which name; records that can't be read are left out."""
        raw = cast("dict[bytes, bytes]", self._client.hgetall(self._key))
        found = {node.decode("utf-8", "replace"): _owner(text) for node, text in raw.items()}
        return {node: owner for node, owner in found.items() if owner}

    def take(self, node: str) -> Owner:
        """Own a name, or renew what this process owns.

        Raises:
            NameTaken: A live worker has it.
        """
        while True:
            seen = cast("bytes | None", self._client.hget(self._key, node)) or b""
            now = self.now()
            owner = _owner(seen)
            mine = _this_process(now)
            if owner and replace(owner, renewed_at=now) != mine and not owner.is_gone(now):
                raise NameTaken(
                    f"{node} already runs on {owner.host} with pid {owner.pid}; give one of them another -n"
                )
            if self._take(keys=[self._key], args=[node, seen, json.dumps(asdict(mine))]):
                return mine

    def take_from(self, node: str, owner: Owner) -> Owner | None:
        """Own a name whose owner is gone; None when somebody else took it meanwhile."""
        mine = _this_process(self.now())
        seen, new = json.dumps(asdict(owner)), json.dumps(asdict(mine))
        return mine if self._take(keys=[self._key], args=[node, seen, new]) else None

    def drop(self, node: str, owner: Owner) -> bool:
        """Free a name, unless its record changed since it was read."""
        return bool(self._drop(keys=[self._key], args=[node, json.dumps(asdict(owner))]))


def _owner(text: bytes) -> Owner | None:
    try:
        record = json.loads(text)
        owner = Owner(**cast("dict[str, Any]", record))
    except (ValueError, TypeError, RecursionError):
        return None
    fields: list[tuple[Any, type]] = [(owner.place, str), (owner.host, str), (owner.pid, int)]
    times: list[Any] = [owner.born_at, owner.renewed_at]
    is_right = all(isinstance(value, kind) for value, kind in fields) and owner.pid > 0
    return owner if is_right and all(isinstance(at, int | float) and math.isfinite(at) for at in times) else None


def _this_process(now: float) -> Owner:
    pid = os.getpid()
    return Owner(this_place(), socket.gethostname(), pid, _birth(pid) or 0.0, now)


def _birth(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None

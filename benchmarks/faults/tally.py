"""Traces of a million runs, a slot of fixed size for each, in a server that no fault touches.

Each run costs two short commands, however many there are. A run is its number; what was in its slot when it is started
again is kept apart, so that every repeated start can be accounted for.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import redis

_SLOT = struct.Struct("<ddII")
_NUMBER = struct.Struct("<I")
_TIME = struct.Struct("<d")
PER_PAGE = 10_000
"""Runs whose slots share a string of the server."""

_BEGIN = """
-- KEYS: page, repeated starts, how many began; ARGV: offset, the new slot, number of the run
local first = tonumber(ARGV[1])
local before = redis.call('GETRANGE', KEYS[1], first, first + #ARGV[2] - 1)
redis.call('SETRANGE', KEYS[1], first, ARGV[2])
if before == '' or before == string.rep('\\0', #ARGV[2]) then return redis.call('INCR', KEYS[3]) end
return redis.call('RPUSH', KEYS[2], ARGV[3] .. before .. ARGV[2])
"""

_END = """
-- KEYS: page, bits of the runs that are done, how many are; ARGV: offset of the end, the end, number of the run
redis.call('SETRANGE', KEYS[1], ARGV[1], ARGV[2])
if redis.call('SETBIT', KEYS[2], ARGV[3], 1) == 0 then redis.call('INCR', KEYS[3]) end
"""

_AGAIN, _BEGUN, _DONE_BITS, _DONE, _ACCEPTED = "again", "begun", "done-bits", "done-count", "accepted"


@dataclass(frozen=True)
class Start:
    """One start of a run.

    Attributes:
        started_at: Seconds since the epoch.
        ended_at: The same; 0 while it has not ended.
        child: Process that ran it.
        worker: Parent of that process.
    """

    started_at: float
    ended_at: float
    child: int
    worker: int

    @classmethod
    def unpack(cls, slot: bytes) -> Self:
        """Read a slot."""
        return cls(*_SLOT.unpack(slot))

    def pack(self) -> bytes:
        """Write a slot."""
        return _SLOT.pack(self.started_at, self.ended_at, self.child, self.worker)


@dataclass(frozen=True)
class Repeat:
    """A run that was started again: its number, the start before, the start again."""

    run: int
    before: Start
    again: Start


class Tally:
    """Notes and reads the traces.

    Args:
        client: The server that no fault touches.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client: Any = client
        self._begin = client.register_script(_BEGIN)
        self._end = client.register_script(_END)

    def begin(self, run: int) -> None:
        """Note that this process starts a run."""
        page, offset = divmod(run, PER_PAGE)
        slot = Start(time.time(), 0.0, os.getpid(), os.getppid()).pack()
        self._begin(keys=[f"page:{page}", _AGAIN, _BEGUN], args=[offset * _SLOT.size, slot, _NUMBER.pack(run)])

    def end(self, run: int) -> None:
        """Note that a run has ended."""
        page, offset = divmod(run, PER_PAGE)
        place = offset * _SLOT.size + struct.calcsize("<d")
        self._end(keys=[f"page:{page}", _DONE_BITS, _DONE], args=[place, struct.pack("<d", time.time()), run])

    def note_accepted(self, first: int, times: Sequence[float]) -> None:
        """Note when the broker accepted each of some runs, the first of which has this number."""
        self._client.setrange(_ACCEPTED, first * _TIME.size, b"".join(map(_TIME.pack, times)))

    def accepted_at(self, run: int) -> float:
        """Read when the broker accepted a run, in seconds since the epoch; 0 when that is not known."""
        first = run * _TIME.size
        raw = cast("bytes", self._client.getrange(_ACCEPTED, first, first + _TIME.size - 1))
        return float(_TIME.unpack(raw)[0]) if len(raw) == _TIME.size else 0.0

    @property
    def done(self) -> int:
        """How many runs have ended at least once."""
        return int(self._client.get(_DONE) or 0)

    def undone(self, first: int, end: int) -> list[int]:
        """List the runs of a range, its end excluded, that have not ended."""
        return unset(cast("bytes", self._client.get(_DONE_BITS) or b""), first, end)

    def unbegun(self, first: int, end: int) -> list[int]:
        """List the runs of a range, its end excluded, that never started."""
        return [run for run in range(first, end) if not self._slot(run).strip(b"\0")]

    def repeats(self, first: int = 0) -> list[Repeat]:
        """List the repeated starts in the order in which they came, from the one with this index on."""
        entries = cast("list[bytes]", self._client.lrange(_AGAIN, first, -1))
        return [_repeat(entry) for entry in entries]

    def _slot(self, run: int) -> bytes:
        page, offset = divmod(run, PER_PAGE)
        first = offset * _SLOT.size
        return bytes(self._client.getrange(f"page:{page}", first, first + _SLOT.size - 1))


def unset(bits: bytes, first: int, end: int) -> list[int]:
    """List the positions of a range, its end excluded, that are not set in a bitmap as the server keeps it."""
    size = len(bits) * 8
    return [at for at in range(first, end) if at >= size or not bits[at >> 3] & (0x80 >> (at & 7))]


def _repeat(entry: bytes) -> Repeat:
    (run,) = _NUMBER.unpack(entry[: _NUMBER.size])
    return Repeat(run, Start.unpack(entry[_NUMBER.size : -_SLOT.size]), Start.unpack(entry[-_SLOT.size :]))

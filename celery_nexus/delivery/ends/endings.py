"""Notes of ends: runs that will not run, whose end a worker or the guardian carries out.

A run whose message is deleted, purged, revoked or set aside is to end for everybody who waits for it: its result, its
chord, the rest of its chain, its errbacks, the history. Only a process with the application can do all of that, and
there may be none at that moment. So the script that takes the message away leaves a note in the same step, and the
next process that can carries it out; see :mod:`celery_nexus.delivery.ends.ending`. Nothing here needs Celery.

A note is a line of JSON (``reason``, ``detail``, ``undo``, ``told``, or ``lists`` of purged messages), then the
message's bytes.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, cast

import redis

from celery_nexus.connection.keys import EVENT_STREAM, EVENT_STREAM_LENGTH, RESULT_KEY
from celery_nexus.delivery import keys, scripts, validation
from celery_nexus.delivery.content import parts_of
from celery_nexus.delivery.ends.chord_records import GROUP_KEY

DELETED, PURGED, REVOKED, POISONED, UNKNOWN_TASK, MALFORMED, CHORD = (
    "deleted",
    "purged",
    "revoked",
    "poisoned",
    "unknown task",
    "malformed",
    "chord",
)
"""Reasons why a run will not run; ``chord``: no run, but a chord that is to be finished."""

REVOKING = frozenset({DELETED, PURGED, REVOKED})
"""Reasons that end a run as REVOKED; the others end it as FAILURE."""

LOCK_S = 5
"""Expiry of the lock of who carries out notes: what a dead holder did is done once more."""

SLICE = 100


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be done about one message, or about purged lists of them.

    Attributes:
        reason: One of the words above.
        detail: What exactly happened; outside text.
        undo: Token under which it can be taken back; empty when it can't.
        told: Whether result backend and history know already.
        lists: Keys of purged lists, whose messages all end so.
        place: How many of the first list's messages were dealt with.
        keeps: Whether the lists stay, so that the purge can be taken back.
        group: Id of a chord that is to be finished.
        worker: Node that set the message aside.
        raw: The message's bytes.
    """

    reason: str
    detail: str = ""
    undo: str = ""
    told: bool = False
    lists: tuple[str, ...] = ()
    place: int = 0
    keeps: bool = False
    group: str = ""
    worker: str = ""
    raw: bytes = b""

    def head(self) -> str:
        """Write the first line."""
        described = {name: value for name, value in asdict(self).items() if name != "raw" and value}
        return json.dumps(described)

    def encode(self) -> bytes:
        """Write the note."""
        return self.head().encode() + b"\n" + self.raw

    @property
    def is_counted(self) -> bool:
        """Whether the balance sheet has a line for the deleted message."""
        return self.reason in (DELETED, PURGED) and keys.PUBLICATION_MARK in self.raw


def parse(encoded: bytes) -> Note | None:
    """Read a note; None when it is none of ours."""
    line, _, raw = encoded.partition(b"\n")
    head = validation.decode_loosely(line) or {}
    lists, place = head.get("lists"), head.get("place")
    if not isinstance(head.get("reason"), str):
        return None
    return Note(
        reason=head["reason"],
        detail=str(head.get("detail", "")),
        undo=str(head.get("undo", "")),
        told=bool(head.get("told")),
        lists=tuple(map(str, cast("list[Any]", lists))) if isinstance(lists, list) else (),
        place=place if isinstance(place, int) else 0,
        keeps=bool(head.get("keeps")),
        group=str(head.get("group", "")),
        worker=str(head.get("worker", "")),
        raw=raw,
    )


class Ends:
    """The notes of one broker.

    Args:
        client: Connection to it.
        prefix: kombu's ``global_keyprefix``.
    """

    def __init__(self, client: redis.Redis, prefix: str = "") -> None:
        self._client = client
        self._prefix = prefix
        self.key = prefix + keys.ENDS
        self._lock = prefix + keys.ENDS_LOCK
        self._release = client.register_script(scripts.RELEASE_LOCK)

    def add(self, note: Note) -> None:
        """Leave a note."""
        self._client.rpush(self.key, note.encode())

    def carry_out(self, end: Callable[[Note], None], most_s: float) -> int:
        """Carry notes out in their order, for about so many seconds; returns how many messages were dealt with.

        Does nothing while another process does it.

        Args:
            end: Ends the run of one message; an error of it leaves the note for later.
            most_s: Seconds.

        Raises:
            RedisError: The broker does not answer.
        """
        if not self._client.exists(self.key):
            return 0
        done, until = 0, time.monotonic() + most_s
        with self.hold_lock(patience_s=0.0) as renew:
            while renew is not None and (found := cast("bytes | None", self._client.lindex(self.key, 0))) is not None:
                note = parse(found)
                if note is not None and note.lists:
                    done += self._end_slice(note, found, end)
                else:
                    if note is not None:
                        end(note)
                    self._client.lrem(self.key, 1, cast("Any", found))
                    done += 1
                if time.monotonic() >= until:
                    break
                renew()
        return done

    def forget(self, undo: str) -> list[Note]:
        """Drop the notes of a change that is taken back, and return them; to be called within :meth:`hold_lock`."""
        dropped: list[Note] = []
        start = 0
        while rows := cast("list[bytes]", self._client.lrange(self.key, start, start + SLICE - 1)):
            mine = {row: note for row in rows if (note := parse(row)) is not None and note.undo == undo}
            for row in mine:
                self._client.lrem(self.key, 0, cast("Any", row))
            dropped += mine.values()
            start += sum(row not in mine for row in rows)
        return dropped

    @contextmanager
    def hold_lock(self, patience_s: float) -> Generator[Callable[[], object] | None]:
        """Let no other process carry out notes; yields what renews that, or None when another one has it.

        Args:
            patience_s: How long to wait for it.
        """
        mine, until = secrets.token_hex(8), time.monotonic() + patience_s
        while not (has_it := bool(self._client.set(self._lock, mine, nx=True, ex=LOCK_S))):
            if time.monotonic() >= until:
                break
            time.sleep(0.05)
        try:
            yield (lambda: self._client.expire(self._lock, LOCK_S)) if has_it else None
        finally:
            if has_it:
                self._release(keys=[self._lock], args=[mine])

    def _end_slice(self, note: Note, found: bytes, end: Callable[[Note], None]) -> int:
        """End the runs of a few purged messages, and write down how far that went."""
        rows = read_purged(self._client, note.lists[0], note.place, SLICE)
        for raw in rows:
            end(Note(note.reason, note.detail, note.undo, note.told, raw=raw))
        is_over = len(rows) < SLICE
        if is_over and not note.keeps:
            self._client.unlink(note.lists[0])
        left = note.lists[1:] if is_over else note.lists
        place = 0 if is_over else note.place + len(rows)
        if left:
            rest = Note(note.reason, note.detail, note.undo, note.told, left, place, note.keeps)
            self._client.lset(self.key, 0, cast("Any", rest.encode()))
        else:
            self._client.lrem(self.key, 1, cast("Any", found))
        return len(rows)


def read_purged(client: redis.Redis, key: str, start: int, count: int) -> list[bytes]:
    """Read some messages of a purged list or sorted set of delayed ones, as they were published."""
    try:
        return cast("list[bytes]", client.lrange(key, start, start + count - 1))
    except redis.ResponseError:
        members = cast("list[bytes]", client.zrange(key, start, start + count - 1))
        return [keys.split_delayed_member(member)[1] for member in members]


def revive(client: redis.Redis, prefix: str, raw: bytes) -> tuple[str, ...]:
    """Forget the end of a run that is to run after all, and its part of a chord that has not ended yet.

    Args:
        client: The broker.
        prefix: kombu's ``global_keyprefix``.
        raw: The run's message.

    Returns:
        Its id, and those of what follows it in its chain.
    """
    parts = tuple(parts_of(validation.decode_loosely(raw) or {}))
    for part in parts:
        names = [f"{prefix}{RESULT_KEY}{part.id}"]
        if part.group is not None:
            names += [f"{prefix}{GROUP_KEY}{part.group}{kind}" for kind in (".j", ".d", ".c")]
        client.eval(scripts.REVIVE, len(names), *names, part.id, part.place)
    return tuple(part.id for part in parts)


def tell(client: redis.Redis, prefix: str, notes: Sequence[Note], exception: str = "") -> None:
    """Tell the event stream that runs have ended, and the balance sheet which of them an operator deleted.

    Args:
        client: The broker.
        prefix: kombu's ``global_keyprefix``.
        notes: What became of the runs.
        exception: Of those that failed, as Celery's events spell it.
    """
    pipeline = client.pipeline(transaction=True)
    counted = 0
    for note in notes:
        run_id, task = validation.run_of(validation.decode_loosely(note.raw))
        if run_id is None:
            continue
        teller = note.worker or f"nexus@{socket.gethostname()}"
        event = _event(note, exception) | {"uuid": run_id, "name": task, "hostname": teller}
        pipeline.xadd(prefix + EVENT_STREAM, {"d": json.dumps(event)}, maxlen=EVENT_STREAM_LENGTH, approximate=True)
        counted += note.is_counted
    if counted:
        pipeline.hincrby(prefix + keys.COUNTERS, keys.DELETED_ENDED, counted)
    if len(pipeline):
        pipeline.execute()


def _event(note: Note, exception: str) -> dict[str, Any]:
    common = {"timestamp": time.time(), "pid": os.getpid(), "clock": 0, "utcoffset": 0}
    if note.reason in REVOKING:
        why = "" if note.reason == REVOKED else note.reason
        return common | {"type": "task-revoked", "terminated": False, "signum": None, "expired": False, "why": why}
    return common | {"type": "task-failed", "exception": exception, "traceback": ""}

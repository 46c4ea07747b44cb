"""Edits of a waiting message: its new place, and the bytes of it that change."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol

from celery_nexus.broker.wire.chord_parts import is_chord_part
from celery_nexus.broker.wire.payload import replace_member
from celery_nexus.delivery.ends import endings as ends
from celery_nexus.errors import Invalid
from celery_nexus.queues import PRIORITIES
from celery_nexus.rows.broker import Message


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one message.

    Attributes:
        queue: Where it waits afterwards.
        priority: At which priority.
        raw: Its new bytes; empty when it is taken out.
        front: Whether it runs next there, not last.
        done: What is said when it was done.
        ends: Why its run ends with that, in a word of ``delivery/ends/endings.py``; empty when nobody is told.
    """

    queue: str
    priority: int
    raw: bytes
    front: bool
    done: str
    ends: str = ""
    told: bool = False


class NothingToDo(Exception):
    """The message is already as wanted, or can't be changed so; ``is_done`` tells which, the text says why."""

    def __init__(self, text: str, *, is_done: bool) -> None:
        super().__init__(text)
        self.is_done = is_done


class Edit(Protocol):
    """A change that can be made to any waiting message."""

    past: ClassVar[str]
    """What is said of many: ``moved``."""

    @property
    def front(self) -> bool:
        """Whether messages run next where they go."""
        ...

    @property
    def goes_back(self) -> bool:
        """Whether messages run last where they go, in their order."""
        ...

    def plan_change(self, message: Message) -> Change:
        """Say what becomes of a message.

        Raises:
            NothingToDo: It stays as it is.
            Invalid: It is not Celery's.
        """
        ...


@dataclass(frozen=True, slots=True)
class Delete:
    """Take a message out.

    Attributes:
        ends: Why its run ends, in a word of :mod:`celery_nexus.delivery.ends.endings`; empty when nobody is told.
        told: Whether who makes the change tells result backend and history of that; else workers or guardian do.
    """

    past: ClassVar[str] = "deleted"
    ends: str = ends.DELETED
    told: bool = True
    front: bool = False
    goes_back: bool = False

    def plan_change(self, message: Message) -> Change:
        """Take it out."""
        return Change(message.queue, message.priority, b"", False, self.past, self.ends, self.told)


@dataclass(frozen=True, slots=True)
class DeleteButChords:
    """Take a message out of a stranger's queue, unless her own workers have to end its run for the sake of a chord.

    Attributes:
        parts: Takes the ids of the runs whose messages stay.
    """

    past: ClassVar[str] = "deleted"
    parts: list[str] = field(default_factory=lambda: [], compare=False)
    front: bool = False
    goes_back: bool = False

    def plan_change(self, message: Message) -> Change:
        """Take it out."""
        if is_chord_part(message.raw):
            self.parts.append(message.id)
            raise NothingToDo(LEFT_TO_WORKERS, is_done=True)
        return Change(message.queue, message.priority, b"", False, self.past)


LEFT_TO_WORKERS = "parts of chords: their workers throw them away, and end the chords"


@dataclass(frozen=True, slots=True)
class Reprioritise:
    """Give a message another priority of its queue."""

    past: ClassVar[str] = "moved"
    priority: int
    front: bool = False

    @property
    def goes_back(self) -> bool:
        """Whether messages run last where they go, in their order."""
        return not self.front

    def plan_change(self, message: Message) -> Change:
        """Change its place, and what it says of its priority: redelivery and retry read that."""
        if message.priority == self.priority and not self.front:
            raise NothingToDo(f"has priority {self.priority} already", is_done=True)
        raw = _changed(message.raw, ("properties", "priority"), self.priority)
        if message.is_delayed:
            done = f"gets priority {self.priority} when due"
        else:
            done = f"moved to {'the front of ' if self.front else ''}priority {self.priority}"
        return Change(message.queue, self.priority, raw, self.front, done)


@dataclass(frozen=True, slots=True)
class MoveTo:
    """Move a message to the same priority of another queue."""

    past: ClassVar[str] = "moved"
    queue: str
    front: bool = False

    @property
    def goes_back(self) -> bool:
        """Whether messages run last where they go, in their order."""
        return not self.front

    def plan_change(self, message: Message) -> Change:
        """Change its place, and its route: a worker that gives it back, and a retry, go by that."""
        if message.is_delayed:
            raise NothingToDo("waits for its time; move it when it is due", is_done=False)
        if message.queue == self.queue:
            raise NothingToDo(f"is in {self.queue} already", is_done=True)
        route = {"exchange": self.queue, "routing_key": self.queue}
        raw = _changed(message.raw, ("properties", "delivery_info"), route)
        return Change(self.queue, message.priority, raw, self.front, f"moved to {self.queue}")


@dataclass(frozen=True, slots=True)
class Retime:
    """Let a delayed message run at another time; None: now."""

    past: ClassVar[str] = "changed"
    due_at: datetime | None
    front: bool = False
    goes_back: bool = False

    def plan_change(self, message: Message) -> Change:
        """Change its time."""
        if message.eta is None and not message.is_delayed:
            raise NothingToDo("waits for its turn, not for a time", is_done=False)
        eta = None if self.due_at is None else self.due_at.astimezone(UTC).isoformat()
        raw = _changed(message.raw, ("headers", "eta"), eta)
        done = "runs as soon as a worker is free" if self.due_at is None else f"runs at {self.due_at.isoformat()}"
        return Change(message.queue, message.priority, raw, False, done)


def check_priority(priority: int) -> None:
    """Make sure that a priority exists.

    Raises:
        Invalid: It is outside 0…9.
    """
    if priority not in PRIORITIES:
        raise Invalid(f"priority {priority}: give one from 0 (first) to 9 (last)")


def _changed(raw: bytes, path: tuple[str, ...], value: Any) -> bytes:
    try:
        return replace_member(raw, path, value)
    except ValueError as error:
        raise Invalid(f"not a message of Celery: {error}") from None

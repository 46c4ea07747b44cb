"""Rows of the broker: queues and messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from celery_nexus.rows.slo import SloStatus


@dataclass(frozen=True, slots=True)
class QueueStats:
    """A queue as observed at one instant.

    Attributes:
        name: Its name on the broker.
        waiting: Messages in its lists, all priorities.
        by_priority: Messages by priority, ten numbers, 0 first.
        in_flight: Delivered to a worker and not acknowledged.
        delayed: Before their time (``eta``): kept by the broker, or by a stock worker in its memory.
        next_due_at: When the first of the delayed is due (aware, UTC), as far as known.
        oldest_age_s: Age of the oldest waiting message in seconds, as stamped at publish, else by its events.
        oldest_is_at_least: Whether the age is a lower bound: a message tells no time, and is known since then.
        in_per_s: Messages published a second, over the last few readings.
        out_per_s: Messages taken a second, over the last few readings.
        consumers: Names of the workers that consume it; None when no worker could be asked.
        paused: Whether an operator paused it.
        paused_workers: Who consumed it when it was paused.
        declared: Whether it is in the registry; None for an application of which we know none.
        is_orphan: Whether neither the registry nor an exchange knows it.
        verdict: Kind of the worst finding about it: ``no consumer``, ``growing`` …; empty when there is none.
        reason: What proves the verdict.
        slo: How far its service level is kept; None when it has none, or nobody measured.
        history: Waiting over the last minutes, oldest first, for sparklines.
    """

    name: str
    waiting: int
    by_priority: tuple[int, ...]
    in_flight: int | None = None
    delayed: int | None = None
    oldest_age_s: float | None = None
    oldest_is_at_least: bool = False
    in_per_s: float | None = None
    out_per_s: float | None = None
    consumers: tuple[str, ...] | None = None
    paused: bool = False
    declared: bool | None = True
    history: tuple[int, ...] = ()
    next_due_at: datetime | None = None
    is_orphan: bool = False
    paused_workers: tuple[str, ...] = ()
    verdict: str = ""
    reason: str = ""
    slo: SloStatus | None = None

    @property
    def flag(self) -> str:
        """What is wrong with it: ``no consumer`` for messages that nobody takes, ``orphan`` for workers that wait at a
        queue to which nothing leads, ``taken from`` for a paused one that workers take from nevertheless; empty when
        nothing is, or nobody knows."""
        if self.paused and self.consumers:
            return "taken from"
        if self.waiting and self.consumers == () and not self.paused:
            return "no consumer"
        return "orphan" if self.consumers and self.is_orphan else ""

    @property
    def drains_in_s(self) -> float | None:
        """Seconds until it is empty at the present rate; None when it does not shrink or nothing is known."""
        if not self.waiting:
            return 0.0
        if self.in_per_s is None or self.out_per_s is None or self.out_per_s <= self.in_per_s:
            return None
        return self.waiting / (self.out_per_s - self.in_per_s)


@dataclass(frozen=True, slots=True)
class BeatStats:
    """Beat, as far as its schedule is kept in Redis.

    Attributes:
        is_held: Whether a beat holds the lock of the schedule.
        late_s: Seconds since the entry that is due first was due; 0 when none is.
    """

    is_held: bool
    late_s: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of the broker: bytes that it uses, and may use (``maxmemory``, else what its machine has)."""

    used_bytes: int
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class Message:
    """One waiting message, decoded.

    Attributes:
        id: Id of the run it starts; empty for what is not Celery's.
        task: Task name; empty for what is not Celery's.
        queue: Queue that holds it.
        priority: Its priority, 0 first.
        position: Place in run order, 0 is next.
        age_s: Seconds since it was published, or None for a producer that stamps no time.
        args: Positional arguments, masked; or None when the body can't be read.
        kwargs: Keyword arguments, masked; or None when the body can't be read.
        eta: Not before this time, or None.
        headers: Its Celery headers.
        problem: Why it could not be decoded; empty when it could.
        raw: The bytes in Redis: what an atomic change must match exactly.
        depth: Messages of its own priority that run before it, when last seen; None when unknown.
        is_delayed: Whether it waits for its time in the broker, not in a list.
    """

    id: str
    task: str
    queue: str
    priority: int
    position: int
    age_s: float | None
    args: list[Any] | None
    kwargs: dict[str, Any] | None
    eta: datetime | None = None
    headers: dict[str, Any] = field(default_factory=dict[str, Any])
    problem: str = ""
    raw: bytes = b""
    depth: int | None = None
    is_delayed: bool = False


@dataclass(frozen=True, slots=True)
class FoundMessages:
    """What a search of a queue found so far.

    Attributes:
        messages: In run order.
        looked: How many messages were looked at.
        waiting: How many waited when it began.
        is_complete: Whether it has ended.
        is_cut: Whether it ended because enough were found.
    """

    messages: tuple[Message, ...]
    looked: int = 0
    waiting: int = 0
    is_complete: bool = True
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class UnreadList:
    """A list that holds messages of a queue, and that none of its workers reads.

    Attributes:
        queue: The queue.
        priority: What its name says; may be beyond 9.
        name: Its name without the application's prefix: with another separator, or a priority without a list.
        waiting: Its messages.
    """

    queue: str
    priority: int
    name: str
    waiting: int


@dataclass(frozen=True, slots=True)
class Held:
    """A message that a worker took and has not acknowledged.

    Attributes:
        id: Id of its run; empty for what is not Celery's.
        task: Task name.
        queue: Where it came from.
        worker: Node that holds it; None with stock delivery, which does not note it.
        since: When it was taken (aware, UTC); None with reliable delivery, which does not note that.
        redelivered_at: When it goes back to its queue by itself; None when that is decided by its worker's death.
        due_at: Not before this time, or None.
    """

    id: str
    task: str
    queue: str
    worker: str | None = None
    since: datetime | None = None
    redelivered_at: datetime | None = None
    due_at: datetime | None = None

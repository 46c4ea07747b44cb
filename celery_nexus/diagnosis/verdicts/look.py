"""Observations of workers and queues: one look, and two to compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from celery_nexus.errors import SourceError
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.diagnosis.connections import Connections
from celery_nexus.rows.workers import Worker

LEAST_S = 1.5
"""Two looks that are nearer to each other prove nothing: kombu's blocking pop itself waits a second."""


@dataclass(frozen=True)
class Look:
    """What was seen at one moment.

    Attributes:
        at_s: When, by a clock that only goes forward.
        workers: Every known worker, with its program.
        queues: Every known queue.
        connections: Connections to the broker's database; None when ``CLIENT LIST`` is not allowed.
        heads: Digest of the next message of queues that stand under suspicion.
        limited: Workers that may hold messages back for a rate limit, and tell nobody: those whose tasks have one.
        restarts: How often workers were seen to start anew under the same name, within some minutes.
        problem: Why the workers could not be asked; None when they were.
        dismissed: Names of mailboxes that are bound while nobody listens there: workers that are gone, or cut off.
    """

    at_s: float
    workers: tuple[Worker, ...] = ()
    queues: tuple[QueueStats, ...] = ()
    connections: Connections | None = None
    heads: Mapping[str, str] = field(default_factory=dict[str, str])
    limited: frozenset[str] = frozenset()
    restarts: Mapping[str, int] = field(default_factory=dict[str, int])
    dismissed: tuple[str, ...] = ()
    problem: SourceError | None = None

    @cached_property
    def workers_by_name(self) -> Mapping[str, Worker]:
        """Workers by their node names."""
        return {row.name: row for row in self.workers}

    @cached_property
    def queues_by_name(self) -> Mapping[str, QueueStats]:
        """Queues by their names."""
        return {row.name: row for row in self.queues}

    @cached_property
    def workers_by_queue(self) -> Mapping[str, Sequence[Worker]]:
        """Workers by the queues that they take from, by their own word."""
        found: dict[str, list[Worker]] = {}
        for row in self.workers:
            for queue in row.queues:
                found.setdefault(queue, []).append(row)
        return found

    @cached_property
    def in_flight(self) -> int | None:
        """Messages that workers hold; None when a queue does not tell."""
        counts = [row.in_flight for row in self.queues]
        known = [count for count in counts if count is not None]
        delayed = sum(row.delayed or 0 for row in self.queues)
        return None if len(known) < len(counts) else sum(known) + delayed


@dataclass(frozen=True)
class Looks:
    """What was seen at two moments; nothing that takes time is concluded from one.

    Attributes:
        now: The later one.
        before: The earlier one; None when there was only one.
    """

    now: Look
    before: Look | None = None

    @property
    def span_s(self) -> float:
        """Seconds between the two; 0 when there was only one."""
        return self.now.at_s - self.before.at_s if self.before else 0.0

    @property
    def is_long_enough(self) -> bool:
        """Whether something can be concluded from what has not moved."""
        return self.span_s >= LEAST_S

    def earlier(self, worker: Worker) -> Worker | None:
        """Find a worker at the earlier look; None when it was not there, or another process had its name."""
        before = self.before.workers_by_name.get(worker.name) if self.before else None
        return before if before is not None and before.pid == worker.pid else None

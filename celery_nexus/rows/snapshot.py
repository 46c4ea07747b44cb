"""Snapshot of all sources at one instant, each part with its age and its last error."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.runs import Run
from celery_nexus.rows.workers import Program, Worker

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What a source last said.

    Attributes:
        value: The last good value; None before the first.
        taken_at: When it was taken (aware, UTC); None before the first.
        problem: Why the latest attempt failed; empty while the source answers.
    """

    value: T | None = None
    taken_at: datetime | None = None
    problem: str = ""

    def age_s(self, now: datetime | None = None) -> float | None:
        """Seconds since the value was taken."""
        return ((now or datetime.now(UTC)) - self.taken_at).total_seconds() if self.taken_at else None

    def with_value(self, value: T, now: datetime) -> Reading[T]:
        """Return the reading with a fresh value."""
        return Reading(value, now)

    def with_problem(self, problem: str) -> Reading[T]:
        """Return the reading with its old value and the reason why there is no new one."""
        return Reading(self.value, self.taken_at, problem)


def _unread() -> Reading[Any]:
    return Reading()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What every source last said."""

    queues: Reading[tuple[QueueStats, ...]] = field(default_factory=_unread)
    workers: Reading[tuple[Worker, ...]] = field(default_factory=_unread)
    programs: Reading[tuple[Program, ...]] = field(default_factory=_unread)
    runs: Reading[tuple[Run, ...]] = field(default_factory=_unread)

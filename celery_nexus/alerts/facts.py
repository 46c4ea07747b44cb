"""Facts that alert rules are compared with, as of one look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from celery_nexus.queues import AlertThresholds
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.history import TaskStats
from celery_nexus.rows.workers import Worker


@dataclass(frozen=True, slots=True)
class Facts:
    """What one look saw; None is unknown, which neither raises nor clears anything.

    Attributes:
        at: When, in seconds since the epoch.
        problem: Why the broker could not be read; empty when it was.
        queues: Every known queue, with its verdict.
        workers: Every known worker, with its verdict.
        thresholds: What queues declared of themselves.
        dead_letters: Messages that were set aside.
        beat_late_s: Seconds by which the entry that is due first is late, or for which no beat was seen.
        disk: Share of each disk that is used, in per cent, by folder.
        memory: Share of its memory that the broker, or a worker, uses, in per cent, by name.
        outcomes: What became of runs, by task and queue, by the length of the window in seconds.
    """

    at: float
    problem: str = ""
    queues: tuple[QueueStats, ...] | None = None
    workers: tuple[Worker, ...] | None = None
    thresholds: Mapping[str, AlertThresholds] = field(default_factory=dict[str, AlertThresholds])
    dead_letters: int | None = None
    beat_late_s: float | None = None
    disk: Mapping[str, float] | None = None
    memory: Mapping[str, float] | None = None
    outcomes: Mapping[int, tuple[TaskStats, ...]] = field(default_factory=dict[int, "tuple[TaskStats, ...]"])

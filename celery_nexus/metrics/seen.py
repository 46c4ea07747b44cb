"""Facts that one scrape tells of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from celery_nexus.metrics.totals import Key, Tally
from celery_nexus.rows.alerts import OpenAlert
from celery_nexus.rows.broker import BeatStats, QueueStats
from celery_nexus.rows.workers import Worker


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read at one moment; None is unknown, and then has no metric.

    Attributes:
        problem: Why the broker could not be read; empty when it was.
        is_replica: Whether the broker is a replica: what workers do is seen at its primary alone.
        queues: Every known queue.
        workers: Every known worker, with its verdict.
        workers_age_s: Seconds since the workers were asked.
        runs: What became of runs since the year began; None when there is no history.
        history_problem: Why there is none, or why it can't be read.
        lag_s: Seconds by which the recorder is behind.
        dead_letters: Messages that reliable delivery set aside.
        beat: RedBeat's lock and schedule.
        alerts: Alerts that are raised, as of the last look of who watches.
    """

    problem: str = ""
    is_replica: bool = False
    queues: tuple[QueueStats, ...] = ()
    workers: tuple[Worker, ...] = ()
    workers_age_s: float | None = None
    runs: Mapping[Key, Tally] | None = None
    history_problem: str = ""
    lag_s: float | None = None
    dead_letters: int | None = None
    beat: BeatStats | None = field(default=None)
    alerts: tuple[OpenAlert, ...] = ()

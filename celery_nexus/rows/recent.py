"""Row of the newest runs, for Pulse."""

from __future__ import annotations

from dataclasses import dataclass

from celery_nexus.rows.history import TaskStats
from celery_nexus.rows.runs import Run


@dataclass(frozen=True, slots=True)
class Recent:
    """What runs, what ended last, what failed last; newest first.

    Attributes:
        version: The history's version that it was read at.
        latest: The newest runs of any state.
        running: Runs that have started and not ended.
        failures: The newest failed runs.
        running_total: How many run, in words: ``2,000``, ``≥ 2,000``.
        failures_total: How many failed of all that are kept, in words.
        hour: What became of the runs of the last hour; None when nothing did.
    """

    version: int
    latest: tuple[Run, ...] = ()
    running: tuple[Run, ...] = ()
    failures: tuple[Run, ...] = ()
    running_total: str = ""
    failures_total: str = ""
    hour: TaskStats | None = None

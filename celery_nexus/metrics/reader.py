"""Reader of everything that one scrape tells of: queues at once, workers and verdicts as of the last look at them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from celery_nexus.alerts.levels import ServiceLevels
from celery_nexus.alerts.source import AlertSource
from celery_nexus.broker.dead_letters import DeadLetterSource
from celery_nexus.diagnosis.verdicts.judge import judge_queues, judge_workers
from celery_nexus.diagnosis.verdicts.look import Looks
from celery_nexus.diagnosis.watch import Watch, observe
from celery_nexus.errors import SourceError
from celery_nexus.metrics.seen import Seen
from celery_nexus.metrics.totals import Key, Tally, YearTotals
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.text import safe_text
from celery_nexus.rows.workers import Worker
from celery_nexus.sources import Sources

LOOK_EVERY_S = 12.0
"""Pause between two looks at the workers while metrics are served, however often they are scraped; less than
:data:`~celery_nexus.diagnosis.watch.REMEMBERED_S`, after which a look is compared with none."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Judged:
    """Workers and queues with their verdicts, as of one look.

    Attributes:
        at_s: When, by the clock that only goes forward.
        workers: Every known worker.
        queues: Every known queue.
        problem: Why the broker could not be read.
    """

    at_s: float
    workers: tuple[Worker, ...] = ()
    queues: tuple[QueueStats, ...] = ()
    problem: str = ""


def judge(sources: Sources, looks: Looks) -> Judged:
    """Conclude the verdicts of a look."""
    queues = judge_queues(looks, sources.code.queues.names)
    return Judged(time.monotonic(), tuple(judge_workers(looks)), tuple(queues))


class Watching:
    """Looks at workers and queues again and again, in a thread of its own.

    Args:
        sources: Of the application.
        every_s: Pause between two looks.
    """

    def __init__(self, sources: Sources, every_s: float = LOOK_EVERY_S) -> None:
        self._sources = sources
        self._every_s = every_s
        self._latest: Judged | None = None
        self._is_first = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End after the look that is under way."""
        self._stopping.set()

    def wait_for_latest(self, timeout_s: float) -> Judged | None:
        """Return the last look; the first one is waited for, but for no longer than a time."""
        self._is_first.wait(timeout_s)
        return self._latest

    def _run(self) -> None:
        watch = Watch(self._sources)
        while not self._stopping.is_set():
            try:
                self._latest = judge(self._sources, watch.read())
            except SourceError as problem:
                self._latest = Judged(time.monotonic(), problem=str(problem))
            self._is_first.set()
            self._stopping.wait(self._every_s)


FIRST_LOOK_S = 3.0
"""Longest wait of the first scrape for the first look."""


class MetricsReader:
    """Reads what a scrape tells of. Not thread-safe.

    Args:
        sources: Of the application.
        watching: Looks at its workers all the time; None: they are looked at when it is read.
    """

    def __init__(self, sources: Sources, watching: Watching | None = None) -> None:
        self._sources = sources
        self._watching = watching
        self._levels = ServiceLevels(sources)
        self._totals = YearTotals(sources.history)

    def read(self) -> Seen:
        """Read everything; what can't be read is left out, and without the broker nothing is told but that."""
        try:
            is_replica = self._sources.broker.is_replica()
            judged, queues = (None, self._sources.broker.queues()) if is_replica else self._look()
        except SourceError as problem:
            return Seen(problem=safe_text(str(problem)))
        history = self._sources.history
        runs, problem = self._read_runs()
        return Seen(
            is_replica=is_replica,
            queues=self._levels.attach(queues),
            workers=() if judged is None else judged.workers,
            workers_age_s=None if judged is None else time.monotonic() - judged.at_s,
            runs=runs,
            history_problem=problem,
            lag_s=history.lag_s() if history.exists else None,
            dead_letters=self._count_dead_letters(),
            beat=_known(self._sources.broker.read_beat),
            alerts=_known(AlertSource.open(self._sources).list_open) or (),
        )

    def _look(self) -> tuple[Judged | None, tuple[QueueStats, ...]]:
        """Read queues now; workers and verdicts as of the last look, when somebody looks all the time.

        Raises:
            Unreachable: The broker does not answer.
        """
        if self._watching is None:
            judged = judge(self._sources, observe(self._sources))
            return judged, judged.queues
        judged = self._watching.wait_for_latest(FIRST_LOOK_S)
        queues = self._sources.broker.queues(self._sources.control.consumers())
        if judged is None or judged.problem:
            return None, queues
        verdicts = {row.name: row.verdict for row in judged.queues}
        return judged, tuple(replace(row, verdict=verdicts.get(row.name, "")) for row in queues)

    def _read_runs(self) -> tuple[Mapping[Key, Tally] | None, str]:
        if not self._sources.history.exists:
            return None, f"there is no history at {self._sources.history.path}"
        try:
            return self._totals.read(time.time()), ""
        except SourceError as problem:
            return None, str(problem)

    def _count_dead_letters(self) -> int | None:
        broker = self._sources.broker
        if self._sources.is_foreign and not any(layout.is_reliable for layout in broker.layouts):
            return None
        return _known(DeadLetterSource(broker).count)


def _known(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except SourceError:
        return None

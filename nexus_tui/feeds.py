"""Feeds of the dashboard: one part of the snapshot each, read in a thread at its own pace."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from celery_nexus.alerts.levels import ServiceLevels
from celery_nexus.diagnosis.verdicts.judge import judge_queues, judge_workers
from celery_nexus.diagnosis.verdicts.look import Look, Looks
from celery_nexus.diagnosis.watch import Watch, join_programs
from celery_nexus.errors import SourceError
from celery_nexus.rows import moment
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.history import Recent
from celery_nexus.rows.snapshot import Reading, Snapshot
from celery_nexus.rows.text import age
from celery_nexus.rows.workers import Program, Worker
from celery_nexus.sources import Sources
from nexus_tui.screens.frame.host import Troubles
from nexus_tui.threads.poller import Feed

ASK_AGAIN_S = 10.0
"""Interval at which programs without new traces are asked for."""

_OF_PROGRAM = frozenset({"stopped", "crash-looping"})
"""Verdicts that Supervisor's word alone proves."""

_SETTLED = frozenset({"RUNNING", "STOPPED", "EXITED", "FATAL"})
"""States of a program that don't pass by themselves."""

TROUBLE_EVERY_S = 2.0
"""Interval of checks of the recorder: a history that stands still looks the same when all is calm."""

LATEST, RUNNING, FAILURES = 1, 50, 50
BUDGET_S = 0.2
HOUR_S = 3600.0

NOTHING_RECENT = Recent(version=-1)
UNKNOWN_PLACE = "…"


class Known(Protocol):
    """What is known of one application, as the dashboard asks for it."""

    @property
    def place(self) -> str:
        """What the broker is, in words."""
        ...

    @property
    def snapshot(self) -> Snapshot:
        """What every source last said."""
        ...

    @property
    def recent(self) -> Recent:
        """The newest part of the history."""
        ...

    @property
    def troubles(self) -> Troubles:
        """What is wrong with the data now."""
        ...

    def start(self) -> None:
        """Begin to read."""
        ...

    def stop(self) -> None:
        """Stop after what is under way."""
        ...

    def read_now(self) -> None:
        """Read everything now."""
        ...


class Feeds:
    """Queues, workers, programs and the newest runs of one application.

    Args:
        sources: Where they are read.
        changed: Called in a feed's thread when something would be drawn otherwise.

    Attributes:
        place: What the broker is, in words.
    """

    def __init__(self, sources: Sources, changed: Callable[[], object]) -> None:
        self.place = UNKNOWN_PLACE
        self._sources = sources
        self._tell = changed
        self._watch = Watch(sources)
        self._levels = ServiceLevels(sources)
        self._looks = Looks(Look(0.0))
        self._judged: tuple[object, object, Reading[tuple[QueueStats, ...]]] = (None, None, Reading())
        self._joined: tuple[object, object, object, Reading[tuple[Worker, ...]]] = (None, None, None, Reading())
        self.queues = Feed(
            "broker", self._read_queues, self._changed, interval_s=0.5, calm_s=0.8, essence=essence_of_queues
        )
        self.workers = Feed(
            "workers",
            self._read_workers,
            changed,
            interval_s=2.0,
            calm_s=5.0,
            essence=essence_of_workers,
        )
        self.programs = Feed(
            "supervisor", program_reader(sources), self._changed, interval_s=0.8, essence=essence_of_programs
        )
        self.runs = Feed("history", recent_reader(sources), self._changed, interval_s=0.5, calm_s=0.7)

    def start(self) -> None:
        """Begin to read."""
        for feed in self.all:
            feed.start()

    def stop(self) -> None:
        """Stop after what is under way."""
        for feed in self.all:
            feed.stop()

    def read_now(self) -> None:
        """Read everything now."""
        for feed in self.all:
            feed.read_now()

    @property
    def snapshot(self) -> Snapshot:
        """What every source last said, with verdicts, workers joined with programs."""
        return Snapshot(self._judged_queues(), self._joined_workers(), self.programs.reading)

    @property
    def recent(self) -> Recent:
        """The newest part of the history."""
        return self.runs.reading.value or NOTHING_RECENT

    @property
    def troubles(self) -> Troubles:
        """What is wrong with the data now."""
        now = moment.now()
        return Troubles(*(feed.trouble(now) for feed in self.all))

    @property
    def all(self) -> tuple[Feed[Any], ...]:
        """Every feed."""
        return (self.queues, self.workers, self.programs, self.runs)

    def _changed(self) -> None:
        self.workers.hurry()
        self._tell()

    def _read_queues(self) -> tuple[QueueStats, ...]:
        if self.place == UNKNOWN_PLACE:
            self.place = self._sources.broker.describe()
        return self._levels.attach(self._sources.broker.queues(self._sources.control.consumers()))

    def _read_workers(self) -> tuple[Worker, ...]:
        self._looks = self._watch.look(self._sources.control.workers(), self.queues.reading.value or ())
        return judge_workers(self._looks)

    def _judged_queues(self) -> Reading[tuple[QueueStats, ...]]:
        """What was read last of queues, with the verdicts that follow from it and from the last look at workers."""
        read, looks = self.queues.reading, self._looks
        if self._judged[0] is not read or self._judged[1] is not looks:
            now = replace(looks.now, queues=read.value or ())
            rows = judge_queues(replace(looks, now=now), self._sources.code.queues.names)
            self._judged = (read, looks, replace(read, value=None if read.value is None else rows))
        return self._judged[2]

    def _joined_workers(self) -> Reading[tuple[Worker, ...]]:
        workers, programs = self.workers.reading, self.programs.reading
        now = moment.now()
        lacks = (bool(self.workers.trouble(now)), bool(self.programs.trouble(now)))
        if self._joined[0] is not workers or self._joined[1] is not programs or self._joined[2] != lacks:
            known = workers.value is not None or programs.value is not None
            joined = join_programs(self._sources, workers.value or (), programs.value or (), now) if known else None
            if joined is not None:
                joined = tuple(withdraw_verdict(worker, *lacks) for worker in joined)
            taken = workers if workers.value is not None else programs
            self._joined = (workers, programs, lacks, Reading(joined, taken.taken_at, workers.problem))
        return self._joined[3]


def recent_reader(sources: Sources) -> Callable[[], Recent]:
    """Make a reader of the newest runs that asks for rows only when the history's version or the minute has changed."""
    last: list[tuple[tuple[int, int], Recent]] = []
    asked_at = -math.inf

    def read() -> Recent:
        nonlocal asked_at
        key = (sources.history.version(), int(moment.now().timestamp() // 60))
        if not sources.is_foreign and time.monotonic() - asked_at >= TROUBLE_EVERY_S:
            trouble = sources.broker.recorder_trouble(sources.recorder_command)
            if trouble:
                raise SourceError(f"nothing is recorded: {trouble}")
            asked_at = time.monotonic()
        if not last or last[0][0] != key:
            last[:] = [(key, _newest(sources, key[0]))]
        return last[0][1]

    return read


def _newest(sources: Sources, version: int) -> Recent:
    history = sources.history
    running = history.page("state:started", RUNNING, 0, BUDGET_S)
    failures = history.page("state:failure", FAILURES, 0, BUDGET_S)
    hour = history.stats(moment.now().timestamp() - HOUR_S, by_task=False)
    return Recent(
        version=version,
        latest=tuple(history.runs("", LATEST, 0)),
        running=running.runs,
        failures=failures.runs,
        running_total=running.total_words,
        failures_total=failures.total_words,
        hour=hour[0] if hour else None,
    )


def program_reader(sources: Sources) -> Callable[[], tuple[Program, ...]]:
    """Make a reader of the programs that asks Supervisor when they left new traces, and every few seconds."""
    last: list[tuple[tuple[Program, ...], object, float]] = []

    def read() -> tuple[Program, ...]:
        supervisor = sources.supervisor
        if last:
            programs, traces, asked_at = last[0]
            is_settled = all(program.state in _SETTLED for program in programs)
            waits = is_settled and time.monotonic() - asked_at < ASK_AGAIN_S
            if waits and supervisor.traces(programs) == traces:
                return programs
            last.clear()
        programs = supervisor.programs()
        last.append((programs, supervisor.traces(programs), time.monotonic()))
        return programs

    return read


def withdraw_verdict(worker: Worker, workers_lack: bool, programs_lack: bool) -> Worker:
    """Take back what was concluded from a source that is silent now: the verdict is then unknown."""
    is_of_program = worker.verdict in _OF_PROGRAM
    if programs_lack if is_of_program else workers_lack:
        return replace(worker, verdict="unknown", reason=f"was {worker.verdict} when last seen")
    return worker


def essence_of_queues(queues: tuple[QueueStats, ...]) -> object:
    """Take what of queues is worth a repaint: what is drawn of rates and ages, and not that nothing still waits."""
    return tuple(
        (
            age(queue.oldest_age_s),
            age(queue.drains_in_s),
            replace(
                queue,
                in_per_s=_roughly(queue.in_per_s, 0.1),
                out_per_s=_roughly(queue.out_per_s, 0.1),
                oldest_age_s=None,
                history=queue.history if any(queue.history) else (),
            ),
        )
        for queue in queues
    )


def essence_of_workers(workers: tuple[Worker, ...]) -> object:
    """Take what of workers is worth a repaint: not the heartbeat, nor a wavering of CPU and memory."""
    return tuple(
        replace(
            worker,
            heartbeat_at=None,
            uptime_s=None,
            cpu_percent=_roughly(worker.cpu_percent, 5),
            rss_bytes=_roughly(worker.rss_bytes, 5_000_000),
            children=tuple((child.pid, child.run_id) for child in worker.children),  # pyright: ignore[reportArgumentType]
        )
        for worker in workers
    )


def essence_of_programs(programs: tuple[Program, ...]) -> object:
    """Take what of programs is worth a repaint: not how long they run."""
    return tuple((program.name, program.state, program.pid) for program in programs)


def _roughly(value: float | None, step: float) -> int | None:
    return None if value is None else round(value / step)

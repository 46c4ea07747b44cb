"""Looks at the workers and queues of one application, each compared with one before."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from celery_nexus.control import fleet
from celery_nexus.diagnosis.verdicts.consuming import has_free_place, waits
from celery_nexus.diagnosis.verdicts.judge import judge_queues, judge_workers
from celery_nexus.diagnosis.verdicts.look import LEAST_S, Look, Looks
from celery_nexus.errors import SourceError
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.workers import GONE, Program, Worker
from celery_nexus.sources import Sources

REMEMBERED_S = 15.0
"""Greatest age of a look that another is compared with."""

LOOP_S = 600.0
"""Span over which starts of a worker are counted."""

MOST_HEADS = 20
"""Queues of which the next message is looked at, at most: it is read whole."""

PAUSE_S = LEAST_S + 0.3
"""Between two looks of who looks once."""


class Watch:
    """Looks again and again. Not thread-safe.

    Args:
        sources: Of the application.
        clock: Tells the seconds.
    """

    def __init__(self, sources: Sources, clock: Callable[[], float] = time.monotonic) -> None:
        self._sources = sources
        self._clock = clock
        self._past: deque[Look] = deque()
        self._starts: dict[str, deque[tuple[float, int]]] = {}
        self._limited: dict[tuple[str, int | None], bool] = {}

    def read(self) -> Looks:
        """Ask workers and broker, and look.

        Raises:
            Unreachable: The broker does not answer.
        """
        control, problem = self._sources.control, None
        try:
            workers, consumers = control.workers(), control.consumers()
        except SourceError as error:
            workers, consumers, problem = (), None, error
        joined = join_programs(self._sources, workers, self._programs(), datetime.now(UTC))
        return self.look(joined, self._sources.broker.queues(consumers), problem)

    def look(
        self, workers: Sequence[Worker], queues: Sequence[QueueStats], problem: SourceError | None = None
    ) -> Looks:
        """Look at workers and queues that were just read: only what is suspicious costs a further question.

        Args:
            workers: Every known worker.
            queues: Every known queue.
            problem: Why the workers could not be asked; None when they were.
        """
        at_s = self._clock()
        suspects = _suspects(workers, queues)
        unserved = [queue for queue in queues if waits(queue) and not queue.consumers]
        now = Look(
            at_s,
            tuple(workers),
            tuple(queues),
            connections=self._sources.broker.read_connections() if suspects or unserved else None,
            heads=self._heads(suspects),
            limited=self._limited_of(suspects, workers),
            restarts=self._restarts(at_s, workers),
            dismissed=self._sources.control.list_dismissed(row.name for row in workers) if unserved else (),
            problem=problem,
        )
        while self._past and at_s - self._past[0].at_s > REMEMBERED_S:
            self._past.popleft()
        before = next((look for look in reversed(self._past) if at_s - look.at_s >= LEAST_S), None)
        self._past.append(now)
        return Looks(now, before)

    def _programs(self) -> tuple[Program, ...]:
        try:
            return self._sources.supervisor.programs()
        except SourceError:
            return ()

    def _heads(self, queues: Sequence[str]) -> dict[str, str]:
        if not queues:
            return {}
        broker, control = self._sources.broker, self._sources.control
        # Nobody told which priorities have lists of their own: what lies in one may be read by no worker.
        is_guessed = self._sources.is_foreign and not all(map(control.configuration, broker.layouts))
        return broker.read_heads(queues[:MOST_HEADS], first_priority_only=is_guessed)

    def _limited_of(self, queues: Sequence[str], workers: Sequence[Worker]) -> frozenset[str]:
        """Name the workers of queues that have a task with a rate limit, or did not say; each is asked once."""
        wanted = set(queues)
        rows = [row for row in workers if row.is_stock and wanted.intersection(row.queues)]
        unasked = [row for row in rows if (row.name, row.pid) not in self._limited]
        told = self._sources.control.list_registered_tasks([row.name for row in unasked])
        for row in unasked:
            if row.name in told:
                rates = told[row.name].values()
                self._limited[row.name, row.pid] = any(rate not in ("", "0", "None") for rate in rates)
        return frozenset(row.name for row in rows if self._limited.get((row.name, row.pid), True))

    def _restarts(self, at_s: float, workers: Sequence[Worker]) -> dict[str, int]:
        """Count how often each name was seen with another process than before, within some minutes."""
        for worker in workers:
            if worker.pid is None or worker.instances > 1:
                continue
            seen = self._starts.setdefault(worker.name, deque([(-math.inf, worker.pid)]))
            if seen[-1][1] != worker.pid:
                seen.append((at_s, worker.pid))
            while len(seen) > 1 and at_s - seen[1][0] > LOOP_S:
                seen.popleft()
        return {name: len(seen) - 1 for name, seen in self._starts.items() if len(seen) > 1}


def join_programs(
    sources: Sources, workers: Sequence[Worker], programs: Sequence[Program], now: datetime
) -> tuple[Worker, ...]:
    """Join workers with the programs that Supervisor runs them as; programs without a worker are rows, too."""
    return fleet.join(workers, programs, now, queues=sources.code.queues)


def observe(sources: Sources, *, is_patient: bool = False) -> Looks:
    """Look at an application once, and a second time a moment later when something may stand still.

    Args:
        sources: Of the application.
        is_patient: Whether to look twice whenever messages wait: whether a queue grows is seen no other way.

    Raises:
        Unreachable: The broker does not answer.
    """
    watch = Watch(sources)
    sources.broker.queues()  # rates are known from the second reading on
    looks = watch.read()
    now = looks.now
    may_stand_still = _suspects(now.workers, now.queues) or _may_starve(now.workers)
    if may_stand_still or (is_patient and any(map(waits, now.queues))):
        time.sleep(PAUSE_S)
        looks = watch.read()
    return looks


def read_workers(sources: Sources) -> tuple[Worker, ...]:
    """Read the workers with their verdicts.

    Raises:
        Unreachable: The broker does not answer.
        Refused: Its user may not ask the workers.
    """
    looks = observe(sources)
    if looks.now.problem is not None:
        raise looks.now.problem
    return judge_workers(looks)


def read_queues(sources: Sources) -> tuple[QueueStats, ...]:
    """Read the queues with their rates and verdicts.

    Raises:
        Unreachable: The broker does not answer.
    """
    return judge_queues(observe(sources), sources.code.queues.names)


def _suspects(workers: Sequence[Worker], queues: Sequence[QueueStats]) -> list[str]:
    """Name the queues that wait although a worker of theirs has a free place, or nobody knows who takes from them."""
    idle = {name for row in workers if row.verdict not in GONE and has_free_place(row) for name in row.queues}
    return [queue.name for queue in queues if waits(queue) and (queue.name in idle or queue.consumers is None)]


def _may_starve(workers: Sequence[Worker]) -> bool:
    """Tell whether a worker is idle while another holds what it has not started."""
    return any(row.reserved for row in workers) and any(row.active == 0 for row in workers)

"""History of a recording: its runs as they were at the moment that is replayed."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from celery_nexus.errors import NotFound
from celery_nexus.rows import moment
from celery_nexus.rows.history import ErrorGroup, QueueWaits, Share, Slice, TaskStats, TrendPoint
from celery_nexus.rows.marks import Mark
from celery_nexus.rows.runs import FINAL_STATES, LifeEvent, Run, RunPage
from celery_nexus.runs.in_memory import find_family, find_order_time, make_matcher
from nexus_tui.recording.parts import Damaged, Spread
from nexus_tui.recording.playback import Playback
from nexus_tui.screens.bases.past import SPANS

MOST_RUNS = 300_000


class ReplayedHistory:
    """Answers the views as the history did.

    Args:
        playback: Which moment.
    """

    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self._reel = playback.reel
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}
        self._told = 0
        self._sorted: tuple[int, list[Run]] = (-1, [])

    def version(self) -> int:
        """Return a number that differs between two moments with other runs."""
        return self._reel.count("runs", self._playback.at_s)

    def lag_s(self) -> float:
        """Nothing is behind."""
        return 0.0

    def check(self, filter_text: str) -> None:
        """Make sure that a filter can be understood.

        Raises:
            FilterInvalid: It can't.
        """
        make_matcher(filter_text, 0.0)

    def runs(self, filter_text: str = "", limit: int = 200, offset: int = 0) -> list[Run]:
        """Return runs that match, newest first; raises as :meth:`check`."""
        return self._found(filter_text)[offset : offset + limit]

    def page(self, filter_text: str, limit: int, offset: int, budget_s: float) -> RunPage:
        """Return a page of them; raises as :meth:`check`."""
        found = self._found(filter_text)
        return RunPage(tuple(found[offset : offset + limit]), len(found))

    def run(self, id_or_prefix: str) -> Run:
        """Return a run.

        Raises:
            NotFound: The recording tells of none.
        """
        for run in self._now():
            if run.id.startswith(id_or_prefix):
                return run
        raise NotFound(f"the recording tells of no run {id_or_prefix!r}")

    def life(self, run_id: str) -> list[LifeEvent]:
        """Nothing beyond a run's own times is recorded."""
        return []

    def family(self, run_id: str) -> Any:
        """Return the recorded runs of a workflow."""
        return find_family(run_id, self._now())

    def failures(self, since: float, filter_text: str = "", limit: int = 100) -> Sequence[ErrorGroup]:
        """Return the groups of failures over a span."""
        groups: Mapping[str, Sequence[ErrorGroup]] = self._last("failures") or {}
        return groups.get(_name_span(since), ())[:limit]

    def stats(self, since: float, by_queue: bool = False, until: float | None = None, by_task: bool = True) -> Any:
        """Return what became of each task's runs over a span, or of all over the last hour."""
        if by_task:
            found: Mapping[str, Sequence[TaskStats]] = self._last("stats") or {}
            return found.get(_name_span(since), ())
        totals = self._last("totals")
        return [totals.hour] if totals and totals.hour else []

    def chart(self, since: float, slice_s: int = 60, task: str | None = None, queue: str | None = None) -> list[Slice]:
        """Return what happened in each minute of an hour."""
        return list(self._last("chart") or ()) if task is None and queue is None else []

    def marks(self, since: float = 0.0) -> list[Mark]:
        """Return the moments that were marked by then."""
        marks: Sequence[Mark] = self._last("marked") or ()
        return [mark for mark in marks if mark.at.timestamp() >= since]

    def trend(
        self, since: float, slice_s: int = 60, task: str | None = None, queue: str | None = None
    ) -> list[TrendPoint]:
        """Return how a task's times went; of the tasks that ran most often."""
        curves: Mapping[str, Sequence[TrendPoint]] = self._last("trends") or {}
        return list(curves.get(f"{_name_span(since)} {task}", ()))

    def waits(self, since: float, slice_s: int = 60) -> list[QueueWaits]:
        """Return how long runs waited in each minute of an hour, by queue."""
        return list(self._last("waits") or ())

    def histogram(self, since: float, task: str) -> tuple[Sequence[Share], Sequence[Share]]:
        """Return how a task's times were spread; of the tasks that ran most often."""
        spreads: Mapping[str, Spread] = self._last("spreads") or {}
        spread = spreads.get(f"{_name_span(since)} {task}", Spread((), ()))
        return spread.ran, spread.waited

    def _last(self, part: str) -> Any:
        try:
            return self._reel.last(part, self._playback.at_s)
        except Damaged:
            return None

    def _found(self, filter_text: str) -> list[Run]:
        runs = self._now()
        return [*filter(make_matcher(filter_text, moment.now().timestamp()), runs)] if filter_text.strip() else runs

    def _now(self) -> list[Run]:
        """Return the runs as they were, newest first."""
        with self._lock:
            told = self.version()
            if told < self._told:
                self._runs, self._told = {}, 0
            if told != self._sorted[0]:
                for runs in self._reel.read_between("runs", self._told, told):
                    self._runs.update((run.id, run) for run in runs)
                    if len(self._runs) > MOST_RUNS:
                        break
                self._told = told
                self._sorted = (
                    told,
                    sorted(self._runs.values(), key=lambda run: (find_order_time(run), run.id), reverse=True),
                )
            now = moment.now()
            return [_as_of(run, now) for run in self._sorted[1]]


def _as_of(run: Run, now: datetime) -> Run:
    """Let what waits or runs do so until now."""
    if run.state in FINAL_STATES:
        return run
    if run.state == "STARTED" and run.started_at is not None:
        return replace(run, ran_s=max((now - run.started_at).total_seconds(), 0.0))
    if run.state in ("PENDING", "RECEIVED") and run.sent_at is not None:
        return replace(run, waited_s=max((now - run.sent_at).total_seconds(), 0.0))
    return run


def _name_span(since: float) -> str:
    """Name the span that a view asks for by its beginning."""
    asked_s = moment.now().timestamp() - since
    return min(SPANS, key=lambda name: abs(SPANS[name] - asked_s))

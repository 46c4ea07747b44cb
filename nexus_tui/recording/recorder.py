"""Recorder of what the views show, at the pace of people: each part as often as it is worth it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from celery_nexus.errors import SourceError
from celery_nexus.rows import moment
from celery_nexus.rows.broker import Message, QueueStats
from celery_nexus.rows.logs import LogLine
from celery_nexus.rows.runs import Run
from celery_nexus.sources import Sources
from celery_nexus.stack.logs import read_logs
from nexus_tui.feeds import Feeds
from nexus_tui.recording.parts import Mark, Silence, Spread, Totals, since_when
from nexus_tui.recording.shortening import shorten_message, shorten_run
from nexus_tui.recording.writer import Writer
from nexus_tui.screens.bases.past import SPANS
from nexus_tui.screens.tables.needs import find_needs

STEP_S = 1.0
FIRST_RUNS = 500
"""Newest runs that a recording begins with, beside those that run and that failed last."""

MOST_RUNS = 200
"""Most changed runs of a second; more are counted."""

MOST_MESSAGES, MOST_QUEUES = 50, 50
"""Next messages of a queue, and queues of which they are recorded."""

MOST_GROUPS, MOST_ENTRIES, MOST_LINES = 100, 200, 300
MOST_TASKS = 8
"""Tasks whose times are recorded as curves."""

TREND_SLICES_S: Mapping[str, int] = {"1h": 60, "24h": 1200, "7d": 10_800, "30d": 43_200}
BUDGET_S = 0.3
COST_SHARE = 30
"""Pause after a reading, in multiples of the processor time that it took."""


@dataclass
class _Due:
    """A part that is read again and again."""

    read: Callable[[], None]
    every_s: float
    at: float = 0.0


class Recorder:
    """Records one application.

    Args:
        sources: Where everything is read.
        writer: Where to.
        clock: Tells the seconds.

    Attributes:
        mark_count: How often something got into trouble.
    """

    def __init__(self, sources: Sources, writer: Writer, clock: Callable[[], float] = time.monotonic) -> None:
        self._sources = sources
        self._writer = writer
        self._clock = clock
        self._feeds = Feeds(sources, lambda: None)
        self._began = clock()
        self._last_change: int | None = None
        self.mark_count = 0
        self._left_out = 0
        self._in_trouble: frozenset[tuple[str, str]] = frozenset()
        self._log_end: LogLine | None = None
        self._due = (
            _Due(self._record_now, STEP_S),
            _Due(self._record_runs, STEP_S),
            _Due(self._record_messages, 2.0),
            _Due(self._record_log, 2.0),
            _Due(self._record_audit, 3.0),
            _Due(self._record_figures, 5.0),
            _Due(self._record_curves, 20.0),
        )

    def start(self) -> None:
        """Begin to read."""
        self._began = self._clock()
        self._writer.begin(moment.now().timestamp())
        self._feeds.start()

    def stop(self) -> None:
        """Stop reading, and write the end."""
        self._feeds.stop()
        self._record_now()
        self._writer.close()

    def step(self) -> None:
        """Record what is due; a source that does not answer is recorded as silent."""
        for due in self._due:
            if self._clock() >= due.at and not self._writer.is_full:
                started = time.thread_time()
                with suppress(SourceError):  # the feed of that source says so, and that is recorded
                    due.read()
                due.at = self._clock() + max(due.every_s, COST_SHARE * (time.thread_time() - started))
        self._writer.flush()

    def _add(self, part: str, value: Any, *, is_event: bool = False) -> None:
        self._writer.add(max(self._clock() - self._began, 0.0), part, value, is_event=is_event)

    def _record_now(self) -> None:
        """Record what the feeds know: queues, workers, programs, what is silent, what got into trouble."""
        feeds = self._feeds
        snapshot, recent, troubles = feeds.snapshot, feeds.recent, feeds.troubles
        self._add("place", feeds.place)
        self._add("silence", Silence(troubles.broker, troubles.workers, troubles.programs, troubles.history))
        for part, reading in (
            ("workers", snapshot.workers),
            ("programs", snapshot.programs),
        ):
            if reading.value is not None:
                self._add(part, reading.value)
        if snapshot.queues.value is not None:
            self._add("queues", tuple(map(self._steady, snapshot.queues.value)))
        if recent.version >= 0:
            totals = Totals(recent.running_total, recent.failures_total, self._left_out, recent.hour)
            self._add("totals", totals)
        self._mark(snapshot.queues.value or (), snapshot.workers.value or ())

    @staticmethod
    def _steady(queue: QueueStats) -> QueueStats:
        """Leave out what wavers while nothing happens: rates are rounded, an age becomes the moment since when."""
        return replace(
            queue,
            oldest_age_s=since_when(queue.oldest_age_s),
            in_per_s=queue.in_per_s and round(queue.in_per_s, 1),
            out_per_s=queue.out_per_s and round(queue.out_per_s, 1),
        )

    def _mark(self, queues: Any, workers: Any) -> None:
        needs = find_needs(queues, workers)
        for need in needs:
            if (need.name, need.verdict) not in self._in_trouble:
                self.mark_count += 1
                self._add("mark", Mark(f"{need.name}: {need.verdict}", need.reason, need.is_bad), is_event=True)
        self._in_trouble = frozenset((need.name, need.verdict) for need in needs)

    def _record_runs(self) -> None:
        history = self._sources.history
        if self._last_change is None:
            number = history.last_change()
            first = {run.id: run for run in self._first_runs()}
            self._add("runs", tuple(map(shorten_run, first.values())), is_event=True)
            self._last_change = number
            return
        changes = history.changes(self._last_change)
        self._last_change = changes.number
        kept = changes.runs[-MOST_RUNS:]
        self._left_out += len(changes.runs) - len(kept) + changes.missed
        if kept:
            self._add("runs", tuple(map(shorten_run, kept)), is_event=True)

    def _first_runs(self) -> Iterator[Run]:
        for text in ("", "state:started", "state:failure"):
            yield from self._sources.history.page(text, FIRST_RUNS, 0, BUDGET_S).runs

    def _record_messages(self) -> None:
        queues = [queue for queue in self._feeds.snapshot.queues.value or () if queue.waiting]
        queues.sort(key=lambda queue: -queue.waiting)
        self._add("messages", {queue.name: self._messages(queue.name) for queue in queues[:MOST_QUEUES]})

    def _messages(self, queue: str) -> tuple[Message, ...]:
        found = self._sources.broker.messages(queue, MOST_MESSAGES)
        return tuple(replace(shorten_message(message), age_s=since_when(message.age_s)) for message in found)

    def _record_log(self) -> None:
        """Record the lines that were written since the last look."""
        programs = [program for program in self._feeds.snapshot.programs.value or () if program.log]
        lines = read_logs(programs, MOST_LINES)
        if self._log_end in lines:
            place = len(lines) - lines[::-1].index(self._log_end)
            lines = lines[place:]
        if lines:
            self._log_end = lines[-1]
            self._add("log", tuple(lines), is_event=True)

    def _record_audit(self) -> None:
        self._add("audit", tuple(self._sources.broker.audit.read(MOST_ENTRIES)))

    def _record_figures(self) -> None:
        history, now = self._sources.history, moment.now().timestamp()
        spans = {name: now - span_s for name, span_s in SPANS.items()}
        self._add("stats", {name: tuple(history.stats(since)) for name, since in spans.items()})
        groups = {name: tuple(history.failures(since, limit=MOST_GROUPS)) for name, since in spans.items()}
        self._add("failures", groups)
        self._add("chart", tuple(history.chart(now - SPANS["1h"])))
        self._add("waits", tuple(history.waits(now - SPANS["1h"])))
        self._add("marked", tuple(history.marks(now - max(SPANS.values()))))

    def _record_curves(self) -> None:
        history, now = self._sources.history, moment.now().timestamp()
        tasks = [row.task for row in history.stats(now - SPANS["24h"])[:MOST_TASKS]]
        curves = {
            f"{name} {task}": tuple(history.trend(now - span_s, TREND_SLICES_S[name], task))
            for name, span_s in SPANS.items()
            for task in tasks
        }
        self._add("trends", curves)
        spreads = {
            f"{name} {task}": Spread(*map(tuple, history.histogram(now - span_s, task)))
            for name, span_s in SPANS.items()
            for task in tasks
        }
        self._add("spreads", spreads)

"""Reader of the facts: workers, queues and their verdicts by one look, the history's figures, disk and memory."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

from celery_nexus.alerts.facts import Facts
from celery_nexus.alerts.levels import ServiceLevels
from celery_nexus.alerts.rules_file import RuleSet
from celery_nexus.broker.dead_letters import DeadLetterSource
from celery_nexus.diagnosis.verdicts.judge import judge_queues, judge_workers
from celery_nexus.diagnosis.verdicts.look import Looks
from celery_nexus.diagnosis.watch import Watch, observe
from celery_nexus.errors import SourceError, Unreachable
from celery_nexus.rows.history import TaskStats
from celery_nexus.rows.text import safe_text
from celery_nexus.rows.workers import Worker
from celery_nexus.sources import Sources

SCHEDULE_EVERY_S = 60.0
"""Pause between two readings of a schedule that is not RedBeat's: its entries are compared with the history."""

ENTRIES = 20

T = TypeVar("T")


class FactsReader:
    """Reads the facts again and again. Not thread-safe.

    Args:
        sources: Of the application.
        home: A folder on the disk whose room is watched.
        is_single: Whether it is read once: then it looks a second time by itself, when something may stand still.
        clock: Tells the seconds since the epoch.
    """

    def __init__(
        self, sources: Sources, home: Path, *, is_single: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self._sources = sources
        self._home = home
        self._watch = None if is_single else Watch(sources)
        self._clock = clock
        self._levels = ServiceLevels(sources)
        self._beat_read_at = 0.0
        self._beat_late_s: float | None = None
        self._beat_gone_since: float | None = None

    def read(self, rules: RuleSet) -> Facts:
        """Read everything that rules need; what can't be read is unknown, and without the broker most of it is."""
        now = self._clock()
        windows = {rule.over_s for rule in rules.on if rule.kind == "failure rate"}
        outcomes, disk = self._read_outcomes(now, windows), self._read_disk()
        try:
            looks = self._look()
        except SourceError as problem:
            return Facts(now, safe_text(str(problem), 300), disk=disk, outcomes=outcomes)
        workers = tuple(judge_workers(looks))
        specs = self._sources.code.queues
        return Facts(
            now,
            queues=self._levels.attach(judge_queues(looks, specs.names), rules.levels),
            workers=None if looks.now.problem is not None else workers,
            thresholds={spec.name: spec.alert for spec in specs},
            dead_letters=_known(self._count_dead_letters),
            beat_late_s=self._read_beat(now),
            disk=disk,
            memory=self._read_memory(workers),
            outcomes=outcomes,
        )

    def _look(self) -> Looks:
        return observe(self._sources) if self._watch is None else self._watch.read()

    def _read_outcomes(self, now: float, windows: Collection[int]) -> dict[int, tuple[TaskStats, ...]]:
        history = self._sources.history
        if not history.exists:
            return {}
        found = {span: _known(lambda span=span: history.stats(now - span, by_queue=True)) for span in windows}
        return {span: tuple(rows) for span, rows in found.items() if rows is not None}

    def _count_dead_letters(self) -> int | None:
        broker = self._sources.broker
        if self._sources.is_foreign and not any(layout.is_reliable for layout in broker.layouts):
            return None
        return DeadLetterSource(broker).count()

    def _read_beat(self, now: float) -> float | None:
        """Read how late beat is: by RedBeat's own keys, else by the entries, which costs more, once a minute."""
        told = _known(self._sources.broker.read_beat)
        if told is not None:
            return told.late_s
        if now - self._beat_read_at >= SCHEDULE_EVERY_S:
            self._beat_read_at = now
            self._beat_late_s = self._read_schedule(now)
        return self._beat_late_s

    def _read_schedule(self, now: float) -> float | None:
        schedule = _known(lambda: self._sources.schedule.read(ENTRIES))
        enabled = [entry for entry in schedule.entries if entry.is_enabled] if schedule is not None else []
        if schedule is None or not enabled:
            return None
        used = {entry.source for entry in enabled}
        is_gone = any(beat.is_alive is False and beat.source in used for beat in schedule.beats)
        self._beat_gone_since = (self._beat_gone_since or now) if is_gone else None
        gone_s = now - self._beat_gone_since if self._beat_gone_since is not None else 0.0
        return max(gone_s, *(entry.late_s or 0.0 for entry in enabled))

    def _read_disk(self) -> Mapping[str, float] | None:
        try:
            there = next(folder for folder in (self._home, *self._home.parents) if folder.exists())
            usage = shutil.disk_usage(there)
        except OSError:
            return None
        return {str(there): 100 * usage.used / max(usage.used + usage.free, 1)}

    def _read_memory(self, workers: Collection[Worker]) -> Mapping[str, float] | None:
        told = _known(self._sources.broker.read_memory)
        shares = {} if told is None else {"broker": 100 * told.used_bytes / told.limit_bytes}
        for row in workers:
            if row.rss_bytes is not None and row.host_memory_bytes:
                shares[row.name] = 100 * row.rss_bytes / row.host_memory_bytes
        return shares or None


class OpeningReader:
    """Reads facts of an application that may not be there yet: it is opened at the first look at which it answers.

    Args:
        open_reader: Opens it; raises :class:`~celery_nexus.errors.Unreachable` while its broker does not answer.
    """

    def __init__(self, open_reader: Callable[[], FactsReader]) -> None:
        self._open = open_reader
        self._reader: FactsReader | None = None

    def read(self, rules: RuleSet) -> Facts:
        """Read the facts; while it is not there, that is the only one."""
        if self._reader is None:
            try:
                self._reader = self._open()
            except Unreachable as problem:
                return Facts(time.time(), safe_text(str(problem), 300))
        return self._reader.read(rules)


def _known(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except SourceError:
        return None

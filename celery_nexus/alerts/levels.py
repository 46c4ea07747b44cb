"""Service levels of queues: declared by the application or in the rules file, measured from the history."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from celery_nexus.alerts.places import find_places
from celery_nexus.alerts.rules_file import read_rules
from celery_nexus.errors import SourceError
from celery_nexus.queues import QueueSlo
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.slo import SloStatus, SloWindow
from celery_nexus.sources import Sources

MEASURED_FOR_S = 15.0
"""Time for which a measurement holds: who draws queues twice a second asks the history seldom."""

WINDOWS_S = (3600, 6 * 3600)


class ServiceLevels:
    """Measures the service levels of an application's queues. Not thread-safe.

    Args:
        sources: Of the application.
        clock: Tells the seconds since the epoch.
    """

    def __init__(self, sources: Sources, clock: Callable[[], float] = time.time) -> None:
        self._sources = sources
        self._clock = clock
        self._measured_at = 0.0
        self._levels: Mapping[str, QueueSlo] = {}
        self._counts: Mapping[str, tuple[tuple[int, int], ...]] = {}

    def attach(
        self, queues: Iterable[QueueStats], levels: Mapping[str, QueueSlo] | None = None
    ) -> tuple[QueueStats, ...]:
        """Give each queue that has a service level how far it is kept; where nothing can be read, none.

        Args:
            queues: Queues as they were read.
            levels: What the rules file declares; None: it is read.
        """
        self._renew(levels)
        if not self._levels:
            return tuple(queues)
        return tuple(
            replace(row, slo=self._judge(row.name, row)) if row.name in self._levels else row for row in queues
        )

    def read(self) -> dict[str, SloStatus]:
        """Return how far each service level is kept, by queue, from the history alone."""
        self._renew(None)
        return {name: self._judge(name) for name in self._levels}

    def _renew(self, levels: Mapping[str, QueueSlo] | None) -> None:
        now = self._clock()
        if now - self._measured_at >= MEASURED_FOR_S or now < self._measured_at:
            self._measured_at = now
            self._measure(now, self._read_levels() if levels is None else levels)

    def _measure(self, now: float, levels: Mapping[str, QueueSlo]) -> None:
        declared = {spec.name: spec.slo for spec in self._sources.code.queues if spec.slo is not None}
        self._levels = {**declared, **levels}
        self._counts = {}
        if not self._levels or not self._sources.history.exists:
            return
        bounds = {name: level.starts_within_s for name, level in self._levels.items()}
        try:
            self._counts = self._sources.history.count_starts(bounds, now, WINDOWS_S)
        except SourceError:
            self._counts = {}

    def _read_levels(self) -> Mapping[str, QueueSlo]:
        try:
            return read_rules(find_places(self._sources).rules).levels
        except SourceError:
            return {}

    def _judge(self, name: str, row: QueueStats | None = None) -> SloStatus:
        level = self._levels[name]
        oldest_s = row.oldest_age_s if row is not None and row.waiting else None
        is_late = oldest_s is not None and oldest_s > level.starts_within_s
        hour, six_hours = (
            SloWindow.count(started + is_late, kept, level.target)
            for started, kept in self._counts.get(name, ((0, 0), (0, 0)))
        )
        return SloStatus(level.starts_within_s, level.target, hour, six_hours, is_late)

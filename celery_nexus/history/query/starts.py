"""Counts of runs that started in time, from the aggregates: a few dozen rows for six hours of any traffic."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping

from celery_nexus.history.filter.sql import load_names
from celery_nexus.history.query.history import History
from celery_nexus.history.store import rollups
from celery_nexus.history.store.ddsketch import DDSketch

SLICE_MINUTES = 10

Starts = tuple[int, int]
"""Runs that ended and whose wait is known, and those of them that waited no longer than allowed."""


def count_starts(
    history: History, bounds: Mapping[str, float], now: float, windows: tuple[int, ...]
) -> dict[str, tuple[Starts, ...]]:
    """Count runs of queues that started in time, within one per cent of the bound and ten minutes of the window.

    Args:
        history: The history.
        bounds: Seconds within which runs are to start, by queue.
        now: When the windows end, in seconds since the epoch.
        windows: Their lengths in seconds, the longest last.
    """
    end = int(now // 60) + 1
    firsts = [int((now - span) // 60) // SLICE_MINUTES for span in windows]

    def question(connection: sqlite3.Connection) -> dict[str, tuple[Starts, ...]]:
        names = load_names(connection).get("queue", {})
        return {
            queue: _count(connection, names[queue], bound, firsts, end)
            for queue, bound in bounds.items()
            if queue in names
        }

    return history.ask(question, {})


def _count(connection: sqlite3.Connection, queue: int, bound: float, firsts: list[int], end: int) -> tuple[Starts, ...]:
    slices: dict[int, list[bytes | None]] = defaultdict(list)
    first = firsts[-1] * SLICE_MINUTES
    for number, _, _, waited, _ in rollups.slices(connection, first, end, SLICE_MINUTES, "and queue = ?", (queue,)):
        slices[number].append(waited)
    return tuple(
        _sum(DDSketch.load_all(dump for number, dumps in slices.items() if number >= start for dump in dumps), bound)
        for start in firsts
    )


def _sum(sketch: DDSketch, bound: float) -> Starts:
    return sketch.count, sum(count for seconds, count in sketch.durations if seconds <= bound)

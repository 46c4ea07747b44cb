"""Distributions of the past: waits by queue over time, histograms of a task's runs; from the aggregates."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable

from celery_nexus.history.filter.sql import load_names
from celery_nexus.history.query.history import History
from celery_nexus.history.store import rollups
from celery_nexus.history.store.ddsketch import DDSketch
from celery_nexus.rows.history import QueueWaits, Share

BOUNDS_S = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 3600.0)
"""Upper bounds of a histogram's bars; the last bar has none."""


def read_waits(history: History, since: float, until: float, slice_s: int = 60) -> list[QueueWaits]:
    """Return how long runs waited in each slice of time by queue, the longest wait first.

    Args:
        history: The history.
        since: Start, rounded down to a slice.
        until: End; its slice is included.
        slice_s: Length of a slice in seconds, a multiple of 60.
    """
    minutes = max(1, slice_s // 60)
    first, last = int(since // 60 // minutes), int(until // 60 // minutes)

    def question(connection: sqlite3.Connection) -> list[QueueWaits]:
        found: dict[int, dict[int, list[bytes]]] = defaultdict(lambda: defaultdict(list))
        for number, queue, waited in rollups.waits(connection, first * minutes, (last + 1) * minutes, minutes):
            found[queue][number].append(waited)
        rows = [
            QueueWaits(_name_of(connection, queue), tuple(_p95(by.get(number)) for number in range(first, last + 1)))
            for queue, by in found.items()
        ]
        return sorted(rows, key=lambda row: (-row.worst_s, row.queue))

    return history.ask(question, [])


def _p95(dumps: list[bytes] | None) -> float | None:
    return DDSketch.load_all(dumps).quantile(0.95) if dumps else None


def read_histogram(history: History, since: float, until: float, task: str) -> tuple[list[Share], list[Share]]:
    """Return how long the runs of a task ran and how long they waited, each as the bars of a histogram.

    Args:
        history: The history.
        since: From the minute of this time.
        until: Up to the minute of this time, which counts.
        task: Name of the task.

    Returns:
        Bars of the durations, and of the waits, without the empty ones at both ends.
    """

    def question(connection: sqlite3.Connection) -> tuple[list[Share], list[Share]]:
        number = load_names(connection).get("task", {}).get(task, -1)
        rows = [
            (waited, ran)
            for cell_task, _, _, _, waited, ran in rollups.cells(connection, int(since // 60), int(until // 60) + 1)
            if cell_task == number
        ]
        waited, ran = (DDSketch.load_all(row[place] for row in rows) for place in (0, 1))
        return _make_bars(ran.durations), _make_bars(waited.durations)

    return history.ask(question, ([], []))


def _make_bars(durations: Iterable[tuple[float, int]]) -> list[Share]:
    """Count durations in seconds, each with how often it was, between the bounds, without empty bars at the ends."""
    edges = (0.0, *BOUNDS_S)
    counts = [0] * len(edges)
    for seconds, count in durations:
        counts[sum(seconds >= bound for bound in BOUNDS_S)] += count
    filled = [place for place, count in enumerate(counts) if count]
    if not filled:
        return []
    return [
        Share(edges[place], edges[place + 1] if place + 1 < len(edges) else None, counts[place])
        for place in range(filled[0], filled[-1] + 1)
    ]


def _name_of(connection: sqlite3.Connection, number: int) -> str:
    row = connection.execute("select text from name where id = ?", (number,)).fetchone() if number else None
    return row[0] if row else ""

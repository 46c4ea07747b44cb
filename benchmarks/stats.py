"""Figures of the past over a million runs: ``python -m benchmarks.stats [--json]``.

A history of a month is made, some minutes the first time, and kept in the temporary folder; ``NEXUS_BENCH_RUNS`` makes
a smaller one. What became of each task's runs, and charts, are asked over spans from an hour to a month, with ends at
odd minutes; once more from the minutes alone, which is what rollups save.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

from benchmarks.apparatus.report import Figure, at_least, at_most, run
from benchmarks.history import filled
from celery_nexus.history.query import distributions, figures
from celery_nexus.history.query.history import History
from celery_nexus.history.store import rollups
from celery_nexus.history.store.store import Store

GOAL_S = 0.1
HOUR_S, DAY_S = 3600, 86_400
SPANS_S = {"1h": HOUR_S, "24h": DAY_S, "7d": 7 * DAY_S, "30d": 30 * DAY_S}
SLICES_S = {"1h": 60, "24h": 600, "7d": HOUR_S, "30d": HOUR_S}
TREND_SLICES_S = {"1h": 60, "24h": 1200, "7d": 3 * HOUR_S, "30d": 12 * HOUR_S}
"""Of the dashboard's curves: some sixty points."""
HEAT_SLICES_S = {"1h": 60, "24h": 1200, "7d": 3 * HOUR_S, "30d": DAY_S}
"""Of a heat map's cells."""
REPEATS = 9
SAVES = 10
"""How many times as fast a month is read as from its minutes."""


def measure() -> Sequence[Figure]:
    """Measure statistics and charts of spans up to a month."""
    path = filled()
    _roll_up(path)
    found: list[Figure] = []
    with History(path) as history:
        for name, span_s in SPANS_S.items():
            found.append(at_most(f"stats_{name}", _times(history, span_s, figures.stats), GOAL_S, unit="s"))
        for name, span_s in SPANS_S.items():
            found.append(at_most(f"chart_{name}", _times(history, span_s, _chart(SLICES_S[name])), GOAL_S, unit="s"))
        for name, span_s in SPANS_S.items():
            ask = _trend(TREND_SLICES_S[name], _busiest_task(history))
            found.append(at_most(f"trend_{name}", _times(history, span_s, ask), GOAL_S, unit="s"))
        for name, span_s in SPANS_S.items():
            ask_waits = _waits(HEAT_SLICES_S[name])
            found.append(at_most(f"waits_{name}", _times(history, span_s, ask_waits), GOAL_S, unit="s"))
        for name, span_s in SPANS_S.items():
            ask_shares = _histogram(_busiest_task(history))
            found.append(at_most(f"histogram_{name}", _times(history, span_s, ask_shares), GOAL_S, unit="s"))
        found.append(at_least("month_faster", _ratios(history), SAVES, peer="the minutes alone"))
    return found


def _roll_up(path: Path) -> None:
    store = Store(path)
    started = time.process_time()
    while store.roll_up():
        pass
    store.connection.execute("pragma wal_checkpoint(truncate)")
    store.close()
    print(f"summing up took {time.process_time() - started:.1f} s of processor time, once")


def _chart(slice_s: int) -> Callable[[History, float, float], object]:
    return lambda history, since, until: figures.chart(history, since, until, slice_s)


def _trend(slice_s: int, task: str) -> Callable[[History, float, float], object]:
    return lambda history, since, until: figures.trend(history, since, until, slice_s, task)


def _waits(slice_s: int) -> Callable[[History, float, float], object]:
    return lambda history, since, until: distributions.read_waits(history, since, until, slice_s)


def _histogram(task: str) -> Callable[[History, float, float], object]:
    return lambda history, since, until: distributions.read_histogram(history, since, until, task)


def _busiest_task(history: History) -> str:
    return figures.stats(history, time.time() - SPANS_S["30d"])[0].task


def _times(history: History, span_s: int, ask: Callable[[History, float, float], object]) -> list[float]:
    rnd = random.Random(span_s)
    times: list[float] = []
    for _ in range(REPEATS):
        until = time.time() - rnd.uniform(0, HOUR_S)
        started = time.perf_counter()
        ask(history, until - span_s, until)
        times.append(time.perf_counter() - started)
    return times


def _ratios(history: History) -> list[float]:
    with patch.object(rollups, "FIRST_VERSION", 99):
        slow = _times(history, SPANS_S["30d"], figures.stats)[:3]
    fast = _times(history, SPANS_S["30d"], figures.stats)[:3]
    return [one / other for one, other in zip(slow, fast, strict=True)]


if __name__ == "__main__":
    run(measure)

"""20,000 delayed runs that are due at the same moment: how long until the last one ran, and the worker's memory."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.apparatus.report import Figure, at_most
from benchmarks.delivery.sides import CLOCK_S, NAMES, OURS, Side, deliveries, sides
from tests.harness.waiting import wait_until

RUNS = 20_000
AHEAD_S = 90.0
LIMIT_S = 240.0


def measure() -> Sequence[Figure]:
    """Measure delayed runs, one application after the other."""
    seconds: dict[str, float] = {}
    grown: dict[str, float] = {}
    for delivery in deliveries():
        with sides([delivery]) as (side,):
            seconds[delivery], grown[delivery] = _run(side)
    others = [name for name in seconds if name != OURS]
    figures = [
        at_most(
            f"{RUNS:,} delayed runs due at once",
            [seconds[OURS] / seconds[other]],
            1.2,
            peer=f"{NAMES[other]}, {seconds[other]:.1f} s, its worker's memory +{grown[other]:.0f} MB",
        )
        for other in others
    ]
    return [*figures, at_most("memory of our worker meanwhile", [grown[OURS]], 10, unit="MB")]


def _run(side: Side) -> tuple[float, float]:
    """Return how long after their time the last run ran, in seconds, and how much memory the worker took."""
    before = side.worker_memory()
    started = time.time()
    side.ask("postpone", RUNS, AHEAD_S)
    highest = 0.0

    def are_through() -> bool:
        nonlocal highest
        highest = max(highest, side.worker_memory())
        return int(side.client.llen("latencies")) >= RUNS

    if time.time() > started + AHEAD_S:
        raise TimeoutError("publishing took longer than the delay")
    wait_until(are_through, timeout_s=AHEAD_S + LIMIT_S, every_s=CLOCK_S)
    last = max(float(value) for value in side.client.lrange("latencies", 0, -1))  # pyright: ignore[reportGeneralTypeIssues]
    return last, highest - before

"""Throughput, CPU and latency of tasks that do nothing, and of tasks that take 5 ms."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.apparatus.report import Figure, at_least, at_most
from benchmarks.delivery.sides import CLOCK_S, NAMES, OURS, PEER, Side, deliveries, sides
from tests.harness.waiting import wait_until

ROUNDS = 5
TASKS = 2000
LATENCIES = 100
LIMIT_S = 300.0
KINDS = {"bench.nothing": "no-ops", "bench.brief": "5 ms runs"}


@dataclass(frozen=True)
class Round:
    """What one application did in one round.

    Attributes:
        per_s: Runs a second.
        cpu_ms: CPU of the worker and its children for one.
        server_ms: CPU of the broker for one.
    """

    per_s: float
    cpu_ms: float
    server_ms: float


def burst(side: Side, task: str, count: int = TASKS) -> Round:
    """Let a worker deal with many runs at once."""
    messages = side.copies(task, count)
    worker_s, server_s = side.worker_cpu_s(), side.server_cpu_s()
    started = time.perf_counter()
    side.push(messages)
    wait_until(side.is_done, timeout_s=LIMIT_S, every_s=CLOCK_S)
    elapsed = time.perf_counter() - started
    worker_s, server_s = side.worker_cpu_s() - worker_s, side.server_cpu_s() - server_s
    return Round(count / elapsed, worker_s / count * 1000, server_s / count * 1000)


def latency_ms(side: Side) -> float:
    """Measure p95 of the time from publishing to an idle worker until the run starts."""
    side.client.delete("latencies")
    side.ask("arrive", LATENCIES)
    wait_until(side.is_done, timeout_s=LIMIT_S, every_s=CLOCK_S)
    values: Any = side.client.lrange("latencies", 1, -1)
    return statistics.quantiles([float(value) for value in values], n=20)[-1] * 1000


def measure() -> Sequence[Figure]:
    """Measure ours beside stock Celery with ``-E`` and the peer with ``-E``."""
    found: dict[str, dict[str, list[Round]]] = {task: {} for task in KINDS}
    latencies: dict[str, list[float]] = {}
    with sides(deliveries()) as running:
        for side in running:
            burst(side, "bench.nothing", 200)
        for _ in range(ROUNDS):
            for side in running:
                for task in KINDS:
                    found[task].setdefault(side.delivery, []).append(burst(side, task))
                latencies.setdefault(side.delivery, []).append(latency_ms(side))
    figures: list[Figure] = []
    for other in [name for name in latencies if name != OURS]:
        for task, kind in KINDS.items():
            figures += _compare(kind, other, found[task][OURS], found[task][other])
        typical = statistics.median(latencies[other])
        goal, peer = (1.0 if other == PEER else 1.1), f"{NAMES[other]}, {typical:.1f} ms"
        figures.append(at_most("idle latency, p95", _ratios(latencies[OURS], latencies[other]), goal, peer=peer))
    return figures


def _compare(kind: str, other: str, ours: list[Round], theirs: list[Round]) -> list[Figure]:
    rates, costs = (1.0, 1.0) if other == PEER else (1.1, 0.8)
    typical = statistics.median(each.per_s for each in theirs)
    cpu = statistics.median(each.cpu_ms for each in theirs)
    server = statistics.median(each.server_ms for each in theirs)
    rate_ratios = _ratios([each.per_s for each in ours], [each.per_s for each in theirs])
    cpu_ratios = _ratios([each.cpu_ms for each in ours], [each.cpu_ms for each in theirs])
    server_ratios = _ratios([each.server_ms for each in ours], [each.server_ms for each in theirs])
    name = NAMES[other]
    return [
        at_least(f"throughput, {kind}", rate_ratios, rates, peer=f"{name}, {typical:.0f} tasks/s"),
        at_most(f"CPU a task, {kind}", cpu_ratios, costs, peer=f"{name}, {cpu:.2f} ms"),
        at_most(f"CPU of the server a task, {kind}", server_ratios, 1.5, peer=f"{name}, {server:.3f} ms"),
    ]


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [mine / its for mine, its in zip(ours, theirs, strict=True)]

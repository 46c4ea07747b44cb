"""A worker with many queues: what a run costs, and what idling costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from benchmarks.apparatus.report import Figure, at_most
from benchmarks.delivery.sides import NAMES, OURS, PEER, STOCK, deliveries, sides
from benchmarks.delivery.speed import Round, burst

QUEUES = 200
ROUNDS = 5
TASKS = 1000
IDLE_S = 20
IDLE_QUEUES = (1, 50, 500, 1000)


def measure_runs() -> Sequence[Figure]:
    """Measure the CPU of a run with 200 queues: of the worker, and of the server."""
    found: dict[str, list[Round]] = {}
    with sides(deliveries(), queue_count=QUEUES) as running:
        for side in running:
            burst(side, "bench.nothing", 200)
        for _ in range(ROUNDS):
            for side in running:
                found.setdefault(side.delivery, []).append(burst(side, "bench.nothing", TASKS))
    figures: list[Figure] = []
    for other in [name for name in found if name != OURS]:
        for what in ("cpu_ms", "server_ms"):
            ours, theirs = ([getattr(each, what) for each in found[name]] for name in (OURS, other))
            peer = f"{NAMES[other]}, {statistics.median(theirs):.2f} ms"
            whose = "worker" if what == "cpu_ms" else "server"
            ratios = [mine / its for mine, its in zip(ours, theirs, strict=True)]
            figures.append(at_most(f"CPU a run with {QUEUES} queues, {whose}", ratios, 1.0, peer=peer))
    return figures


def measure_idle() -> Sequence[Figure]:
    """Measure what an idle worker and its server use of a core, by the number of queues."""
    figures: list[Figure] = []
    for count in IDLE_QUEUES:
        with sides(deliveries(), queue_count=count) as running:
            time.sleep(3)
            before = [(side.worker_cpu_s(), side.server_cpu_s()) for side in running]
            time.sleep(IDLE_S)
            used = {
                side.delivery: (side.worker_cpu_s() - worker_s + side.server_cpu_s() - server_s) / IDLE_S * 100
                for side, (worker_s, server_s) in zip(running, before, strict=True)
            }
            split = {
                side.delivery: (
                    (side.worker_cpu_s() - worker_s) / IDLE_S * 100,
                    (side.server_cpu_s() - server_s) / IDLE_S * 100,
                )
                for side, (worker_s, server_s) in zip(running, before, strict=True)
            }
        words = f"{count} queue{'s' if count > 1 else ''}"
        beside = f", {NAMES[PEER]}, {used[PEER]:.2f} %" if PEER in used else ""
        peer = (
            f"{NAMES[STOCK]}, {used[STOCK]:.2f} % of a core{beside}; ours {split[OURS][0]:.2f} + {split[OURS][1]:.2f} %"
        )
        figures.append(at_most(f"idle with {words}", [used[OURS] / max(used[STOCK], 0.01)], 2.0, peer=peer))
    return figures

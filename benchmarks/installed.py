"""What ``celery_nexus.install(app)`` costs: ``python -m benchmarks.installed [--json]``.

A Django project with Celery's documented setup, installed and stock with ``-E``, in turn. Each side's worker (prefork,
two children, results kept) finds its messages waiting on a server of its own; from the first that it takes to the last
that it acknowledges, seconds and processor time are counted, main process and children together.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks.apparatus.events import server
from benchmarks.apparatus.report import Figure, at_least, at_most, run
from celery_nexus.delivery.keys import in_flight_key
from celery_nexus.queues import STOCK_STEPS, priority_key

TASKS = 3_000
ROUNDS = 3
SIDES = ("installed", "stock")
NODE = "w@bench"
PATIENCE_S = 300


def drain(side: str) -> tuple[float, float]:
    """Let a worker do what waits; return runs a second, and its processor time of one in microseconds."""
    with server() as (client, socket):
        environment = {
            **os.environ,
            "NEXUS_BENCH_SIDE": side,
            "NEXUS_BENCH_BROKER": f"redis+socket://{socket}",
            "NEXUS_BENCH_DATABASE": ":memory:",
            "PYTHONPATH": str(Path(__file__).parent.parent),
        }
        code = f"from benchmarks.apparatus.installed_app import publish; publish({TASKS})"
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "benchmarks.apparatus.installed_app", "worker",
             "-n", NODE, "-c", "2", "--loglevel", "ERROR",
             "--without-gossip", "--without-mingle", *(["-E"] if side == "stock" else [])],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait(lambda: _waiting(client) < TASKS)
            started_at, before = time.perf_counter(), _cpu_s(worker.pid)
            _wait(lambda: not _waiting(client) and not _held(client))
            seconds, cpu_s = time.perf_counter() - started_at, _cpu_s(worker.pid) - before
            return TASKS / seconds, cpu_s / TASKS * 1e6
        finally:
            worker.terminate()
            worker.wait(30)


def _waiting(client: redis.Redis) -> int:
    sizes: Any = [client.llen(priority_key("celery", step)) for step in STOCK_STEPS]
    return sum(sizes)


def _held(client: redis.Redis) -> int:
    sizes: Any = (client.hlen("unacked"), client.hlen(in_flight_key(NODE)))
    return sum(sizes)


def _wait(is_so: Any) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {PATIENCE_S} s")
        time.sleep(0.005)


def _cpu_s(pid: int) -> float:
    main = psutil.Process(pid)
    return sum(sum(process.cpu_times()[:2]) for process in (main, *main.children(recursive=True)))


def measure() -> Sequence[Figure]:
    """Measure both sides in turn."""
    rounds = [{side: drain(side) for side in SIDES} for _ in range(ROUNDS)]
    faster = [one["installed"][0] / one["stock"][0] for one in rounds]
    cheaper = [one["installed"][1] / one["stock"][1] for one in rounds]
    peer = "the same Django project, celery worker -E"
    return [
        at_least("throughput_of_an_installed_application", faster, 1.0, peer=peer),
        at_most("cpu_a_task_of_an_installed_application", cheaper, 1.0, peer=peer),
    ]


if __name__ == "__main__":
    run(measure)

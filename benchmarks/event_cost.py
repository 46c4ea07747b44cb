"""What events cost a worker: ``python -m benchmarks.event_cost [--json]``.

Three workers in turn do the same tasks, which do nothing: with our events, with Celery's own (``-E``), with none. Each
is a real ``celery worker`` with a prefork pool on a server of its own; its processor time from the first to the last
task is compared, main process and children together.
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
from benchmarks.apparatus.report import Figure, at_most, run

TASKS = 3_000
WARM_UP = 200
ROUNDS = 5
GOAL = 0.9


def cpu_us_a_task(mode: str) -> float:
    """Return the processor time of a worker for one task, in microseconds; ``mode`` as in the application."""
    with server() as (client, socket):
        environment = {
            **os.environ,
            "NEXUS_BENCH_EVENTS": mode,
            "NEXUS_BENCH_BROKER": f"redis+socket://{socket}",
            "PYTHONPATH": str(Path(__file__).parent.parent),
        }
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "benchmarks.apparatus.event_cost_app", "worker",
             "--concurrency", "2", "--loglevel", "ERROR",
             "--without-gossip", "--without-mingle", *(["-E"] if mode == "celery" else [])],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _do(client, environment, WARM_UP)
            before = _cpu_s(worker.pid)
            _do(client, environment, TASKS)
            return (_cpu_s(worker.pid) - before) / TASKS * 1e6
        finally:
            worker.terminate()
            worker.wait(20)


def _do(client: redis.Redis, environment: dict[str, str], count: int) -> None:
    code = (
        "from benchmarks.apparatus.event_cost_app import app, noop\n"
        "with app.producer_pool.acquire() as producer:\n"
        f"    [noop.apply_async((n,), {{'language': 'en'}}, producer=producer) for n in range({count})]"
    )
    publisher = environment | {"NEXUS_BENCH_EVENTS": "none"}
    subprocess.run([sys.executable, "-c", code], env=publisher, check=True)
    end = time.monotonic() + 120
    sizes: Any = None
    while sizes != [0, 0]:
        if time.monotonic() > end:
            raise TimeoutError(f"the worker did not finish: {sizes}")
        time.sleep(0.05)
        sizes = [client.llen("celery"), client.hlen("unacked")]
    time.sleep(0.3)  # events follow the acknowledgement


def _cpu_s(pid: int) -> float:
    main = psutil.Process(pid)
    return sum(sum(process.cpu_times()[:2]) for process in (main, *main.children(recursive=True)))


def measure() -> Sequence[Figure]:
    """Measure what events cost a worker, the sides in turn."""
    rounds = [{mode: cpu_us_a_task(mode) for mode in ("stream", "celery", "none")} for _ in range(ROUNDS)]
    against = [one["stream"] / one["celery"] for one in rounds]
    alone = [(one["stream"] - one["none"]) / max(1.0, one["celery"] - one["none"]) for one in rounds]
    return [
        at_most("cpu_of_a_noop_task_against_celery_events", against, GOAL, peer="celery worker -E"),
        at_most("cpu_of_the_events_alone", alone, GOAL, peer="celery worker -E, less a worker without events"),
        at_most("cpu_of_a_noop_task", [one["stream"] for one in rounds], 10_000, unit="us"),
    ]


if __name__ == "__main__":
    run(measure)

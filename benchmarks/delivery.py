"""Reliable delivery beside stock Celery: throughput, CPU and latency of tasks that do nothing.

Two stacks, each with its own broker and one worker of two children, are measured in turn, several times. Neither
stores results. The peer is stock Celery with ``-E``, as monitors need it; ours has its events on as well.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import redis
from celery import Celery
from kombu import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from benchmarks.report import Figure, at_least, at_most, run
from config.broker_url import BrokerUrl
from config.paths import ROOT, Paths
from config.settings import embedded_password

ROUNDS = 5
TASKS = 2000
LATENCIES = 60
QUEUE = "default_queue"


@dataclass(frozen=True)
class Round:
    """What one stack did in one round: tasks a second, CPU of the worker a task, p95 latency when idle."""

    per_s: float
    cpu_ms: float
    latency_ms: float


class Side:
    """A broker and a worker."""

    def __init__(self, delivery: str, home: Path) -> None:
        home.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
        self.environment = {**kept, "NEXUS_HOME": str(home), "NEXUS_DELIVERY": delivery, "PYTHONPATH": str(ROOT)}
        paths = Paths.of(home)
        url = BrokerUrl.for_socket(paths.broker_socket, embedded_password(paths))
        self.environment["BENCH_TRACES"] = url.redis_py
        self.log = home / "worker.log"
        self.broker = self._start("-m", "workers.embedded_broker")
        self.client = redis.Redis.from_url(url.redis_py)
        _until(self._answers)
        TRANSPORT_ALIASES["nexus"] = "workers.delivery.transport:Transport"
        self.app = Celery(
            "bench", broker=url.kombu.replace("redis+", "nexus+") if delivery == "reliable" else url.kombu
        )
        self.app.conf.update(
            broker_transport_options={"priority_steps": list(range(10)), "sep": ":"},
            task_queues=[Queue(QUEUE, Exchange(QUEUE), routing_key=QUEUE)],
            task_default_queue=QUEUE,
            task_ignore_result=True,
        )
        options = ["-Q", QUEUE, "-c", "2", "--prefetch-multiplier", "4", "-E", "-l", "WARNING"]
        options += ["--without-gossip", "--without-mingle", "-n", "bench@bench"]
        self.worker = self._start("-m", "celery", "-A", "benchmarks.delivery_tasks", "worker", *options)
        self.app.send_task("bench.arrived", (time.time(),), priority=5)
        _until(lambda: self.client.llen("latencies"))

    def measure(self) -> Round:
        """Measure one round."""
        payloads = self._messages()
        before_s = self._cpu_s()
        started = time.perf_counter()
        self.client.lpush(f"{QUEUE}:5", *payloads)
        _until(self._is_empty)
        elapsed = time.perf_counter() - started
        cpu_s = self._cpu_s() - before_s
        self.client.delete("latencies")
        for number in range(LATENCIES):
            self.app.send_task("bench.arrived", (time.time(),), priority=5)
            _until(lambda number=number: int(self.client.llen("latencies")) > number)
            time.sleep(0.05)
        values: Any = self.client.lrange("latencies", 0, -1)
        p95 = statistics.quantiles([float(value) for value in values], n=20)[-1]
        return Round(TASKS / elapsed, cpu_s / TASKS * 1000, p95 * 1000)

    def close(self) -> None:
        """End both processes."""
        for process in (self.worker, self.broker):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()
        self.app.close()
        self.client.close()

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *arguments], env=self.environment, cwd=ROOT, stdout=log, stderr=log
            )

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def _messages(self) -> list[bytes]:
        """Make messages as Celery does, without the time that publishing takes."""
        import json
        import uuid

        self.app.send_task("bench.nothing", queue="template", priority=5)
        raw: Any = self.client.rpop("template:5")
        made: list[bytes] = []
        for _ in range(TASKS):
            message = json.loads(raw)
            message["headers"]["id"] = message["headers"]["root_id"] = str(uuid.uuid4())
            message["properties"]["delivery_tag"] = str(uuid.uuid4())
            message["properties"]["delivery_info"] = {"exchange": QUEUE, "routing_key": QUEUE}
            made.append(json.dumps(message).encode())
        return made

    def _is_empty(self) -> bool:
        waiting = int(self.client.llen(f"{QUEUE}:5"))
        held = int(self.client.hlen("unacked")) + int(self.client.hlen("nexus:inflight:bench@bench"))
        return waiting + held == 0

    def _cpu_s(self) -> float:
        main = psutil.Process(self.worker.pid)
        times = [process.cpu_times() for process in (main, *main.children())]
        return sum(spent.user + spent.system for spent in times)


def measure() -> Sequence[Figure]:
    """Measure reliable delivery beside stock Celery with ``-E``."""
    home = Path(tempfile.mkdtemp(prefix="nexus-b-"))
    sides: list[Side] = []
    try:
        ours, stock = (Side(delivery, home / delivery) for delivery in ("reliable", "stock"))
        sides = [ours, stock]
        rounds = [(ours.measure(), stock.measure()) for _ in range(ROUNDS)]
    finally:
        for side in sides:
            side.close()
        shutil.rmtree(home, ignore_errors=True)
    typical = [
        statistics.median(values)
        for values in zip(*((s.per_s, s.cpu_ms, s.latency_ms) for _, s in rounds), strict=True)
    ]
    return [
        at_least("throughput", [o.per_s / s.per_s for o, s in rounds], 1.0, peer=f"stock -E, {typical[0]:.0f} tasks/s"),
        at_most("CPU a task", [o.cpu_ms / s.cpu_ms for o, s in rounds], 1.0, peer=f"stock -E, {typical[1]:.2f} ms"),
        at_most(
            "idle latency, p95",
            [o.latency_ms / s.latency_ms for o, s in rounds],
            1.2,
            peer=f"stock -E, {typical[2]:.1f} ms",
        ),
    ]


def _until(condition: Any, timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the worker did not do its work")
        time.sleep(0.002)


if __name__ == "__main__":
    run(measure)

"""Reliable delivery beside stock Celery: throughput, CPU and latency of tasks that do nothing.

Two stacks, each with its own broker and one worker of two children, are measured in turn, several times. Neither
stores results. Ours is the application as it ships, with its event stream and the recorder that keeps the history; the
peer is a plain Celery application with ``-E``, as monitors need it, and nobody who listens.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks.delivery_tasks import QUEUE
from benchmarks.report import Figure, at_least, at_most, run
from config.broker_url import BrokerUrl
from config.paths import ROOT, Paths
from config.queues import priority_key
from config.settings import embedded_password

ROUNDS = 5
TASKS = 2000
LATENCIES = 100
LIST = priority_key(QUEUE, 5)
TEMPLATES = "templates"


@dataclass(frozen=True)
class Round:
    """What one stack did in one round: tasks a second, CPU of the worker a task, p95 latency when idle."""

    per_s: float
    cpu_ms: float
    latency_ms: float


class Side:
    """A broker, a worker, and for ours the recorder."""

    def __init__(self, delivery: str, home: Path) -> None:
        home.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
        paths = Paths.of(home)
        url = BrokerUrl.for_socket(paths.broker_socket, embedded_password(paths))
        self.environment = {
            **kept,
            "NEXUS_HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "BENCH_DELIVERY": delivery,
            "BENCH_BROKER": url.kombu,
            "BENCH_TRACES": url.redis_py,
        }
        self.log = home / "bench.log"
        self.processes = [self._start("workers.embedded_broker")]
        self.client = redis.Redis.from_url(url.redis_py)
        _until(self._answers)
        options = ["-Q", QUEUE, "-c", "2", "--prefetch-multiplier", "4", "-l", "WARNING", "-n", "bench@bench"]
        options += ["--without-gossip", "--without-mingle"]
        if delivery == "stock":
            options.append("-E")
        else:
            self.processes.append(self._start("workers.history.recorder"))
        self.worker = self._start("celery", "-A", "benchmarks.delivery_tasks", "worker", *options)
        self.processes.append(self.worker)
        self._submit(1)
        self._template = self._message()

    def measure(self) -> Round:
        """Measure one round."""
        payloads = [self._copy() for _ in range(TASKS)]
        before_s = self._cpu_s()
        started = time.perf_counter()
        self.client.lpush(LIST, *payloads)
        _until(self._is_empty)
        elapsed = time.perf_counter() - started
        cpu_s = self._cpu_s() - before_s
        self.client.delete("latencies")
        self._submit(LATENCIES)
        values: Any = self.client.lrange("latencies", 1, -1)
        p95 = statistics.quantiles([float(value) for value in values], n=20)[-1]
        return Round(TASKS / elapsed, cpu_s / TASKS * 1000, p95 * 1000)

    def close(self) -> None:
        """End all processes."""
        for process in reversed(self.processes):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()
        self.client.close()

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", *arguments]
            return subprocess.Popen(command, env=self.environment, cwd=ROOT, stdout=log, stderr=log)

    def _submit(self, count: int) -> None:
        """Submit as an application does, from a process of its own; returns when all runs are done."""
        process = self._start("benchmarks.delivery_tasks", str(count))
        if process.wait(60):
            raise RuntimeError(self.log.read_text(errors="replace")[-2000:])
        _until(self._is_empty)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def _message(self) -> Any:
        """Let this side's application publish a message to a queue that nobody consumes, and readdress it."""
        publish = f"from benchmarks.delivery_tasks import nothing; nothing.apply_async(queue={TEMPLATES!r})"
        subprocess.run([sys.executable, "-c", publish], env=self.environment, cwd=ROOT, check=True, timeout=60)
        raw: Any = self.client.rpop(priority_key(TEMPLATES, 5))
        message = json.loads(raw)
        message["properties"]["delivery_info"] = {"exchange": QUEUE, "routing_key": QUEUE}
        return message

    def _copy(self) -> bytes:
        """Make another message like the application's, without the time that publishing takes."""
        run_id = str(uuid.uuid4())
        self._template["headers"] |= {"id": run_id, "root_id": run_id}
        self._template["properties"] |= {"delivery_tag": str(uuid.uuid4()), "correlation_id": run_id}
        return json.dumps(self._template).encode()

    def _is_empty(self) -> bool:
        waiting = int(self.client.llen(LIST))
        held = int(self.client.hlen("unacked")) + int(self.client.hlen("nexus:inflight:bench@bench"))
        return waiting + held == 0

    def _cpu_s(self) -> float:
        """Sum up what the worker and its children used, those that were replaced meanwhile among them."""
        main = psutil.Process(self.worker.pid)
        times = [process.cpu_times() for process in (main, *main.children())]
        replaced_s = times[0].children_user + times[0].children_system
        return replaced_s + sum(spent.user + spent.system for spent in times)


def measure() -> Sequence[Figure]:
    """Measure reliable delivery beside stock Celery with ``-E``."""
    home = Path(tempfile.mkdtemp(prefix="nexus-b-"))
    sides: list[Side] = []
    try:
        for delivery in ("reliable", "stock"):
            sides.append(Side(delivery, home / delivery))
        ours, stock = sides
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


def _until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the worker did not do its work")
        time.sleep(0.002)


if __name__ == "__main__":
    run(measure)

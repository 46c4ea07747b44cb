"""What is measured: a broker of its own, a worker, and for ours the recorder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks.delivery import peer
from benchmarks.delivery.tasks import TEMPLATES, queues
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.embedded_broker.password import read_embedded_password
from celery_nexus.paths import Paths
from celery_nexus.queues import priority_key
from tests.harness.places import ROOT
from tests.harness.servers import answers
from tests.harness.waiting import wait_until

NODE = "bench@bench"
OURS, STOCK, PEER = "reliable", "stock", "peer"
NAMES = {STOCK: "stock -E", PEER: peer.NAME}
CLOCK_S = 0.002
"""Seconds between two looks at a worker that is measured."""


class Side:
    """One application as it ships: ours, stock Celery with ``-E``, or the peer with ``-E``.

    Args:
        delivery: :data:`OURS`, :data:`STOCK` or :data:`PEER`.
        home: A folder that does not exist yet.
        queue_count: How many queues its worker consumes.
        has_worker: Whether there is one.
    """

    def __init__(self, delivery: str, home: Path, *, queue_count: int = 1, has_worker: bool = True) -> None:
        home.mkdir()
        self.delivery = delivery
        self.queues = queues(queue_count)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
        paths = Paths.of(home)
        url = BrokerUrl.for_socket(paths.broker_socket, read_embedded_password(paths))
        self.environment = {
            **kept,
            "NEXUS_HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "BENCH_DELIVERY": delivery,
            "BENCH_BROKER": url.kombu,
            "BENCH_TRACES": url.redis_py,
            "BENCH_QUEUES": str(queue_count),
        }
        self.log = home / "bench.log"
        self.broker = self._start(sys.executable, "celery_nexus.embedded_broker")
        self.processes = [self.broker]
        self.client = redis.Redis.from_url(url.redis_py)
        wait_until(lambda: answers(self.client))
        if has_worker:
            self._start_worker()

    def _start_worker(self) -> None:
        options = ["-Q", ",".join(self.queues), "-c", "2", "--prefetch-multiplier", "4", "-l", "INFO", "-n", NODE]
        options += ["--without-gossip", "--without-mingle"]
        if self.delivery == OURS:
            self.processes.append(
                self._start(sys.executable, "celery_nexus.history.recorder", "-A", "config.celery_config")
            )
        else:
            options.append("-E")
        self.worker = self._start(self.python, "celery", "-A", "benchmarks.delivery.tasks", "worker", *options)
        self.processes.append(self.worker)
        wait_until(lambda: " ready." in self.log.read_text(errors="replace"), timeout_s=90)

    @property
    def python(self) -> str:
        """The interpreter of its application."""
        return str(peer.python()) if self.delivery == PEER else sys.executable

    def close(self) -> None:
        """End all processes."""
        for process in reversed(self.processes):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()
        self.client.close()

    def ask(self, what: str, *arguments: object) -> str:
        """Let a process of the application do something; returns what it printed."""
        command = [self.python, "-m", "benchmarks.delivery.tasks", what, *map(str, arguments)]
        done = subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        return done.stdout

    def copies(self, task: str, count: int) -> list[bytes]:
        """Make messages as the application does, without the time that publishing takes, for all queues in turn."""
        code = f"from benchmarks.delivery.tasks import app; app.tasks[{task!r}].apply_async(queue={TEMPLATES!r})"
        command = [self.python, "-c", code]
        subprocess.run(command, env=self.environment, cwd=ROOT, check=True, timeout=60)
        template = json.loads(self._take_template())
        made: list[bytes] = []
        for number in range(count):
            run_id, queue = str(uuid.uuid4()), self.queues[number % len(self.queues)]
            template["headers"] |= {"id": run_id, "root_id": run_id}
            template["properties"] |= {"delivery_tag": str(uuid.uuid4()), "correlation_id": run_id}
            template["properties"]["delivery_info"] = {"exchange": queue, "routing_key": queue}
            made.append(json.dumps(template).encode())
        return made

    def push(self, messages: Sequence[bytes]) -> None:
        """Put messages into the queues, one in each in turn."""
        pipeline: Any = self.client.pipeline()
        for number, message in enumerate(messages):
            queue = self.queues[number % len(self.queues)]
            if self.delivery == PEER:
                self._push_hash(pipeline, queue, message)
            else:
                pipeline.lpush(priority_key(queue, 5), message)
        pipeline.execute()

    def is_done(self) -> bool:
        """Tell whether nothing waits and nothing is held."""
        pipeline: Any = self.client.pipeline()
        for queue in self.queues:
            if self.delivery == PEER:
                pipeline.zcard(f"messages_index:{queue}")
            else:
                pipeline.llen(priority_key(queue, 5))
        for key in ("unacked", f"nexus:inflight:{NODE}"):
            pipeline.hlen(key)
        return not any(pipeline.execute())

    def worker_cpu_s(self) -> float:
        """Sum up what the worker and its children used, those that were replaced meanwhile among them."""
        main = psutil.Process(self.worker.pid)
        times = [process.cpu_times() for process in (main, *main.children())]
        replaced_s = times[0].children_user + times[0].children_system
        return replaced_s + sum(spent.user + spent.system for spent in times)

    def server_cpu_s(self) -> float:
        """Tell what the broker used."""
        spent = psutil.Process(self.broker.pid).cpu_times()
        return spent.user + spent.system

    def worker_memory(self) -> float:
        """Tell how much memory the worker's main process has, in MB."""
        return psutil.Process(self.worker.pid).memory_info().rss / 1e6

    def _take_template(self) -> bytes:
        if self.delivery != PEER:
            raw: Any = self.client.rpop(priority_key(TEMPLATES, 5))
            return raw
        tag: Any = self.client.zrange(f"queue:{TEMPLATES}", 0, 0)[0]  # pyright: ignore[reportIndexIssue]
        fields: Any = self.client.hgetall(f"message:{tag.decode()}")
        self.client.delete(f"queue:{TEMPLATES}", f"messages_index:{TEMPLATES}", f"message:{tag.decode()}")
        return fields[b"payload"]

    def _push_hash(self, pipeline: Any, queue: str, message: bytes) -> None:
        tag, now = json.loads(message)["properties"]["delivery_tag"], time.time()
        fields = {"routing_key": queue, "priority": 5, "native_delayed": 0, "eta": 0, "delivery_count": 0}
        pipeline.hset(f"message:{tag}", mapping={"payload": message, **fields})
        pipeline.zadd(f"messages_index:{queue}", {tag: now + 360})
        pipeline.zadd(f"queue:{queue}", {tag: 250 * 10**13 + int(now * 1000)})

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        interpreter, *arguments = command
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [interpreter, "-m", *arguments], env=self.environment, cwd=ROOT, stdout=log, stderr=log
            )


@contextmanager
def sides(deliveries: Sequence[str], **options: Any) -> Generator[list[Side]]:
    """Start several applications, and end them."""
    started: list[Side] = []
    with tempfile.TemporaryDirectory(prefix="nexus-b-", ignore_cleanup_errors=True) as folder:
        try:
            for delivery in deliveries:
                started.append(Side(delivery, Path(folder) / delivery, **options))
            yield started
        finally:
            for side in started:
                side.close()


def deliveries() -> list[str]:
    """List what can be measured here, ours first."""
    return [OURS, STOCK, *([PEER] if peer.has_peer() else [])]

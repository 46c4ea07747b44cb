"""A broker, workers that are started again when they die, and the evidence of what ran."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import redis
from celery import Celery
from kombu import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from config.broker_url import BrokerUrl
from config.paths import ROOT, Paths
from config.settings import embedded_password

QUEUE = "default_queue"
RESPAWN_S = 0.2


def wait_until(condition: Callable[[], Any], timeout_s: float) -> bool:
    """Wait until a condition holds; False when it never did."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except redis.RedisError:
            pass
        time.sleep(0.05)
    return False


class Stack:
    """Everything that one fault needs, in a folder of its own.

    Args:
        delivery: ``reliable`` or ``stock``.
        workers: How many workers.
        concurrency: Children of each.
        prefetch: Messages a child may hold.
        **environment: Further variables of the workers.
    """

    def __init__(
        self, delivery: str, *, workers: int = 2, concurrency: int = 2, prefetch: int = 4, **environment: str
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="nexus-f-"))
        self.delivery = delivery
        self._stopping = threading.Event()
        self._broker_home, self._evidence_home = self.home / "b", self.home / "e"
        self.broker = self._start_broker(self._broker_home)
        self._evidence_broker = self._start_broker(self._evidence_home)
        self.evidence = redis.Redis.from_url(_url(self._evidence_home).redis_py)
        self.client = redis.Redis.from_url(self.url.redis_py)
        self.environment = _environment(self._broker_home) | {
            "NEXUS_DELIVERY": delivery,
            "FAULTS_EVIDENCE": _url(self._evidence_home).redis_py,
            "REMAP_SIGTERM": "SIGQUIT",
            **environment,
        }
        self._options = ["-c", str(concurrency), "--prefetch-multiplier", str(prefetch)]
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.exits: list[int] = []
        for number in range(workers):
            self.start_worker(f"w{number}")
        self.producer = self._producer()
        threading.Thread(target=self._respawn, daemon=True).start()

    @property
    def url(self) -> BrokerUrl:
        """Address of the broker."""
        return _url(self._broker_home)

    def start_worker(self, name: str) -> None:
        """Start a worker, as supervisord would."""
        command = [sys.executable, "-m", "celery", "-A", "benchmarks.faults.tasks", "worker", "-Q", QUEUE]
        command += ["-n", f"{name}@faults", "--without-gossip", "--without-mingle", "-l", "INFO", *self._options]
        with (self.home / f"{name}.log").open("ab") as log:
            self.workers[name] = subprocess.Popen(command, env=self.environment, cwd=ROOT, stdout=log, stderr=log)

    def wait_ready(self) -> None:
        """Wait until every worker consumes."""
        for name in self.workers:
            wait_until(lambda name=name: " ready." in self.log(name), 60)

    def log(self, name: str) -> str:
        """Read a worker's log."""
        file = self.home / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def publish(self, count: int, seconds: float = 0.0, prefix: str = "r", **options: Any) -> None:
        """Publish runs; their names are the prefix and a number."""
        for number in range(count):
            self.producer.send_task("faults.work", (f"{prefix}{number}", seconds), priority=5, **options)

    def kill_one(self, chance: random.Random) -> None:
        """Kill a worker's main process or one of its children."""
        alive = [process.pid for process in self.workers.values() if process.poll() is None]
        processes = list(alive)
        for pid in alive:
            try:
                processes += [child.pid for child in psutil.Process(pid).children()]
            except psutil.Error:
                continue
        if processes:
            try:
                os.kill(chance.choice(sorted(processes)), signal.SIGKILL)
            except ProcessLookupError:
                return

    def stop_broker(self) -> None:
        """Kill the broker as the kernel would."""
        self.broker.kill()
        self.broker.wait()

    def start_again(self) -> None:
        """Start the broker on the data that it left."""
        self.broker = self._start_broker(self._broker_home)

    def counts(self, what: str) -> dict[str, int]:
        """Read the evidence: name of a run to how often it ``started``, or is ``done``."""
        raw: Any = self.evidence.hgetall(what)
        return {name.decode(): int(value) for name, value in raw.items()}

    def wait_done(self, count: int, timeout_s: float) -> bool:
        """Wait until so many runs are done at least once."""
        return wait_until(lambda: int(self.evidence.hlen("done")) >= count, timeout_s)

    def held(self) -> int:
        """Count the messages that are somewhere: waiting, in flight, delayed."""
        lists = [QUEUE, *(f"{QUEUE}:{priority}" for priority in range(1, 10))]
        waiting = sum(int(self.client.llen(name)) for name in lists)
        in_flight = sum(int(self.client.hlen(f"nexus:inflight:{name}@faults")) for name in self.workers)
        return waiting + in_flight + int(self.client.hlen("unacked")) + int(self.client.zcard(f"nexus:delayed:{QUEUE}"))

    def close(self) -> None:
        """End everything."""
        self._stopping.set()
        for process in [*self.workers.values(), self.broker, self._evidence_broker]:
            try:
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            except psutil.Error:
                pass
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        self.producer.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def _respawn(self) -> None:
        while not self._stopping.wait(RESPAWN_S):
            for name, process in tuple(self.workers.items()):
                if process.poll() is not None and not self._stopping.is_set():
                    self.exits.append(process.returncode)
                    self.start_worker(name)

    def _start_broker(self, home: Path) -> subprocess.Popen[bytes]:
        home.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "workers.embedded_broker"]
        with (self.home / "broker.log").open("ab") as log:
            process = subprocess.Popen(command, env=_environment(home), cwd=ROOT, stdout=log, stderr=log)
        client = redis.Redis.from_url(_url(home).redis_py)
        wait_until(client.ping, 30)
        client.close()
        return process

    def _producer(self) -> Celery:
        TRANSPORT_ALIASES["nexus"] = "workers.delivery.transport:Transport"
        url = self.url.kombu.replace("redis+", "nexus+", 1) if self.delivery == "reliable" else self.url.kombu
        app = Celery("faults", broker=url)
        app.conf.update(
            broker_transport_options={"priority_steps": list(range(10)), "sep": ":"},
            task_queues=[Queue(QUEUE, Exchange(QUEUE), routing_key=QUEUE)],
            task_default_queue=QUEUE,
            task_ignore_result=True,
        )
        return app


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NEXUS_", "FAULTS_"))}
    return {**kept, "NEXUS_HOME": str(home), "PYTHONPATH": str(ROOT)}


def _url(home: Path) -> BrokerUrl:
    paths = Paths.of(home)
    return BrokerUrl.for_socket(paths.broker_socket, embedded_password(paths))

"""A broker, workers that are started again when they die, and the evidence of what ran."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import redis
from celery import Celery
from kombu import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from benchmarks.delivery import peer
from benchmarks.faults.peer_producer import PeerProducer
from benchmarks.faults.tasks import OTHER_QUEUE, QUEUE, stock_application
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.delivery.balance import recount as balance
from celery_nexus.delivery.balance.ledger import Ledger
from celery_nexus.diagnosis.past import Past
from celery_nexus.embedded_broker.password import read_embedded_password
from celery_nexus.history.query.history import History
from celery_nexus.paths import Paths
from celery_nexus.queues import priority_key
from celery_nexus.rows.diagnosis.balance import Balance
from tests.harness.places import ROOT
from tests.harness.waiting import wait_for

RESPAWN_S = 0.2


def wait_until(condition: Callable[[], Any], timeout_s: float) -> bool:
    """Wait until a condition holds; False when it never did."""

    def is_so() -> bool:
        try:
            return bool(condition())
        except redis.RedisError:  # the broker's absence is what many of them are about
            return False

    return bool(wait_for(is_so, timeout_s))


class Stack:
    """Everything that one fault needs, in a folder of its own.

    Args:
        delivery: ``reliable`` (ours), ``stock`` (a plain Celery application with default settings) or ``peer``
            (celery-redis-plus, tuned).
        workers: How many workers.
        concurrency: Children of each.
        prefetch: Messages a child may hold.
        broker_url: Address that workers use instead of the broker's own (a proxy's).
        pool: Celery's name of the workers' pool.
        home: Folder that is kept; None for one that goes with the stack.
        **environment: Further variables of the workers.
    """

    loading_s = 30.0
    """A broker is waited for so long; it loads its file first."""

    def __init__(
        self,
        delivery: str,
        *,
        workers: int = 2,
        concurrency: int = 2,
        prefetch: int = 4,
        broker_url: Callable[[Path], str] | None = None,
        pool: str = "prefork",
        home: Path | None = None,
        **environment: str,
    ) -> None:
        self.home = home or Path(tempfile.mkdtemp(prefix="nexus-f-"))
        self._is_kept = home is not None
        self.delivery = delivery
        self._stopping = threading.Event()
        self._broker_home, self._evidence_home = self.home / "b", self.home / "e"
        self.broker = self._start_broker(self._broker_home)
        self._evidence_broker = self._start_broker(self._evidence_home)
        self.evidence = redis.Redis.from_url(_url(self._evidence_home).redis_py)
        self.client = redis.Redis.from_url(self.url.redis_py)
        address = broker_url(self._broker_home) if broker_url else ""
        self.environment = _environment(self._broker_home) | {
            "NEXUS_DELIVERY": "reliable",
            "NEXUS_REDIS_URL": address,
            "FAULTS_DELIVERY": delivery,
            "FAULTS_BROKER": address or self.url.kombu,
            "FAULTS_EVIDENCE": _url(self._evidence_home).redis_py,
            "REMAP_SIGTERM": "SIGQUIT" if delivery == "reliable" else "",
            **environment,
        }
        self._options = ["-P", pool, "-c", str(concurrency), "--prefetch-multiplier", str(prefetch)]
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.exits: list[int] = []
        self.victims: list[tuple[int, float, float]] = []
        self.begun: Counter[str] = Counter()
        self._programs: list[subprocess.Popen[bytes]] = []
        for number in range(workers):
            self.start_worker(f"w{number}")
        self.recorder = self.start_recorder() if delivery == "reliable" else None
        self.guardian = self.start_guardian() if delivery == "reliable" else None
        self.producer: Any = self._producer()
        threading.Thread(target=self._respawn, daemon=True).start()

    @property
    def url(self) -> BrokerUrl:
        """Address of the broker."""
        return _url(self._broker_home)

    @property
    def paths(self) -> Paths:
        """Where the stack's files are."""
        return Paths.of(self._broker_home)

    def start_worker(self, name: str) -> None:
        """Start a worker, as supervisord would."""
        options = ["-n", f"{name}@faults", "--without-gossip", "--without-mingle", "-l", "INFO", *self._options]
        self.begun[name] = self.log(name).count(" ready.") + 1
        queues = ",".join((QUEUE, OTHER_QUEUE))
        python = str(peer.python()) if self.delivery == "peer" else sys.executable
        self.workers[name] = self.program(
            "celery", "-A", "benchmarks.faults.tasks", "worker", "-Q", queues, *options, log=name, python=python
        )

    def start_recorder(self) -> subprocess.Popen[bytes]:
        """Start the recorder of the history."""
        self.recorder = self.program("celery_nexus.history.recorder", "-A", "config.celery_config", log="recorder")
        self._programs.append(self.recorder)
        return self.recorder

    def start_guardian(self) -> subprocess.Popen[bytes]:
        """Start the guardian."""
        self.guardian = self.program("celery_nexus.delivery.guardian", "-A", "config.celery_config", log="guardian")
        self._programs.append(self.guardian)
        return self.guardian

    def program(self, module: str, *arguments: str, log: str, python: str = sys.executable) -> subprocess.Popen[bytes]:
        """Start a Python module of the stack."""
        return self._spawn([python, "-m", module, *arguments], self.environment, log)

    def wait_ready(self) -> None:
        """Wait until every worker consumes."""
        for name in self.workers:
            wait_until(lambda name=name: " ready." in self.log(name), 90)

    def log(self, name: str) -> str:
        """Read a program's log."""
        file = self.home / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def publish(self, count: int, seconds: float = 0.0, prefix: str = "r", **options: Any) -> None:
        """Publish runs; their names are the prefix and a number."""
        for number in range(count):
            chosen: dict[str, Any] = {"priority": 5} | options
            self.producer.send_task("faults.work", (f"{prefix}{number}", seconds), **chosen)

    def kill_one(self, chance: random.Random) -> None:
        """Kill a process of a worker that is up: its main one or a child; one that still starts is spared."""
        alive = [
            process.pid
            for name, process in self.workers.items()
            if process.poll() is None and self.log(name).count(" ready.") >= self.begun[name]
        ]
        processes = sorted({*alive, *(child for pid in alive for child in children_of(pid))})
        if processes:
            self.kill(chance.choice(processes))

    def kill(self, pid: int) -> None:
        """Kill a process, and note it and its children as victims."""
        gone, before = [pid, *children_of(pid)], time.time()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.victims += [(victim, before, time.time()) for victim in gone]

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

    def starts(self) -> dict[str, list[tuple[float, tuple[int, int]]]]:
        """Read when each run was started, and by which child of which worker process."""
        found: dict[str, list[tuple[float, tuple[int, int]]]] = {}
        raw: Any = self.evidence.lrange("starts", 0, -1)
        for entry in raw:
            name, at, child, worker = entry.decode().split()
            found.setdefault(name, []).append((float(at), (int(child), int(worker))))
        return found

    def wait_done(self, count: int, timeout_s: float) -> bool:
        """Wait until so many runs are done at least once."""
        return wait_until(lambda: int(self.evidence.hlen("done")) >= count, timeout_s)

    def held(self) -> int:
        """Count the messages that are somewhere: waiting, in flight, delayed."""
        names = [name for queue in (QUEUE, OTHER_QUEUE) for name in (priority_key(queue, n) for n in range(10))]
        waiting = sum(int(self.client.llen(name)) for name in names)
        in_flight = sum(int(self.client.hlen(f"nexus:inflight:{name}@faults")) for name in self.workers)
        delayed = sum(int(self.client.zcard(f"nexus:delayed:{queue}")) for queue in (QUEUE, OTHER_QUEUE))
        of_peer = sum(int(self.client.zcard(f"messages_index:{queue}")) for queue in (QUEUE, OTHER_QUEUE))
        return waiting + in_flight + int(self.client.hlen("unacked")) + delayed + of_peer

    def balance(self, patience_s: float = 30.0) -> Balance | None:
        """Take the balance sheet; None for others, who count nothing."""
        if self.delivery != "reliable":
            return None
        with History(self.paths.history) as history:
            past = Past(history)
            ledger = Ledger(self.client, [QUEUE, OTHER_QUEUE])
            return balance.take(ledger, past, lambda: past.cursor, patience_s=patience_s)[0]

    def close(self) -> None:
        """End everything."""
        self._stopping.set()
        processes = [*self.workers.values(), *self._programs, self.broker, self._evidence_broker]
        children = [child for process in processes for child in children_of(process.pid)]
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.producer.close()
        self.client.close()
        self.evidence.close()
        if not self._is_kept:
            shutil.rmtree(self.home, ignore_errors=True)

    def _respawn(self) -> None:
        while not self._stopping.wait(RESPAWN_S):
            self.respawn_workers()

    def respawn_workers(self) -> None:
        """Start the workers again that have ended, as supervisord would."""
        for name, process in tuple(self.workers.items()):
            if process.poll() is not None and not self._stopping.is_set():
                self.exits.append(process.returncode)
                self.start_worker(name)

    def _start_broker(self, home: Path) -> subprocess.Popen[bytes]:
        home.mkdir(exist_ok=True)
        process = self._spawn([sys.executable, "-m", "celery_nexus.embedded_broker"], _environment(home), "broker")
        client = redis.Redis.from_url(_url(home).redis_py)
        wait_until(client.ping, self.loading_s)
        client.close()
        return process

    def _spawn(self, command: list[str], environment: dict[str, str], log: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{log}.log").open("ab") as file:
            return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=file, stderr=file)

    def _producer(self) -> Celery | PeerProducer:
        if self.delivery == "peer":
            return PeerProducer(peer.python(), self.environment, ROOT)
        if self.delivery == "stock":
            return stock_application(self.url.kombu)
        TRANSPORT_ALIASES["nexus"] = "celery_nexus.delivery.transport.transport:Transport"
        app = Celery("faults", broker=self.url.kombu.replace("redis+", "nexus+", 1))
        app.conf.update(
            broker_transport_options={"priority_steps": list(range(10))},
            task_queues=[Queue(name, Exchange(name), routing_key=name) for name in (QUEUE, OTHER_QUEUE)],
            task_default_queue=QUEUE,
            task_ignore_result=True,
        )
        return app


def children_of(pid: int) -> list[int]:
    """List the processes below one; none when it has ended."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NEXUS_", "FAULTS_"))}
    return {**kept, "NEXUS_HOME": str(home), "PYTHONPATH": str(ROOT)}


def _url(home: Path) -> BrokerUrl:
    paths = Paths.of(home)
    return BrokerUrl.for_socket(paths.broker_socket, read_embedded_password(paths))

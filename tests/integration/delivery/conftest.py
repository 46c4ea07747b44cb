"""A broker of its own and real workers for each test, with tasks that leave traces in Redis."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from kombu import Exchange, Queue, pools
from kombu.transport import TRANSPORT_ALIASES

from tests.harness.applications import close_results
from tests.harness.commands import CommandResult, run_python
from tests.harness.places import ROOT
from tests.harness.ports import free_port
from tests.harness.processes import begin_worker, clean_environment, kill, start, start_worker
from tests.harness.servers import embedded_url, start_embedded_broker, start_server
from tests.harness.waiting import wait_until

TASKS = Path(__file__).resolve().parent


class Stack:
    """A broker and its workers, in a home of their own."""

    def __init__(self, home: Path, delivery: str = "reliable") -> None:
        self.home = home
        places = {"NEXUS_HOME": str(home), "PYTHONPATH": f"{ROOT}:{TASKS}"}
        self.environment = clean_environment(NEXUS_DELIVERY=delivery, **places)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.apps: list[Celery] = []
        self.client = redis.Redis.from_url(self.url)

    @property
    def url(self) -> str:
        """redis-py's spelling of the broker's address."""
        return embedded_url(self.home).redis_py

    def start_broker(self) -> subprocess.Popen[bytes]:
        """Start the broker, and wait until it answers."""
        broker = start_embedded_broker(self.home, self.environment)
        self.processes.append(broker.process)
        return broker.process

    def run(self, *arguments: str, log: str) -> subprocess.Popen[bytes]:
        """Start a Python program of the stack."""
        process = start(*arguments, environment=self.environment, log=self.home / log)
        self.processes.append(process)
        return process

    def worker(self, node: str = "w", *options: str, wait: bool = True) -> subprocess.Popen[bytes]:
        """Start a worker, and wait until it is ready."""
        words = ("-Q", "default_queue", "-c", "2", "--prefetch-multiplier", "1", *options)
        told: dict[str, Any] = {"environment": self.environment, "log": self.home / f"{node}.log"}
        begin = start_worker if wait else begin_worker
        process = begin("delivery_tasks", *words, node=f"{node}@test", **told)
        self.processes.append(process)
        return process

    def nexus(self, *words: str) -> CommandResult:
        """Run ``nexus-tui`` to its end."""
        return self.python("-m", "nexus_tui", *words)

    def python(self, *words: str, is_well: bool = False) -> CommandResult:
        """Run a Python program of the stack to its end, which must be a good one if it is told so."""
        return run_python(*words, environment=self.environment, is_well=is_well)

    def log(self, node: str) -> str:
        """Read a worker's log."""
        file = self.home / f"{node}.log"
        return file.read_text() if file.exists() else ""

    def server(self, *options: str) -> int:
        """Start another server on a port of its own; returns the port when it answers."""
        port = free_port()
        self.processes.append(start_server(self.home / f"server-{port}", *options, port=port))
        return port

    def restart(self, server: subprocess.Popen[bytes]) -> None:
        """Start a killed server again, on the data that it left."""
        arguments: Any = server.args
        self.processes.append(subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def app(self, *, ours: bool = True, **transport_options: Any) -> Celery:
        """A producer: with our transport, or a plain Celery application that knows nothing of Nexus."""
        from celery_nexus.connection.broker_url import BrokerUrl

        TRANSPORT_ALIASES["nexus"] = "celery_nexus.delivery.transport.transport:Transport"
        url = BrokerUrl.parse(self.url).kombu
        address = url.replace("redis+", "nexus+", 1) if ours else url
        app = Celery("producer", broker=address, backend=url, set_as_current=False)
        app.conf.update(
            broker_transport_options={"priority_steps": list(range(10)), **transport_options},
            task_queues=[Queue("default_queue", Exchange("default_queue"), routing_key="default_queue")],
            task_default_queue="default_queue",
            task_default_priority=5,
        )
        self.apps.append(app)
        return app

    def publish(self, task: str, *args: Any, **options: Any) -> str:
        """Publish a run with our transport."""
        chosen: dict[str, Any] = {"priority": 5} | options
        return str(self.producer.send_task(task, args, **chosen).id)

    @cached_property
    def producer(self) -> Celery:
        """The producer of :meth:`publish`."""
        return self.app()

    def count(self, name: str) -> int:
        """Read a counter that tasks write."""
        return int(self.client.get(name) or 0)

    @staticmethod
    def until(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
        """Wait until a condition holds, and return its value."""
        return wait_until(condition, timeout_s=timeout_s)

    def close(self) -> None:
        """End everything that was started."""
        for app in self.apps:
            close_results(app)
            app.close()
        # Celery's pools belong to the process: a connection that this test cut must not be the next one's.
        pools.reset()
        for process in reversed(self.processes):
            # With its children: a test that is run again must not meet what the first attempt still does.
            if process.poll() is None:
                kill(process)
        self.client.close()


@pytest.fixture(scope="module")
def delivery_home() -> Iterator[Path]:
    """The home of this process's delivery tests."""
    home = Path(tempfile.mkdtemp(prefix="nexus-d-"))
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def delivery_broker(delivery_home: Path) -> Iterator[Stack]:
    """A broker that these tests may empty, stop and overload."""
    running = Stack(delivery_home)
    running.start_broker()
    yield running
    running.close()


@pytest.fixture
def stack(delivery_broker: Stack) -> Iterator[Stack]:
    """A stack with reliable delivery on an empty broker."""
    delivery_broker.client.flushall()
    for log in delivery_broker.home.glob("*.log"):
        log.unlink()
    running = Stack(delivery_broker.home)
    try:
        yield running
    finally:
        running.close()

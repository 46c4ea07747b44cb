"""A broker of its own and real workers for each test, with tasks that leave traces in Redis."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from kombu import Exchange, Queue, pools
from kombu.transport import TRANSPORT_ALIASES

from celery_nexus.embedded_broker.server import server_binary
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
TASKS = Path(__file__).resolve().parent


def until(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """Wait until a condition holds, and return its value."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {timeout_s} s")


class Stack:
    """A broker and its workers, in a home of their own."""

    def __init__(self, home: Path, delivery: str = "reliable") -> None:
        self.home = home
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")},
            "NEXUS_HOME": str(home),
            "NEXUS_DELIVERY": delivery,
            "PYTHONPATH": f"{ROOT}:{TASKS}",
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        self.apps: list[Celery] = []
        self.client = redis.Redis.from_url(self.url)

    @property
    def url(self) -> str:
        """redis-py's spelling of the broker's address."""
        from celery_nexus.connection.broker_url import BrokerUrl
        from celery_nexus.embedded_broker.password import read_embedded_password
        from celery_nexus.paths import Paths

        paths = Paths.of(self.home)
        return BrokerUrl.for_socket(paths.broker_socket, read_embedded_password(paths)).redis_py

    def start_broker(self) -> subprocess.Popen[bytes]:
        """Start the broker, and wait until it answers."""
        broker = self.run("-m", "celery_nexus.embedded_broker", log="broker.log")
        until(lambda: broker.poll() is not None or _answers(self.client), 60)
        assert broker.poll() is None, (self.home / "broker.log").read_text()
        return broker

    def run(self, *arguments: str, log: str) -> subprocess.Popen[bytes]:
        """Start a Python program of the stack."""
        with (self.home / log).open("ab") as file:
            command = [sys.executable, *arguments]
            process = subprocess.Popen(command, env=self.environment, cwd=ROOT, stdout=file, stderr=file)
        self.processes.append(process)
        return process

    def worker(self, node: str = "w", *options: str, wait: bool = True) -> subprocess.Popen[bytes]:
        """Start a worker, and wait until it is ready."""
        log = f"{node}.log"
        before = self.log(node).count(" ready.")
        arguments = ["-Q", "default_queue", "-n", f"{node}@test", "-c", "2", "--prefetch-multiplier", "1", *options]
        arguments = ["--without-gossip", "--without-mingle", "--loglevel", "INFO", *arguments]
        process = self.run("-m", "celery", "-A", "delivery_tasks", "worker", *arguments, log=log)
        if wait:
            until(lambda: self.log(node).count(" ready.") > before, 60)
        return process

    def log(self, node: str) -> str:
        """Read a worker's log."""
        file = self.home / f"{node}.log"
        return file.read_text() if file.exists() else ""

    def server(self, *options: str) -> int:
        """Start another server on a port of its own; returns the port when it answers."""
        port = free_port()
        folder = self.home / f"server-{port}"
        folder.mkdir()
        configuration = folder / "server.conf"
        configuration.write_text(f'port {port}\nbind 127.0.0.1\ndir {folder}\nsave ""\n' + "\n".join(options) + "\n")
        command = [str(server_binary()), str(configuration), *(["--sentinel"] if "sentinel" in options[0] else [])]
        with (folder / "log").open("wb") as log:
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        wait_for(port)
        return port

    def restart(self, server: subprocess.Popen[bytes]) -> None:
        """Start a killed server again, on the data that it left."""
        arguments: Any = server.args
        self.processes.append(subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def app(self, *, ours: bool = True, **transport_options: Any) -> Celery:
        """A producer: with our transport, or a plain Celery application that knows nothing of Nexus."""
        from celery_nexus.connection.broker_url import BrokerUrl

        TRANSPORT_ALIASES["nexus"] = "celery_nexus.delivery.transport.transport:Transport"
        # Our configuration, where a test has imported it, lets every Redis URL mean our transport.
        TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "redis+socket"), "kombu.transport.redis:Transport"))
        url = BrokerUrl.parse(self.url).kombu
        app = Celery("producer", broker=url.replace("redis+", "nexus+", 1) if ours else url, backend=url)
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
        return until(condition, timeout_s)

    def close(self) -> None:
        """End everything that was started."""
        for app in self.apps:
            backend: Any = app.backend
            # A result that is collected later would connect anew, to end its subscription at a broker that is gone.
            backend.result_consumer.subscribed_to.clear()
            backend.result_consumer.stop()
            backend.client.close()
            app.close()
        # Celery's pools belong to the process: a connection that this test cut must not be the next one's.
        pools.reset()
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait(10)
        self.client.close()


def wait_for(port: int) -> None:
    """Wait until a server answers."""
    with redis.Redis(port=port) as client:
        until(lambda: _answers(client))


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


@pytest.fixture(scope="session")
def delivery_home() -> Iterator[Path]:
    """The home of this process's delivery tests."""
    home = Path(tempfile.mkdtemp(prefix="nexus-d-"))
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
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

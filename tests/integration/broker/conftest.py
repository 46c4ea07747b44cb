"""A broker of their own for the tests of this folder, and workers on it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from celery_nexus.application_code import ApplicationCode
from celery_nexus.broker import BrokerSource
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.control.source import ControlSource
from celery_nexus.errors import NotFound
from celery_nexus.queues import priority_key
from config.settings import settings

ROOT = Path(__file__).resolve().parents[3]


def wait_until(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """Wait for something to be true and return it."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not true within {timeout_s} s")


@dataclass
class Stack:
    """A live broker, the application on it, and workers started by the test."""

    url: BrokerUrl
    redis: Any
    app: Any
    jobs: Any
    environment: dict[str, str]
    code: ApplicationCode
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def as_stock(self) -> None:
        """Let workers that are started from now on use stock delivery, and put delayed messages where they look."""
        self.environment["NEXUS_DELIVERY"] = "stock"
        delayed: Any = self.redis.zrange("nexus:delayed:default_queue", 0, -1)
        for member in delayed:
            self.redis.lpush(priority_key("default_queue", 5), member[1:])
        self.redis.delete("nexus:delayed:default_queue")

    def as_reliable(self) -> None:
        """Put messages with a time where workers with reliable delivery look for them."""
        waiting: Any = self.redis.lrange(priority_key("default_queue", 5), 0, -1)
        for message in waiting:
            eta = json.loads(message)["headers"]["eta"]
            if eta:
                self.redis.lrem(priority_key("default_queue", 5), 1, message)
                due = datetime.fromisoformat(eta).timestamp()
                self.redis.zadd("nexus:delayed:default_queue", {b"5" + message: due})

    def worker(self, queue: str = "default_queue", concurrency: int = 2, name: str = "w", *more: str) -> Any:
        command = [sys.executable, "-m", "celery", "-A", "config.celery_config", "worker", "-Q", queue]
        command += ["-n", f"{name}@test", "-c", str(concurrency), "-I", "tests.integration.broker.jobs"]
        command += ["-l", "WARNING", *more]
        process = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.processes.append(process)
        wait_until(lambda: self.answers(f"{name}@test"), 30)
        return process

    def answers(self, name: str) -> bool:
        try:
            return bool(self.app.control.inspect([name], timeout=0.5).ping())
        except redis.ConnectionError:  # a test cut the connections of Celery's pool, too: the next one is new
            return False

    def beat(self, name: str, ago_s: float = 0.0, **more: Any) -> None:
        """Write the heartbeat that a worker's event writer writes, or wrote some seconds ago."""
        self.redis.hset("nexus:workers", name, json.dumps({"timestamp": time.time() - ago_s, **more}))

    def end(self, process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
        # Children that outlive a killed worker for a moment keep its connections, and so its claim to messages.
        children = psutil.Process(process.pid).children(recursive=True) if how == signal.SIGKILL else []
        process.send_signal(how)
        process.wait(30)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, 10)
        self.processes.remove(process)

    def send(self, number: int, seconds: float = 0.0, **options: Any) -> str:
        return str(self.jobs.trace.apply_async((number, seconds), **options).id)

    def executions(self) -> dict[int, int]:
        return {int(key): int(value) for key, value in self.redis.hgetall("test:executions").items()}

    def broker(self, **options: Any) -> BrokerSource:
        return BrokerSource(self.url, code=self.code, **options)

    def control(self) -> ControlSource:
        return ControlSource(self.url, code=self.code)


class NoHistory:
    """A history that knows nothing, as with a foreign application or a recorder that is behind."""

    def run(self, run_id: str) -> Any:
        raise NotFound(run_id)


@pytest.fixture(scope="session")
def running_broker() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="nx") as home, pytest.MonkeyPatch.context() as patch:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("NEXUS_")}
        # Stock delivery: what is said of it here must hold for any Celery application.
        environment |= {"NEXUS_HOME": home, "NEXUS_DELIVERY": "stock", "PYTHONPATH": str(ROOT)}
        patch.setenv("NEXUS_HOME", home)
        patch.setenv("NEXUS_DELIVERY", "stock")
        patch.delenv("NEXUS_REDIS_URL", raising=False)
        settings.cache_clear()
        server = subprocess.Popen(
            [sys.executable, "-m", "celery_nexus.embedded_broker"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
        )
        url = settings().broker
        client = redis.Redis.from_url(url.redis_py)
        try:
            wait_until(lambda: _answers(client))
            from config.celery_config import celery_app
            from tests.integration.broker import jobs
            from workers.deployment import own_deployment

            celery_app.conf.update(broker_url=url.kombu, result_backend=url.kombu)
            celery_app.loader.import_default_modules()
            yield Stack(url, client, celery_app, jobs, environment, own_deployment().code)
        finally:
            client.close()
            server.terminate()
            server.wait(20)
            settings.cache_clear()


@pytest.fixture
def stack(running_broker: Stack) -> Iterator[Stack]:
    running_broker.redis.flushdb()
    running_broker.environment["NEXUS_DELIVERY"] = "stock"
    yield running_broker
    for process in list(running_broker.processes):
        running_broker.end(process, signal.SIGKILL)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False

"""A broker of their own for the tests of this folder, and workers on it."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from celery_nexus.application_code import ApplicationCode
from celery_nexus.broker import BrokerSource
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.control.source import ControlSource
from celery_nexus.errors import NotFound
from celery_nexus.queues import priority_key
from config.settings import settings
from tests.harness.applications import application_on
from tests.harness.processes import clean_environment, kill, start_worker
from tests.harness.servers import embedded_broker


@dataclass
class Stack:
    """A live broker, the application on it, and workers started by the test."""

    home: Path
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
        words = ("-Q", queue, "-c", str(concurrency), "-I", "tests.integration.broker.jobs", *more)
        environment, log = self.environment, self.home / f"{name}.log"
        process = start_worker("config.celery_config", *words, node=f"{name}@test", environment=environment, log=log)
        self.processes.append(process)
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
        if how == signal.SIGKILL:
            kill(
                process
            )  # with its children, who would keep its connections for a moment, and so its claim to messages
        else:
            process.send_signal(how)
            process.wait(30)
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


@pytest.fixture(scope="module")
def running_broker() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="nx") as home, pytest.MonkeyPatch.context() as patch:
        # Stock delivery: what is said of it here must hold for any Celery application.
        environment = clean_environment(NEXUS_HOME=home, NEXUS_DELIVERY="stock")
        patch.setenv("NEXUS_HOME", home)
        patch.setenv("NEXUS_DELIVERY", "stock")
        patch.delenv("NEXUS_REDIS_URL", raising=False)
        settings.cache_clear()
        url = settings().broker
        try:
            with embedded_broker(Path(home), environment), redis.Redis.from_url(url.redis_py) as client:
                from tests.integration.broker import jobs
                from workers.deployment import own_deployment

                with application_on(url.kombu) as app:
                    app.loader.import_default_modules()
                    yield Stack(Path(home), url, client, app, jobs, environment, own_deployment().code)
        finally:
            settings.cache_clear()


@pytest.fixture
def stack(running_broker: Stack) -> Iterator[Stack]:
    running_broker.redis.flushdb()
    running_broker.environment["NEXUS_DELIVERY"] = "stock"
    yield running_broker
    for process in list(running_broker.processes):
        running_broker.end(process, signal.SIGKILL)

"""A stack of its own for these tests: an embedded broker, one worker for all queues, and a plain client."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.embedded_broker.password import read_embedded_password
from celery_nexus.paths import Paths
from config.queues import QUEUES


@dataclass
class Stack:
    """Where the tests' processes live, and how to talk to them."""

    paths: Paths
    url: BrokerUrl
    client: redis.Redis
    app: Celery
    environment: dict[str, str]

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        with (self.paths.home / "programs.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env={**self.environment, **variables},
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def run(self, task: str, **kwargs: Any) -> Any:
        queue = next((spec.name for spec in QUEUES if task.startswith(spec.module + ".")), QUEUES[-1].name)
        return self.app.send_task(task, kwargs=kwargs, queue=queue).get(timeout=60)


def wait_until(holds: Any, patience_s: float = 30) -> Any:
    deadline = time.monotonic() + patience_s
    while not (value := holds()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return value


def end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def upkeep_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    paths = Paths.of(tmp_path_factory.mktemp("upkeep"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("NEXUS_", "ANTHROPIC_"))}
    environment |= {"NEXUS_HOME": str(paths.home), "PYTHONPATH": str(Path.cwd())}
    environment.pop("OPENAI_API_KEY", None)
    url = BrokerUrl.for_socket(paths.broker_socket, read_embedded_password(paths))
    client = redis.Redis.from_url(url.redis_py, decode_responses=True)
    app = Celery(broker=url.kombu, backend=url.kombu)
    app.conf.update(broker_transport_options={"priority_steps": list(range(10))})
    stack = Stack(paths, url, client, app, environment)
    process = stack.start("celery_nexus.embedded_broker")

    def answers() -> bool:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False

    wait_until(answers)
    yield stack
    app.close()
    client.close()
    end(process)


@pytest.fixture
def client(upkeep_broker: Stack) -> Iterator[redis.Redis]:
    yield upkeep_broker.client
    # kombu's own keys stay: without them a running worker hears no remote control any more.
    for key in list(upkeep_broker.client.scan_iter()):
        if not key.startswith("_kombu"):
            upkeep_broker.client.delete(key)


@pytest.fixture(scope="session")
def stack(upkeep_broker: Stack) -> Iterator[Stack]:
    queues = ",".join(spec.name for spec in QUEUES)
    process = upkeep_broker.start(
        *(
            "celery",
            "-A",
            "config.celery_config",
            "worker",
            "-Q",
            queues,
            "-n",
            "upkeep@%h",
            "--concurrency",
            "1",
            "-l",
            "INFO",
        )
    )
    wait_until(lambda: upkeep_broker.app.control.ping(timeout=0.5))
    yield upkeep_broker
    end(process)

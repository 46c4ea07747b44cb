"""A stack of its own for these tests: an embedded broker, one worker for all queues, and a plain client."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from celery import Celery

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.paths import Paths
from config.queues import QUEUES
from tests.harness.processes import clean_environment, end, start_worker
from tests.harness.servers import embedded_broker, embedded_url


@dataclass
class Stack:
    """Where the tests' processes live, and how to talk to them."""

    paths: Paths
    url: BrokerUrl
    client: redis.Redis
    app: Celery
    environment: dict[str, str]

    def worker(self, queues: str, node: str, **variables: str) -> subprocess.Popen[bytes]:
        told: dict[str, Any] = {
            "environment": {**self.environment, **variables},
            "log": self.paths.home / "programs.log",
        }
        return start_worker("config.celery_config", "-Q", queues, "-c", "1", node=node, **told)

    def run(self, task: str, **kwargs: Any) -> Any:
        queue = next((spec.name for spec in QUEUES if task.startswith(spec.module + ".")), QUEUES[-1].name)
        return self.app.send_task(task, kwargs=kwargs, queue=queue).get(timeout=60)


@pytest.fixture(scope="session")
def upkeep_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    paths = Paths.of(tmp_path_factory.mktemp("upkeep"))
    environment = clean_environment(NEXUS_HOME=str(paths.home))
    url = embedded_url(paths.home)
    client = redis.Redis.from_url(url.redis_py, decode_responses=True)
    app = Celery(broker=url.kombu, backend=url.kombu, set_as_current=False)
    app.conf.update(broker_transport_options={"priority_steps": list(range(10))})
    stack = Stack(paths, url, client, app, environment)
    with embedded_broker(paths.home, environment):
        yield stack
        app.close()
        client.close()


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
    process = upkeep_broker.worker(queues, "upkeep@%h")
    yield upkeep_broker
    end(process)

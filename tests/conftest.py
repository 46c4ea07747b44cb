"""What all tests share: each test process has a home, a broker and an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

_home = Path(tempfile.mkdtemp(prefix="nexus-test-"))
for _name in [name for name in os.environ if name.startswith(("NEXUS_", "ANTHROPIC_", "OPENAI_"))]:
    del os.environ[_name]
# Before anything of ours is imported: settings are read once a process.
os.environ["NEXUS_HOME"] = str(_home)


@dataclass(frozen=True)
class Broker:
    """A running embedded broker.

    Attributes:
        home: Its ``NEXUS_HOME``.
        url: redis-py's spelling of its address.
        process: The server.
    """

    home: Path
    url: str
    process: subprocess.Popen[bytes]


def pytest_unconfigure() -> None:
    """Remove this process's home."""
    shutil.rmtree(_home, ignore_errors=True)


@pytest.fixture(scope="session")
def home() -> Path:
    """The ``NEXUS_HOME`` of this test process."""
    return _home


def start_broker(home: Path) -> Broker:
    """Start an embedded broker for a home, and wait until it answers."""
    import redis

    from celery_nexus.connection.broker_url import BrokerUrl
    from celery_nexus.embedded_broker.password import read_embedded_password
    from celery_nexus.paths import Paths

    paths = Paths.of(home)
    environment = {**os.environ, "NEXUS_HOME": str(home)}
    command = [sys.executable, "-m", "celery_nexus.embedded_broker"]
    log = (home / "test-broker.log").open("wb")
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
    log.close()
    url = BrokerUrl.for_socket(paths.broker_socket, read_embedded_password(paths)).redis_py
    client = redis.Redis.from_url(url)
    for _ in range(200):
        try:
            client.ping()
            break
        except redis.RedisError:
            if process.poll() is not None:
                raise RuntimeError((home / "test-broker.log").read_text()) from None
            time.sleep(0.05)
    client.close()
    return Broker(home, url, process)


@pytest.fixture(scope="session")
def broker(home: Path) -> Iterator[Broker]:
    """A real broker for this test process, the one that ``settings()`` names."""
    running = start_broker(home)
    yield running
    running.process.terminate()
    running.process.wait(20)

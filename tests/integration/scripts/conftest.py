"""One server for all tests of scripts, without files of its own, emptied before each."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from celery_nexus.embedded_broker.server import server_binary


@pytest.fixture(scope="session")
def server() -> Iterator[redis.Redis]:
    with tempfile.TemporaryDirectory(prefix="nexus-s-") as folder:
        path = Path(folder) / "s"
        command = [str(server_binary()), "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            retry = Retry(ConstantBackoff(0.02), 500)
            with redis.Redis(unix_socket_path=str(path), retry=retry) as client:
                client.ping()
                yield client
        finally:
            process.kill()
            process.wait(10)


@pytest.fixture
def client(server: redis.Redis) -> redis.Redis:
    server.flushall()
    return server

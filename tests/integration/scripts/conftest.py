"""One server for all tests of scripts, without files of its own, emptied before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tests.harness.servers import run_server


@pytest.fixture(scope="module")
def server() -> Iterator[redis.Redis]:
    with run_server() as running:
        yield running.client


@pytest.fixture
def client(server: redis.Redis) -> redis.Redis:
    server.flushall()
    return server

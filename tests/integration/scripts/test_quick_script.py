"""A script that is called past redis-py's client: as sure as with it."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from celery_nexus.delivery.quick_script import QuickScript

ADD = "redis.call('RPUSH', KEYS[1], ARGV[1]) return {redis.call('LLEN', KEYS[1]), ARGV[1], ARGV[2]}"


@pytest.fixture
def pool(client: redis.Redis) -> redis.ConnectionPool:
    path = client.connection_pool.connection_kwargs["path"]
    kind: Any = redis.UnixDomainSocketConnection
    return redis.ConnectionPool(connection_class=kind, path=path, retry=Retry(NoBackoff(), 1), max_connections=1)


def test_a_server_that_does_not_know_it_is_told(client: Any, pool: redis.ConnectionPool) -> None:
    client.script_flush()
    add = QuickScript(ADD)
    assert add(pool, ["k"], ["é", 7]) == [1, "é".encode(), b"7"]
    client.config_resetstat()
    assert add(pool, ["k"], [b"\xff", 1.5]) == [2, b"\xff", b"1.5"]
    assert "cmdstat_eval" not in client.info("commandstats")
    pool.disconnect()


def test_a_connection_that_broke_is_made_anew(client: Any, pool: redis.ConnectionPool) -> None:
    add = QuickScript(ADD)
    add(pool, ["k"], ["a", 1])
    client.client_kill_filter(_type="normal", skipme=True)
    assert add(pool, ["k"], ["b", 1])[0] == 2
    pool.disconnect()


def test_what_the_server_refuses_is_raised_and_the_connection_goes_on(client: Any, pool: redis.ConnectionPool) -> None:
    client.set("k", "no list")
    for _ in range(2):  # the pool has one connection: it was given back
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            QuickScript(ADD)(pool, ["k"], ["a", 1])
    assert QuickScript(ADD)(pool, ["other"], ["a", 1])[0] == 1
    pool.disconnect()


def test_a_server_that_is_away_is_an_error_of_the_connection(pool: redis.ConnectionPool) -> None:
    pool.connection_kwargs["path"] = "/nowhere"
    with pytest.raises(redis.ConnectionError):
        QuickScript(ADD)(pool, ["k"], ["a", 1])

"""Servers that Sentinel watches: every program of the stack follows the one that leads."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError

from benchmarks.faults.proxy import Proxy
from celery_nexus.connection.redis_client import open_redis
from celery_nexus.delivery import keys
from celery_nexus.queues import priority_key
from tests.harness.certificates import make_certificate

QUICK = "workers.maintenance_tasks.monitor_queue_sizes"
RUNS = 60


def nexus_tui(stack: Any, *arguments: str) -> Any:
    """Run the command line against the stack; returns what it prints."""
    done = stack.nexus(*arguments, "--json")
    assert done.code == 0, done
    return done.json


def start_programs(stack: Any) -> Any:
    """Start recorder and beat, and a worker; returns the worker."""
    for file in stack.home.glob("history.db*"):
        file.unlink()
    stack.run("-m", "celery_nexus.history.recorder", "-A", "config.celery_config", log="recorder.log")
    stack.run("-m", "celery", "-A", "config.celery_config", "beat", "--pidfile=", log="beat.log")
    return stack.worker()


def is_scheduled(server: redis.Redis) -> bool:
    """Tell whether beat holds its lock on a server, and keeps its schedule there."""
    return bool(server.exists("redbeat::lock") and server.zcard("redbeat::schedule"))


def test_everything_goes_on_with_the_server_that_takes_over_under_load(stack: Any) -> None:
    first = stack.server("appendonly no")
    second = stack.server("appendonly no", f"replicaof 127.0.0.1 {first}")
    sentinel = stack.server(
        f"sentinel monitor main 127.0.0.1 {first} 1",
        "sentinel down-after-milliseconds main 500",
        "sentinel failover-timeout main 2000",
    )
    stack.environment["NEXUS_REDIS_URL"] = f"sentinel://127.0.0.1:{sentinel}/0?master_name=main"
    worker = start_programs(stack)
    assert nexus_tui(stack, "submit", QUICK, "--wait")["state"] == "SUCCESS"
    code = f"import delivery_tasks as t; [t.nap.apply_async((0.1,)) for _ in range({RUNS})]"
    stack.python("-c", code, is_well=True)
    with redis.Redis(port=first) as leader, redis.Redis(port=second) as follower:
        stack.until(lambda: is_scheduled(leader))
        stack.until(lambda: leader.llen(priority_key("default_queue", 5)) < RUNS - 10)
        assert leader.wait(1, 5000) == 1
        stack.until(lambda: redis.Redis(port=sentinel).sentinel_slaves("main"))
        leader.shutdown(nosave=True)
        stack.until(lambda: follower.info("replication")["role"] == "master")
        assert nexus_tui(stack, "submit", QUICK, "--wait")["state"] == "SUCCESS"
        stack.until(
            lambda: (
                not follower.llen(priority_key("default_queue", 5))
                and not follower.exists(keys.in_flight_key("w@test"))
            )
        )
        stack.until(lambda: is_scheduled(follower), 30)
        sheet = nexus_tui(stack, "doctor", "--balance")
        assert (sheet["submitted"], sheet["succeeded"], sheet["missing"]) == (RUNS + 2, RUNS + 2, 0)
    assert worker.poll() is None
    assert [row["in_flight"] for row in nexus_tui(stack, "queues")] == [0] * 5


@pytest.fixture
def tls(stack: Any) -> Any:
    """A server and a Sentinel that speak TLS, with a certificate that vouches for itself; returns their URL's rest."""
    certificate = make_certificate(stack.home)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    proxies: list[Proxy] = []

    def behind(*options: str) -> int:
        socket = stack.home / f"tls{len(proxies)}"
        stack.server(*options, f"unixsocket {socket}")
        proxies.append(Proxy(socket, context))
        return proxies[-1].port

    server = behind("appendonly no")
    sentinel = behind(f"sentinel monitor main 127.0.0.1 {server} 1")
    yield f"127.0.0.1:{sentinel}/0?master_name=main", certificate, server
    for proxy in proxies:
        proxy.close()


def test_tls_to_the_server_and_to_sentinel(stack: Any, tls: Any) -> None:
    place, certificate, port = tls
    stack.environment["NEXUS_REDIS_URL"] = f"sentinel://{place}&ssl_ca_certs={certificate}"
    start_programs(stack)
    assert nexus_tui(stack, "submit", QUICK, "--wait")["state"] == "SUCCESS"
    with redis.Redis(port=port) as server:
        stack.until(lambda: is_scheduled(server))
    assert nexus_tui(stack, "doctor", "--balance")["missing"] == 0


def test_a_certificate_that_nobody_vouches_for_is_refused(tls: Any) -> None:
    place, _, _ = tls
    client = open_redis(f"sentinel://{place}&ssl=true", retry=Retry(NoBackoff(), 0))
    with client, pytest.raises(MasterNotFoundError, match=r"does not answer .*CERTIFICATE_VERIFY_FAILED"):
        client.ping()

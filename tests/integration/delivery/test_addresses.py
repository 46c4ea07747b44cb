"""Other ways to reach a broker: TCP, another database, a key prefix; and connections that fall silent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from kombu import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from benchmarks.faults.malformed import message
from benchmarks.faults.proxy import Proxy
from celery_nexus.delivery import keys
from celery_nexus.embedded_broker.password import read_embedded_password
from celery_nexus.paths import Paths
from celery_nexus.queues import priority_key


@pytest.fixture
def proxy(stack: Any) -> Iterator[Proxy]:
    """A TCP address of the stack's broker; workers use its database 3 behind a key prefix."""
    running = Proxy(Paths.of(stack.home).broker_socket)
    password = read_embedded_password(Paths.of(stack.home))
    stack.environment["NEXUS_REDIS_URL"] = f"redis://:{password}@127.0.0.1:{running.port}/3"
    stack.environment["NEXUS_TEST_PREFIX"] = "tenant:"
    yield running
    running.close()


def _database(stack: Any, proxy: Proxy) -> redis.Redis:
    return redis.Redis(port=proxy.port, password=read_embedded_password(Paths.of(stack.home)), db=3)


def test_a_prefix_a_database_and_tcp_work_together(stack: Any, proxy: Proxy) -> None:
    stack.worker()
    TRANSPORT_ALIASES["nexus"] = "celery_nexus.delivery.transport.transport:Transport"
    url = stack.environment["NEXUS_REDIS_URL"]
    app = Celery("producer", broker=url.replace("redis:", "nexus:", 1), backend=url, set_as_current=False)
    app.conf.update(
        broker_transport_options={"priority_steps": list(range(10)), "global_keyprefix": "tenant:"},
        task_queues=[Queue("default_queue", Exchange("default_queue"), routing_key="default_queue")],
    )
    stack.apps.append(app)
    soon = app.send_task("t.add", (1, 2), queue="default_queue", priority=4, countdown=1)
    assert app.send_task("t.add", (3, 4), queue="default_queue", priority=5).get(timeout=10) == 7
    assert soon.get(timeout=10) == 3
    assert app.control.inspect(timeout=2, limit=1).ping() == {"w@test": {"ok": "pong"}}
    database = _database(stack, proxy)
    assert database.hget("tenant:" + keys.COUNTERS, keys.SUBMITTED) == b"2"
    database.lpush("tenant:" + priority_key("default_queue", 5), b"garbage", json.dumps(message("t.note", ("direct",))))
    stack.until(lambda: database.get("done:direct") == b"1")
    assert database.zcard("tenant:" + keys.DEAD) == 1
    assert not database.exists(keys.in_flight_key("w@test"))
    database.close()


def test_consumes_again_after_connections_fell_silent(stack: Any, proxy: Proxy) -> None:
    worker = stack.worker()
    proxy.silence()
    database = _database(stack, proxy)
    database.lpush("tenant:" + priority_key("default_queue", 5), json.dumps(message("t.note", ("after",))))
    stack.until(lambda: database.get("done:after") == b"1", 30)
    assert worker.poll() is None
    database.close()

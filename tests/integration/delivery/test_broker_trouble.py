"""A broker that refuses, forgets, or is somebody else now; and the addresses that lead to one by a detour."""

from __future__ import annotations

import json
import re
import signal
import ssl
import time
from typing import Any

import psutil
import pytest
import redis
from celery import Celery
from celery.states import READY_STATES
from kombu import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from benchmarks.faults.malformed import message
from benchmarks.faults.proxy import Proxy
from celery_nexus.broker.wire.connection import refuse_unfit
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.delivery import keys
from celery_nexus.embedded_broker.password import read_embedded_password
from celery_nexus.errors import Refused
from celery_nexus.paths import Paths
from celery_nexus.queues import priority_key
from tests.harness.certificates import make_certificate
from tests.harness.commands import CommandResult

PING = "workers.maintenance_tasks.health_check"


def submit(stack: Any) -> CommandResult:
    """Submit a run by the command line."""
    return stack.nexus("submit", PING, "--json")


def test_a_broker_that_becomes_a_replica_refuses_submits_and_workers_go_on_when_it_leads_again(stack: Any) -> None:
    other = stack.server("appendonly no")
    port = stack.server("appendonly no")
    stack.environment["NEXUS_REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
    worker = stack.worker()
    with redis.Redis(port=port) as broker:
        broker.lpush(priority_key("default_queue", 5), json.dumps(message("t.note", ("before",))))
        stack.until(lambda: broker.get("done:before") == b"1")
        broker.replicaof("127.0.0.1", str(other))
        refused = submit(stack)
        assert (refused.code, refused.out) == (3, "")
        assert "nothing was queued" in refused.err
        stack.until(lambda: "You can't write against a read only replica" in stack.log("w"))
        broker.replicaof("NO", "ONE")
        broker.lpush(priority_key("default_queue", 5), json.dumps(message("t.note", ("after",))))
        stack.until(lambda: broker.get("done:after") == b"1", 15)
    assert worker.poll() is None


def test_out_of_memory_refuses_submits_and_loses_nothing(stack: Any) -> None:
    worker = stack.worker()
    stack.publish("t.note", "running", 1)
    stack.until(lambda: stack.count("started:running"))
    stack.client.config_set("maxmemory", "1")
    refused = submit(stack)
    assert (refused.code, refused.out) == (3, "")
    assert "nothing was queued" in refused.err
    stack.client.config_set("maxmemory", "0")
    stack.until(lambda: not stack.client.exists(keys.in_flight_key("w@test")))
    stack.publish("t.note", "after")
    stack.until(lambda: stack.count("done:after") == 1)
    assert worker.poll() is None


def test_a_run_that_ends_while_the_broker_is_gone_has_succeeded(stack: Any) -> None:
    stack.environment["NEXUS_REDIS_URL"] = f"redis://127.0.0.1:{stack.server('appendonly yes', 'appendfsync always')}/0"
    broker = stack.processes[-1]
    app = stack.app()
    app.conf.update(broker_url=stack.environment["NEXUS_REDIS_URL"].replace("redis:", "nexus:", 1))
    app.conf.update(result_backend=stack.environment["NEXUS_REDIS_URL"])
    stack.worker()
    result = app.send_task("t.nap", (0.3,), priority=5)
    stack.until(lambda: result.state == "STARTED")
    broker.kill()
    broker.wait()
    time.sleep(1)
    stack.restart(broker)
    assert stack.until(lambda: answered(result) in READY_STATES and result.state) == "SUCCESS"


def answered(result: Any) -> str | None:
    """The state of a run; None while the broker does not answer."""
    try:
        return str(result.state)
    except (redis.RedisError, OSError):
        return None


def test_a_worker_stops_although_its_broker_is_gone(stack: Any) -> None:
    stack.environment |= {"REMAP_SIGTERM": "SIGQUIT", "NEXUS_TEST_SOFT_SHUTDOWN_S": "1"}
    stack.environment["NEXUS_REDIS_URL"] = f"redis://127.0.0.1:{stack.server('appendonly no')}/0"
    broker = stack.processes[-1]
    worker = stack.worker()
    broker.kill()
    worker.send_signal(signal.SIGTERM)
    worker.wait(25)


def test_a_stop_does_not_wait_for_a_frozen_broker_and_nothing_is_lost(stack: Any) -> None:
    stack.environment |= {"REMAP_SIGTERM": "SIGQUIT", "NEXUS_TEST_SOFT_SHUTDOWN_S": "3"}
    port = stack.server("appendonly no")
    broker = stack.processes[-1]
    stack.environment["NEXUS_REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
    with redis.Redis(port=port) as client:
        busy = stack.worker("busy")
        client.lpush(priority_key("default_queue", 5), json.dumps(message("t.note", ("long", 60))))
        stack.until(lambda: client.get("started:long") == b"1")
        idle = stack.worker("idle")
        children = [child for worker in (busy, idle) for child in psutil.Process(worker.pid).children(recursive=True)]
        broker.send_signal(signal.SIGSTOP)
        codes: list[int] = []
        for worker in (idle, busy):
            worker.send_signal(signal.SIGTERM)
            codes.append(worker.wait(12))
        broker.send_signal(signal.SIGCONT)
        assert codes == [0, 0]
        stack.until(lambda: not any(child.is_running() for child in children))
        assert client.hlen(keys.in_flight_key("busy@test")) == 1
        stack.worker("busy")
        stack.until(lambda: client.get("started:long") == b"2")


def test_an_emptied_broker_is_worked_with_as_if_it_were_new(stack: Any) -> None:
    worker = stack.worker()
    stack.publish("t.note", "long", 1)
    stack.until(lambda: stack.count("started:long"))
    stack.client.flushall()
    stack.publish("t.note", "after")
    stack.until(lambda: stack.count("done:after") == 1)
    stack.until(lambda: stack.client.hexists(keys.LEASES, "w@test"))
    assert worker.poll() is None


def test_tls_with_a_certificate_of_our_own(stack: Any) -> None:
    certificate = make_certificate(stack.home)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    proxy = Proxy(Paths.of(stack.home).broker_socket, context)
    password = read_embedded_password(Paths.of(stack.home))
    options = f"ssl_ca_certs={certificate}"  # and nothing else: Celery's result backend would insist on more
    stack.environment["NEXUS_REDIS_URL"] = f"rediss://:{password}@127.0.0.1:{proxy.port}/0?{options}"
    try:
        worker = stack.worker()
        stack.publish("t.note", "over tls")
        stack.until(lambda: stack.count("done:over tls") == 1)
        worker.kill()
        worker.wait(10)
    finally:
        proxy.close()


def test_sentinel_names_the_broker_and_the_fetch_is_ours(stack: Any) -> None:
    primary = stack.server("appendonly no")
    sentinel = stack.server(
        f"sentinel monitor main 127.0.0.1 {primary} 1", "sentinel down-after-milliseconds main 1000"
    )
    TRANSPORT_ALIASES["sentinel"] = "celery_nexus.delivery.transport.transport:SentinelTransport"
    app = Celery("producer", broker=f"sentinel://127.0.0.1:{sentinel}", set_as_current=False)
    app.conf.update(
        broker_transport_options={
            "priority_steps": list(range(10)),
            "master_name": "main",
            "nexus_node": "w@test",
        },
        task_queues=[Queue("default_queue", Exchange("default_queue"), routing_key="default_queue")],
    )
    taken: list[Any] = []
    with redis.Redis(port=primary) as broker, app.connection_for_read() as connection:
        app.send_task("t.note", ("x",), queue="default_queue", priority=5)
        assert broker.hget(keys.COUNTERS, keys.SUBMITTED) == b"1"
        with connection.Consumer(list(app.amqp.queues.values()), callbacks=[lambda _, m: taken.append(m)]):
            stack.until(lambda: connection.drain_events(timeout=5) or taken)
            assert broker.hlen(keys.in_flight_key("w@test")) == 1
            taken[0].ack()
            assert broker.hlen(keys.in_flight_key("w@test")) == 0
    app.close()


@pytest.mark.parametrize(
    ("options", "user", "words"),
    [
        (("cluster-enabled yes",), "", "this is a Redis Cluster, which Celery can't use as a broker"),
        (
            ("user bob on >pw ~* &* +@all -eval -evalsha",),
            "bob:pw@",
            "needs: ACL SETUSER bob +eval +evalsha; or do without: install(app, delivery=False)",
        ),
    ],
)
def test_a_server_that_can_not_be_the_broker_is_refused_at_once_in_one_sentence(
    stack: Any, options: tuple[str, ...], user: str, words: str
) -> None:
    url = f"redis://{user}127.0.0.1:{stack.server(*options)}/0"
    stack.environment["NEXUS_REDIS_URL"] = url
    worker = stack.worker("unfit", wait=False)
    assert worker.wait(30) == 1
    assert [words in line for line in stack.log("unfit").splitlines()] == [True]
    with pytest.raises(Refused, match=re.escape(words)):
        refuse_unfit(BrokerUrl.parse(url))

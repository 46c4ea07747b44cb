"""``nexus-tui probe`` at every kind of address: TCP, TLS, Sentinel, a replica, a cluster, a name that is not there."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from benchmarks.faults.proxy import Proxy
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.metrics.exposition import read_once
from celery_nexus.source_factory import open_broker
from nexus_tui import probe
from tests.harness.certificates import make_certificate
from tests.harness.ports import free_port
from tests.harness.servers import run_server
from tests.harness.waiting import wait_until


def ask(url: str, *words: str) -> tuple[int, str]:
    """Probe the broker at an address, or what words name."""
    found = probe.answer(probe.read_question({"broker": url, "timeout": "5"}, words or ["broker"]))
    return found.code, found.line


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server with a password, at a port."""
    number = free_port()
    with run_server("requirepass s%40cret", port=number):
        yield number


def test_a_password_is_said_and_a_wrong_one_is_no_answer(port: int) -> None:
    assert ask(f"redis://:s%2540cret@127.0.0.1:{port}/3")[0] == 0
    code, line = ask(f"redis://:wrong@127.0.0.1:{port}/0")
    assert (code, "WRONGPASS" in line, "wrong@" in line) == (2, True, False)
    assert ask(f"redis://127.0.0.1:{port}/0")[0] == 2


def test_a_database_that_there_is_not_is_said(port: int) -> None:
    code, line = ask(f"redis://:s%2540cret@127.0.0.1:{port}/9999")
    assert (code, "DB index is out of range" in line) == (2, True)


def test_a_read_only_replica_takes_no_messages(port: int) -> None:
    number = free_port()
    with run_server(f"replicaof 127.0.0.1 {port}", "masterauth s%40cret", port=number):
        code, line = ask(f"redis://127.0.0.1:{number}/0")
        assert (code, "refuses every message" in line) == (1, True)
        assert ask(f"redis://127.0.0.1:{number}/0", "guardian")[0] == 1
        code, line = ask(f"redis://127.0.0.1:{number}/0", "worker", "w@h")
        assert (code, "name its primary" in line) == (2, True)
        assert ask(f"redis://127.0.0.1:{number}/0", "queue", "celery")[0] == 2
        seen = read_once(open_broker(BrokerUrl.parse(f"redis://127.0.0.1:{number}/0")))
        assert (seen.is_replica, seen.workers) == (True, ())


def test_a_node_of_a_cluster_is_no_broker() -> None:
    number = free_port()
    with run_server("cluster-enabled yes", port=number):
        code, line = ask(f"redis://127.0.0.1:{number}/0")
    assert (code, "Redis Cluster" in line) == (1, True)


def test_a_full_broker_takes_no_messages() -> None:
    with run_server("maxmemory 2mb", "maxmemory-policy noeviction") as server:
        assert ask(f"unix://{server.socket}")[0] == 0
        server.client.config_set("maxmemory", "500kb")
        code, line = ask(f"unix://{server.socket}")
    assert (code, "raise maxmemory" in line) == (1, True)


def test_sentinels_say_who_leads_though_the_first_is_gone(port: int) -> None:
    number = free_port()
    watched = (f"sentinel monitor main 127.0.0.1 {port} 1", "sentinel auth-pass main s%40cret")
    with run_server(*watched, port=number) as server:
        wait_until(lambda: server.client.execute_command("SENTINEL", "get-master-addr-by-name", "main"), "it knows")
        place = f":s%2540cret@127.0.0.1:1,127.0.0.1:{number}/0"
        assert ask(f"sentinel://{place}?master_name=main")[0] == 0
        code, line = ask(f"sentinel://{place}?master_name=other")
    assert (code, "knows no master of that name" in line) == (1, True)


def test_tls_is_spoken_and_a_stranger_is_not_believed(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with run_server() as server:
        proxy = Proxy(server.socket, context)
        try:
            url = f"rediss://127.0.0.1:{proxy.port}/0"
            assert ask(f"{url}?ssl_ca_certs={certificate}")[0] == 0
            assert ask(f"{url}?ssl_cert_reqs=none")[0] == 0
            code, line = ask(url)
            assert (code, "CERTIFICATE" in line.upper()) == (1, True)
        finally:
            proxy.close()


def test_a_host_that_has_no_address_is_said() -> None:
    code, line = ask("redis://no-such-host.invalid/0")
    assert (code, "does not answer" in line) == (1, True)


def test_five_thousand_queues_are_no_matter(port: int) -> None:
    with redis.Redis(port=port, password="s%40cret") as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(5000):
            pipeline.sadd(f"_kombu.binding.q{number}", f"q{number}\x06\x16\x06\x16q{number}")
        pipeline.lpush("q7", "{}")
        pipeline.execute()
    question = probe.read_question(
        {"broker": f"redis://:s%2540cret@127.0.0.1:{port}/0", "timeout": "5"}, ["queue", "q7"]
    )
    found = probe.answer(question)
    assert (found.code, found.line) == (
        1,
        "1 message waits in q7, and nobody waits for messages in this database: start a worker",
    )

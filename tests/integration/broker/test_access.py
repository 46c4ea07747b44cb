"""Brokers behind TLS, and users who may not do everything."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.actions.base import perform
from celery_nexus.actions.queues import PurgeQueue
from celery_nexus.broker import BrokerSource
from celery_nexus.broker.edit.edits import Reprioritise
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.control.source import ControlSource
from celery_nexus.errors import Refused, Unreachable
from celery_nexus.queues import priority_key
from celery_nexus.source_factory import heed_permissions, open_broker
from tests.integration.broker.conftest import Stack
from workers.deployment import CODE

COMMANDS = "+ping +info +llen +lrange +hgetall +hkeys +hlen +smembers +scan +zcard +zrange +exists"


@pytest.fixture
def user(stack: Stack) -> Iterator[Any]:
    """Make users with the given rules, and forget them."""
    names: list[str] = []

    def make(*rules: str) -> BrokerUrl:
        names.append(f"user{len(names)}")
        stack.redis.execute_command("ACL", "SETUSER", names[-1], "on", ">secret", *rules)
        return BrokerUrl("unix", None, None, stack.url.path, 0, names[-1], "secret")

    yield make
    for name in names:
        stack.redis.execute_command("ACL", "DELUSER", name)


def test_a_user_who_may_not_run_scripts_sees_what_is_left_and_what_is_missing(stack: Stack, user: Any) -> None:
    stack.send(1, priority=3)
    source = BrokerSource(user("~*", *COMMANDS.split()), code=CODE)
    row = source.queue("default_queue")
    assert (row.waiting, row.by_priority[3], row.in_flight, row.oldest_age_s) == (1, 1, None, None)
    assert source.missing.startswith("its user may not run scripts")
    [message] = source.messages("default_queue")
    with pytest.raises(Refused, match="no permissions"):
        source.delete(message)
    assert stack.redis.llen(priority_key("default_queue", 3)) == 1


def test_a_user_who_may_not_look_around_sees_the_queues_of_the_registry(stack: Stack, user: Any) -> None:
    source = BrokerSource(user("~*", "+@all", "-scan"), code=CODE)
    assert "email_queue" in {row.name for row in source.queues()}
    assert source.missing.startswith("its user may not SCAN")
    assert BrokerSource.open_foreign(user("~*", "+@all", "-scan", "-exists")).layout.steps == (0, 3, 6, 9)


def test_a_user_who_may_read_nothing_is_refused(user: Any) -> None:
    url = user("~*", "+ping", "+select")
    with pytest.raises(Refused):
        BrokerSource(url, code=CODE).queues()
    with pytest.raises(Refused):
        ControlSource(url).workers()


def test_a_user_who_may_only_read_is_told_so_once_and_nothing_is_offered(stack: Stack, user: Any) -> None:
    stack.send(1)
    url = user("~*", "&*", "+@read", "+@connection", "+info")
    sources = heed_permissions(open_broker(url))
    assert (sources.read_only, sources.why_read_only) == (True, f"the broker lets {url.username} only read")
    with pytest.raises(Refused, match=r"only read \(ACL\): connect as one who may write"):
        perform(PurgeQueue("default_queue"), sources)
    assert not heed_permissions(open_broker(stack.url)).read_only


def forward(from_: Any, to: Any) -> None:
    """Hand on what one side says to the other, until it hangs up."""
    with contextlib.suppress(OSError):
        while data := from_.recv(65536):
            to.sendall(data)
    for side in (from_, to):
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def secured(stack: Stack, tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """The broker behind TLS: the embedded server speaks none, so that it ends in front of it."""
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("no openssl here to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = [listener]

    def serve() -> None:
        while True:
            try:
                outside = context.wrap_socket(listener.accept()[0], server_side=True)
            except ssl.SSLError:
                continue
            except OSError:
                return
            inside = socket.socket(socket.AF_UNIX)
            inside.connect(stack.url.path or "")
            open_ones.extend((outside, inside))
            for pair in ((outside, inside), (inside, outside)):
                threading.Thread(target=forward, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield tmp_path / "cert.pem", listener.getsockname()[1]
    for each in open_ones:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


def test_a_broker_behind_tls_is_read_and_changed_and_a_foreign_certificate_refused(
    stack: Stack, secured: tuple[Path, int]
) -> None:
    certificate, port = secured
    address = f"rediss://:{stack.url.password}@127.0.0.1:{port}/0"
    run_id = stack.send(1)
    source = BrokerSource(BrokerUrl.parse(f"{address}?ssl_ca_certs={certificate}"), code=CODE)
    assert source.queue("default_queue").waiting == 1
    message = source.find(run_id)
    assert message is not None
    assert source.apply(message, Reprioritise(0)).done
    with pytest.raises(Unreachable, match="certificate verify failed"):
        BrokerSource(BrokerUrl.parse(address), code=CODE).queues()

"""Connections of one application over our transport, beside those of others in the process."""

from __future__ import annotations

from typing import Any

import kombu
import pytest
from kombu.transport import redis as kombu_redis

from celery_nexus.delivery.transport.connection import ReliableConnection
from celery_nexus.delivery.transport.transport import SentinelTransport, Transport

URL = "redis://localhost:1/0"
reliable: Any = ReliableConnection
plain: Any = kombu.Connection


@pytest.mark.parametrize(
    ("url", "transport"),
    [
        (URL, Transport),
        ("rediss://localhost:1/0?ssl_cert_reqs=none", Transport),
        ("redis+socket:///tmp/s", Transport),
        ("sentinel://localhost:1/0", SentinelTransport),
    ],
)
def test_each_address_of_redis_means_our_transport(url: str, transport: type[Any]) -> None:
    assert reliable(url).get_transport_cls() is transport
    assert plain(url).get_transport_cls() is not transport


def test_another_broker_keeps_its_own() -> None:
    assert reliable("memory://").get_transport_cls() is plain("memory://").get_transport_cls()


def test_connections_of_a_pool_go_over_our_transport() -> None:
    pooled = reliable(URL).Pool(limit=2).new()
    assert pooled.get_transport_cls() is Transport
    assert pooled.as_uri() == plain(URL).as_uri()


def test_our_connections_equal_their_own_kind_alone() -> None:
    assert reliable(URL).__eqhash__() == reliable(URL).__eqhash__()
    assert reliable(URL).__eqhash__() != plain(URL).__eqhash__()
    assert reliable(URL).__eqhash__() != reliable("redis://localhost:2/0").__eqhash__()


def test_kombus_own_table_is_left_alone() -> None:
    known: Any = kombu_redis
    assert kombu.Connection(URL).get_transport_cls() is known.Transport

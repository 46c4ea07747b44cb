"""One address, three spellings."""

from __future__ import annotations

import pytest

from config.broker_url import BrokerUrl
from config.errors import BrokerUrlError


@pytest.mark.parametrize(
    ("text", "kombu", "redis_py"),
    [
        ("redis://localhost", "redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://h:7000/3", "redis://h:7000/3", "redis://h:7000/3"),
        ("rediss://u:p%40ss@h/1", "rediss://u:p%40ss@h:6379/1", "rediss://u:p%40ss@h:6379/1"),
        ("unix:///run/r.sock?db=2", "redis+socket:///run/r.sock?virtual_host=2", "unix:///run/r.sock?db=2"),
        ("redis+socket://:x@/r.sock", "redis+socket://:x@/r.sock?virtual_host=0", "unix://:x@/r.sock?db=0"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0", "redis://[::1]:6379/0"),
    ],
)
def test_an_address_is_spelled_for_each_reader(text: str, kombu: str, redis_py: str) -> None:
    url = BrokerUrl.parse(text)
    assert (url.kombu, url.redis_py) == (kombu, redis_py)


def test_further_options_are_handed_on() -> None:
    url = BrokerUrl.parse("rediss://h:1/0?ssl_cert_reqs=required")
    assert url.redis_py == "rediss://h:1/0?ssl_cert_reqs=required"


def test_the_masked_form_has_no_password() -> None:
    assert BrokerUrl.parse("redis://bob:s3cret@h:1/0").masked == "redis://bob:***@h:1/0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost:6379",
        "amqp://h",
        "redis://",
        "redis://h:port/0",
        "redis://h/zero",
        "unix://host/r.sock",
        "unix://",
    ],
)
def test_what_is_no_redis_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BrokerUrlError, match="expected redis://"):
        BrokerUrl.parse(text)


def test_a_refused_address_does_not_show_its_password() -> None:
    with pytest.raises(BrokerUrlError) as caught:
        BrokerUrl.parse("redis://:s3cret@h:port/0")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "sentinel://:s3cret@h1,h2:7000/3?master_name=main",
        "sentinel://:s3cret@h1:26379/3;sentinel://h2:7000/3?master_name=main",
    ],
)
def test_sentinels_are_named_with_what_they_call_the_servers(text: str) -> None:
    url = BrokerUrl.parse(text)
    assert url.kombu == "sentinel://:s3cret@h1:26379/3;sentinel://:s3cret@h2:7000/3"
    assert url.transport_options["master_name"] == "main"
    assert url.redis_py == "sentinel://:s3cret@h1:26379,h2:7000/3?master_name=main"
    assert BrokerUrl.parse(url.redis_py) == url


def test_the_masked_form_of_sentinels_has_neither_of_their_passwords() -> None:
    url = BrokerUrl.parse("sentinel://h?master_name=m&sentinel_password=s3cret")
    assert url.masked == "sentinel://h:26379/0?master_name=m&sentinel_password=***"


@pytest.mark.parametrize(
    "text",
    [
        "sentinel://h",
        "sentinel://?master_name=m",
        "sentinel://h?master_name=m&tls=1",
        "sentinel://h?master_name=m&ssl=si",
        "sentinel://h?master_name=m&ssl_cert_reqs=maybe",
    ],
)
def test_sentinels_that_can_not_be_asked_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(BrokerUrlError, match=r"expected redis://.* or sentinel://"):
        BrokerUrl.parse(text)


def test_sentinels_and_their_servers_speak_tls_when_the_url_says_so() -> None:
    url = BrokerUrl.parse("sentinel://h?master_name=m&ssl_ca_certs=/etc/ca.pem")
    tls = {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": "/etc/ca.pem"}
    assert url.tls == tls
    limits = {"socket_timeout": 2.0, "socket_connect_timeout": 2.0, "retry": None}
    assert url.sentinel_login == {"ssl": True, **limits, **tls}
    plain = BrokerUrl.parse("sentinel://h?master_name=m&ssl=true&sentinel_ssl=false&ssl_cert_reqs=none")
    assert plain.tls == {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    assert "ssl" not in plain.sentinel_login
    assert BrokerUrl.parse("sentinel://h?master_name=m").tls == {}

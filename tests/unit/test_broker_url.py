"""One address, three spellings."""

from __future__ import annotations

import pytest

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.errors import BrokerUrlError


@pytest.mark.parametrize(
    ("text", "kombu", "redis_py"),
    [
        ("redis://localhost", "redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://h:7000/3", "redis://h:7000/3", "redis://h:7000/3"),
        (
            "rediss://u:p%40ss@h/1",
            "rediss://u:p%40ss@h:6379/1?ssl_cert_reqs=CERT_REQUIRED",
            "rediss://u:p%40ss@h:6379/1",
        ),
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


@pytest.mark.parametrize("spelling", ["none", "NONE", "CERT_NONE", "cert_none", "ssl.CERT_NONE"])
def test_every_spelling_of_what_is_asked_of_a_certificate_means_the_same(spelling: str) -> None:
    url = BrokerUrl.parse(f"rediss://h/0?ssl_cert_reqs={spelling}")
    assert url.tls == {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    assert url.redis_py == "rediss://h:6379/0?ssl_cert_reqs=none"
    assert url.kombu == "rediss://h:6379/0?ssl_cert_reqs=CERT_NONE"


def test_an_authority_alone_is_enough_for_tls() -> None:
    url = BrokerUrl.parse("rediss://:x@h:6380/0?ssl_ca_certs=/etc/ca.pem")
    assert url.tls == {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": "/etc/ca.pem"}
    assert url.kombu == "rediss://:x@h:6380/0?ssl_ca_certs=%2Fetc%2Fca.pem&ssl_cert_reqs=CERT_REQUIRED"


def test_time_limits_of_redis_py_are_accepted_and_left_out() -> None:
    assert BrokerUrl.parse("redis://h/0?socket_timeout=5&max_connections=3").redis_py == "redis://h:6379/0"


@pytest.mark.parametrize(
    "text",
    [
        "redis://:s3cr/et@h:6379/0",
        "redis://:s3cr#et@h:6379/0",
        "redis://:s3cr?et@h:6379/0",
        "redis://:s3cr#et:6379/0",
        "rediss://user:s3cr/et@h",
        "unix://:s3cr/et@/run/r.sock",
        "sentinel://:s3cr/et@h:1,g:2/0?master_name=m",
        "redis://:s3cret[@h/0",
        "redis://h:s3cret/0",
        "redis://h/s3cret",
        "s3cret:pass@h",
        "redis:/:s3cret@h",
        "redis://h/0?s3cret@pass=1",
        "redis://:s3cret\u2100@h/0",
    ],
)
def test_an_address_that_can_not_be_read_is_one_line_without_any_part_of_its_password(text: str) -> None:
    with pytest.raises(BrokerUrlError) as caught:
        BrokerUrl.parse(text)
    words = str(caught.value)
    assert not any(part in words for part in ("s3cr", "et@", "pass@", "\n"))


@pytest.mark.parametrize("mark", ["/", "#", "?"])
def test_a_bare_mark_in_a_password_is_named_with_how_to_write_it(mark: str) -> None:
    with pytest.raises(BrokerUrlError, match=r"bare / \? or #: write %2F, %3F or %23 instead"):
        BrokerUrl.parse(f"redis://:a{mark}b@h:6379/0")


def test_an_unknown_option_is_named_with_those_that_there_are() -> None:
    with pytest.raises(BrokerUrlError, match=r"no option sock_timeout \(there are ssl_ca_certs, ssl_cert_reqs,"):
        BrokerUrl.parse("redis://h/0?sock_timeout=3")


def test_tls_is_not_switched_on_by_an_option_alone() -> None:
    with pytest.raises(BrokerUrlError, match="ssl_ca_certs needs a URL that begins with rediss://"):
        BrokerUrl.parse("redis://h/0?ssl_ca_certs=/etc/ca.pem")


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

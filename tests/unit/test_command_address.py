from __future__ import annotations

from typing import Any

import pytest

from celery_nexus.broker import BrokerSource
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.redis_cli import address_redis_cli
from celery_nexus.sources import Sources

UNUSED: Any = None
FOREIGN = BrokerSource(BrokerUrl.parse("redis://:secret@example.org:6380/3"))


def test_a_command_about_another_broker_names_it_without_its_password() -> None:
    recording: Any = object()
    sources = Sources(FOREIGN, UNUSED, UNUSED, UNUSED, UNUSED, recording=recording)
    said = sources.address_command("nexus-tui revoke 1234")
    assert said == "nexus-tui revoke 1234 --broker 'redis://:***@example.org:6380/3'"


def test_a_command_about_the_own_stack_needs_no_address() -> None:
    sources = Sources(FOREIGN, UNUSED, UNUSED, UNUSED, UNUSED)
    assert sources.address_command("nexus-tui revoke 1234") == "nexus-tui revoke 1234"


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("redis://h/0", "redis-cli -h h -p 6379 CONFIG SET timeout 0"),
        ("redis://h:6380/3", "redis-cli -h h -p 6380 -n 3 CONFIG SET timeout 0"),
        ("unix:///run/my%20s?db=2", "redis-cli -s '/run/my s' -n 2 CONFIG SET timeout 0"),
        ("redis://:secret@h/0", 'REDISCLI_AUTH="$BROKER_PASSWORD" redis-cli -h h -p 6379 CONFIG SET timeout 0'),
        (
            "redis://ann:secret@[::1]:1/0",
            'REDISCLI_AUTH="$BROKER_PASSWORD" redis-cli -h ::1 -p 1 --user ann CONFIG SET timeout 0',
        ),
        (
            "rediss://h:1/0?ssl_cert_reqs=none&ssl_ca_certs=/a%20b",
            "redis-cli -h h -p 1 --tls --cacert '/a b' --insecure CONFIG SET timeout 0",
        ),
        (
            "sentinel://s:26379/0?master_name=m",
            "redis-cli $(redis-cli -h s -p 26379 SENTINEL get-master-addr-by-name m | xargs printf -- '-h %s -p %s') "
            "CONFIG SET timeout 0",
        ),
    ],
)
def test_a_command_to_the_server_says_where_it_is_and_shows_no_password(url: str, line: str) -> None:
    assert address_redis_cli(BrokerUrl.parse(url), "redis-cli CONFIG SET timeout 0") == line


def test_rights_are_given_by_the_administrator_of_the_server() -> None:
    url = BrokerUrl.parse("redis://few:secret@h/0")
    command = address_redis_cli(url, "redis-cli ACL SETUSER few '+client|list'")
    assert command == "REDISCLI_AUTH=\"$ADMIN_PASSWORD\" redis-cli -h h -p 6379 ACL SETUSER few '+client|list'"

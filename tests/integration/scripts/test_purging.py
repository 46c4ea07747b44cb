"""Taking a whole list away, on a server that refuses a part of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.exceptions import NoPermissionError

from celery_nexus.delivery import keys
from celery_nexus.delivery.ends import endings as ends
from celery_nexus.delivery.ends.purging import purge
from tests.integration.scripts.refusing import MESSAGE, OTHER


@pytest.fixture
def restricted(client: Any) -> Iterator[redis.Redis]:
    """A user who may not rename keys."""
    client.execute_command("ACL", "SETUSER", "no-rename", "on", "nopass", "~*", "&*", "+@all", "-rename")
    path = client.connection_pool.connection_kwargs["path"]
    with redis.Redis(unix_socket_path=path, username="no-rename", password="any") as limited:
        yield limited
    client.execute_command("ACL", "DELUSER", "no-rename")


def aside(client: Any) -> list[bytes]:
    return list(client.scan_iter("nexus:purged:*"))


def test_what_is_purged_is_counted_and_noted_once(client: Any) -> None:
    client.rpush("q", MESSAGE, OTHER)
    assert purge(client, "q", "") == 2
    assert not client.exists("q")
    assert client.hgetall(keys.COUNTERS) == {b"deleted": b"1"}  # the other one was never counted
    [key] = aside(client)
    [note] = map(ends.parse, client.lrange(keys.ENDS, 0, -1))
    assert note is not None
    assert (note.reason, note.lists) == ("purged", (key.decode(),))
    assert 0 < client.ttl(key) <= 86_400


def test_a_queue_that_is_empty_is_purged_without_a_note(client: Any) -> None:
    assert purge(client, "q", "") == 0
    assert not client.exists(keys.ENDS)


def test_who_may_not_purge_hears_it_and_nothing_is_gone(client: Any, restricted: redis.Redis) -> None:
    client.rpush("q", MESSAGE)
    with pytest.raises(NoPermissionError, match="rename"):
        purge(restricted, "q", "")
    assert client.lrange("q", 0, -1) == [MESSAGE]
    assert not client.exists(keys.COUNTERS)


def test_counters_of_another_type_fail_no_purge(client: Any) -> None:
    client.rpush("q", MESSAGE)
    client.set(keys.COUNTERS, "no hash")
    assert purge(client, "q", "") == 1
    assert len(aside(client)) == client.llen(keys.ENDS) == 1


def test_what_can_not_be_noted_is_purged_all_the_same(client: Any) -> None:
    client.rpush("q", MESSAGE)
    client.set(keys.ENDS, "no list")
    assert purge(client, "q", "") == 1
    assert not client.exists("q")
    assert aside(client) == []


def test_a_broker_without_memory_left_gets_room(client: Any) -> None:
    client.rpush("q", MESSAGE)
    client.config_set("maxmemory", 1)
    try:
        assert purge(client, "q", "") == 1
    finally:
        client.config_set("maxmemory", 0)
    assert list(client.scan_iter()) == []

"""What looking at a stranger's broker with thousands of queues costs its server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from celery_nexus.broker.read.survey import Survey
from tests.harness.servers import Server, run_server

QUEUES = 5_000


@pytest.fixture
def site() -> Iterator[Server]:
    """A broker."""
    with run_server() as server:
        yield server


def fill(client: Any, count: int) -> None:
    """Bind queues, the second and the last of which have messages of another priority than 0."""
    pipeline = client.pipeline(transaction=False)
    for number in range(count):
        queue = f"q{number}"
        pipeline.sadd(f"_kombu.binding.{queue}", "\x06\x16".join((queue, "", queue)))
    pipeline.lpush("q1\x06\x163", "{}")
    pipeline.lpush(f"q{count - 1}\x06\x167", "{}")
    pipeline.execute()


def steps(client: Any) -> tuple[int, ...]:
    """Survey a broker until all was looked at, and return the priorities that have a list of their own."""
    survey = Survey(client, "")
    return survey.look(30.0)[0].steps


def test_priorities_of_five_thousand_queues_are_found_in_few_questions(site: Server) -> None:
    fill(site.client, QUEUES)
    site.client.config_resetstat()
    assert steps(site.client) == (0, 3, 7)
    stats: Any = site.client.info("commandstats")
    assert stats["cmdstat_exists"]["calls"] <= 9 * QUEUES / 500 + 10


def test_a_user_who_may_see_some_queues_alone_finds_their_priorities(site: Server) -> None:
    fill(site.client, 20)
    rules = ["reset", "on", ">pw", "+@all", "~_kombu.*", "~q19*", "~nexus:*"]
    site.client.execute_command("ACL", "SETUSER", "some", *rules)
    with redis.Redis(unix_socket_path=str(site.socket), username="some", password="pw") as narrow:
        assert steps(narrow) == (0, 7)

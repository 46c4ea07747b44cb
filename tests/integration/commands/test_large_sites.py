"""What looking at a stranger's broker with thousands of queues costs its server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from benchmarks.apparatus.broker import message_of
from celery_nexus.broker.read.observe import Observer
from celery_nexus.broker.read.survey import Survey
from celery_nexus.connection.set_members import read_all_members, read_members
from celery_nexus.delivery.layout import stock_layout
from celery_nexus.rows.broker import QueueStats
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


def observe(client: Any) -> dict[str, QueueStats]:
    """Read every queue of a stock application."""
    return {row.name: row for row in Observer(client, stock_layout(""), (), ()).read({})}


def test_five_thousand_queues_are_read_in_many_short_scripts_and_none_is_missed_or_counted_twice(site: Server) -> None:
    fill(site.client, QUEUES)
    pipeline = site.client.pipeline(transaction=False)
    for number in range(0, QUEUES, 5):
        pipeline.lpush(f"q{number}", *(message_of(f"{number}-{place}") for place in range(1 + number % 7)))
        pipeline.lpush(f"q{number}\x06\x163", "{}")
    pipeline.execute()
    site.client.config_resetstat()
    rows = observe(site.client)
    stats: Any = site.client.info("commandstats")
    assert len(rows) == QUEUES
    expected = {f"q{n}": (1 + n % 7 if n % 5 == 0 else 0) for n in range(QUEUES)}
    assert {name: row.by_priority[0] for name, row in rows.items()} == expected
    assert sum(row.by_priority[3] for row in rows.values()) == QUEUES / 5 + 1
    assert stats["cmdstat_evalsha"]["calls"] >= 10
    assert "cmdstat_keys" not in stats
    assert "cmdstat_smembers" not in stats


def test_what_workers_hold_is_counted_by_queue_over_many_scripts(site: Server) -> None:
    fill(site.client, 10)
    held: dict[Any, Any] = {
        f"tag{n}": json.dumps([json.loads(message_of(f"r{n}", f"q{n % 10}")), f"q{n % 10}", f"q{n % 10}"])
        for n in range(1_990)
    }
    site.client.hset("unacked", mapping=held)
    site.client.config_resetstat()
    assert {row.in_flight for row in observe(site.client).values()} == {199}
    stats: Any = site.client.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] >= 10


def test_more_than_is_counted_in_workers_hands_is_unknown(site: Server) -> None:
    fill(site.client, 3)
    site.client.hset("unacked", mapping={f"tag{n}": "[]" for n in range(2_001)})
    assert {row.in_flight for row in observe(site.client).values()} == {None}


def test_a_small_site_is_read_as_of_one_moment_by_one_script(site: Server) -> None:
    fill(site.client, 100)
    site.client.hset("unacked", "tag", json.dumps([json.loads(message_of("r1", "q1")), "q1", "q1"]))
    site.client.config_resetstat()
    assert observe(site.client)["q1"].in_flight == 1
    stats: Any = site.client.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] - stats["cmdstat_evalsha"]["failed_calls"] == 1


def test_a_large_set_is_read_in_parts_and_a_wrong_kind_is_told(site: Server) -> None:
    members = {f"member{number}".encode() for number in range(3_000)}
    site.client.sadd("large", *members)
    site.client.lpush("list", "x")
    assert read_members(site.client, "large") == members
    large, nothing, wrong = read_all_members(site.client, ["large", "absent", "list"])
    assert (large, nothing) == (members, set())
    assert "WRONGTYPE" in str(wrong)


def test_a_user_who_may_use_what_kombu_uses_alone_reads_sets(site: Server) -> None:
    site.client.sadd("bound", "one", "two")
    site.client.execute_command("ACL", "SETUSER", "few", "reset", "on", ">pw", "+smembers", "~*")
    with redis.Redis(unix_socket_path=str(site.socket), username="few", password="pw") as few:
        assert read_members(few, "bound") == {b"one", b"two"}

"""What is known of each queue between two fetches: it spares a look at empty lists, and is never trusted too long."""

from __future__ import annotations

from typing import Any

import pytest

from celery_nexus.delivery import keys, scripts
from celery_nexus.delivery.transport.fetch_script import FETCH
from tests.integration.scripts.delivery_cases import FIELD, hold

MANY = [f"q{number}" for number in range(9)]


def fetch(client: Any, *queues: str, most: int = 1, looks: bool = False) -> list[bytes]:
    """Fetch as a tool without a lease does; returns the lists that something was taken from."""
    arguments = ["w", "", "1", "", ":", "059", 1_000_000, most, int(looks), *queues]
    answer: Any = client.eval(FETCH, 3, "flight", "leases", keys.WAITING, *arguments)
    return [taken[1] for taken in answer] if isinstance(answer, list) else []


def state(client: Any) -> dict[str, str]:
    return {queue.decode(): known.decode() for queue, known in client.hgetall(keys.WAITING).items()}


def test_each_fetch_leaves_the_priorities_that_may_hold_something(client: Any) -> None:
    for name in ("a", "a:5", "a:5", "a:9"):
        client.lpush(name, "x")
    client.hset(keys.WAITING, "a", "?")
    seen = [(fetch(client, "a"), state(client)) for _ in range(5)]
    assert seen == [
        ([b"a"], {"a": "059"}),
        ([b"a:5"], {"a": "59"}),
        ([b"a:5"], {"a": "59"}),
        ([b"a:9"], {"a": "9"}),
        ([], {}),
    ]


def test_a_list_that_is_not_among_them_is_not_looked_at_before_the_next_look(client: Any) -> None:
    client.lpush("a", "foreign")
    client.lpush("a:5", "x", "x")
    client.hset(keys.WAITING, "a", "5")
    assert fetch(client, "a") == [b"a:5"]
    assert fetch(client, "a", looks=True) == [b"a"]
    assert state(client) == {"a": "05"}


def test_a_queue_of_which_nothing_is_known_is_empty(client: Any) -> None:
    client.lpush("a", "foreign")
    assert fetch(client, "a") == []
    assert fetch(client, "a", looks=True) == [b"a"]


@pytest.mark.parametrize("is_due", [True, False])
def test_a_time_that_has_come_is_looked_at_and_one_that_has_not_is_not(client: Any, is_due: bool) -> None:
    now = client.time()[0]
    client.lpush("a:9", "x")
    client.zadd("nexus:delayed:a", {"5due": 1, "5later": now + 100})
    client.hset(keys.WAITING, "a", f"9@{1 if is_due else now + 50}")
    assert fetch(client, "a") == ([b"a:5"] if is_due else [b"a:9"])
    assert state(client) == ({"a": f"59@{now + 100:.6f}"} if is_due else {"a": f"9@{now + 50}"})


def test_of_many_queues_the_few_that_are_known_are_read(client: Any) -> None:
    client.lpush("q7:5", "x")
    client.lpush("q3", "x")
    client.hset(keys.WAITING, mapping={"q7": "?", "q3": "?"})  # of nine: all that is known is read at once
    assert fetch(client, *MANY, most=8) == [b"q3", b"q7:5"]
    assert state(client) == {}


def test_of_few_queues_each_is_asked_for_among_many_that_are_known(client: Any) -> None:
    client.hset(keys.WAITING, mapping=dict.fromkeys(MANY, "?"))
    client.lpush("q7:5", "x")
    assert fetch(client, "q7", "q8", most=8) == [b"q7:5"]
    assert set(state(client)) == set(MANY) - {"q7", "q8"}


def test_what_is_known_is_written_when_it_changed_alone(client: Any) -> None:
    client.lpush("a:5", "x", "x")
    client.hset(keys.WAITING, mapping={"a": "5", "b": "5"})
    assert fetch(client, "b", "a") == [b"a:5"]
    assert state(client) == {"a": "5"}


PUBLISH_KEYS = ["q:5", "p:nexus:wake:q", "c", "p:nexus:delayed:q", "m"]
STEPS: dict[str, tuple[str, list[str], list[Any]]] = {
    "publish": (scripts.PUBLISH, PUBLISH_KEYS, ["x", "submitted", "", "", "n", 9]),
    "delay at publish": (scripts.PUBLISH, PUBLISH_KEYS, ["x", "submitted", 9e9, "5x", "n", 9]),
    "restore": (scripts.RESTORE, ["flight", "leases", "q:5", "p:nexus:wake:q"], ["w", "t", FIELD, "RPUSH", "", 0]),
    "delay": (scripts.DELAY, ["flight", "leases", "p:nexus:delayed:q"], ["w", "t", FIELD, 9e9, 5, 0]),
    "release": (scripts.RELEASE, ["p:nexus:delayed:q", "q:5"], ["5x", "x"]),
}


@pytest.mark.parametrize("name", STEPS)
def test_each_step_that_puts_a_message_somewhere_says_that_something_changed_there(client: Any, name: str) -> None:
    hold(client)
    if name == "release":
        client.zadd("p:nexus:delayed:q", {"5x": 9e9})
    script, names, arguments = STEPS[name]
    assert client.eval(script, len(names), *names, *arguments) == 1
    assert client.hgetall("p:nexus:waiting") == {b"q": b"?"}
    assert client.exists("nexus:waiting") == 0

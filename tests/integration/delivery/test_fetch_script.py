"""What one fetch takes, in which order, and what it remembers of the queues that it looked through."""

from __future__ import annotations

import time
from typing import Any

import pytest

from celery_nexus.delivery import keys, scripts
from celery_nexus.delivery.transport import fetch_script
from celery_nexus.delivery.transport.fetch_script import UNKNOWN

SEP = "\x06\x16"


def fetch(client: Any, *queues: str, most: int = 8, looks: bool = False, limit: int = 1_000_000) -> Any:
    """Fetch as a worker without a lease does."""
    names = ["flight", keys.LEASES, keys.WAITING]
    arguments = ["w", "", "1", "", SEP, "0123456789", limit, most, int(looks), *queues]
    return client.eval(fetch_script.FETCH, len(names), *names, *arguments)


def publish(client: Any, queue: str, priority: int, text: str, due: float | None = None) -> None:
    """Publish a message as our producers do."""
    name = f"{queue}{SEP}{priority}" if priority else queue
    names = [name, keys.wake_key(queue), keys.COUNTERS, keys.key_of_delayed(queue), keys.publication_key(text)]
    arguments = [text, "submitted", "" if due is None else due, f"{priority}{text}", text, 60]
    assert client.eval(scripts.PUBLISH, len(names), *names, *arguments) == 1


def texts(answer: Any) -> list[str]:
    """Read the messages of an answer."""
    return [entry[2].decode() for entry in answer] if isinstance(answer, list) else []


def test_messages_come_by_priority_then_by_queue_then_by_age(stack: Any) -> None:
    for queue, priority, text in (("b", 5, "1"), ("a", 5, "2"), ("a", 5, "3"), ("b", 0, "4"), ("a", 9, "5")):
        publish(stack.client, queue, priority, text)
    assert texts(fetch(stack.client, "a", "b")) == ["4", "2", "3", "1", "5"]
    assert stack.client.hgetall("flight") == {
        b"1.0 b": b"4",
        **{f"1.{n} a{SEP}5".encode(): text for n, text in ((1, b"2"), (2, b"3"))},
        f"1.3 b{SEP}5".encode(): b"1",
        f"1.4 a{SEP}9".encode(): b"5",
    }
    assert stack.client.hgetall(keys.WAITING) == {}


def test_a_fetch_takes_no_more_than_there_is_room_for(stack: Any) -> None:
    for text in "123":
        publish(stack.client, "a", 5, text)
    assert texts(fetch(stack.client, "a", most=2)) == ["1", "2"]
    assert texts(fetch(stack.client, "a", most=2)) == ["3"]


def test_a_fetch_takes_no_further_message_when_it_has_a_megabyte(stack: Any) -> None:
    for text in ("a" * 600_000, "b" * 600_000, "c"):
        publish(stack.client, "a", 5, text)
    assert [len(text) for text in texts(fetch(stack.client, "a"))] == [600_000, 600_000]
    assert texts(fetch(stack.client, "a")) == ["c"]


def test_a_message_that_is_too_large_is_noted_and_not_answered(stack: Any) -> None:
    publish(stack.client, "a", 0, "12345")
    assert fetch(stack.client, "a", limit=4) == [[0, b"a", None, 5]]
    assert stack.client.hgetall("flight") == {b"1.0 a": b"12345"}


def test_other_queues_are_left_alone(stack: Any) -> None:
    publish(stack.client, "a", 0, "1")
    assert fetch(stack.client, "b") is None
    assert stack.client.hget(keys.WAITING, "a") == UNKNOWN.encode()
    assert texts(fetch(stack.client, "a")) == ["1"]


def test_what_others_pushed_is_found_by_a_look_through_all_lists(stack: Any) -> None:
    stack.client.lpush(f"a{SEP}3", "1")
    assert fetch(stack.client, "a", "b") is None
    assert texts(fetch(stack.client, "a", "b", looks=True)) == ["1"]


def test_what_others_pushed_beside_ours_comes_in_its_turn_once_a_look_found_it(stack: Any) -> None:
    publish(stack.client, "a", 5, "ours")
    publish(stack.client, "a", 5, "ours too")
    assert texts(fetch(stack.client, "a", most=1)) == ["ours"]
    stack.client.lpush("a", "urgent")
    assert texts(fetch(stack.client, "a", most=1, looks=True)) == ["urgent"]
    assert texts(fetch(stack.client, "a")) == ["ours too"]


def test_what_is_known_of_a_queue_and_is_true_no_more_is_passed_over(stack: Any) -> None:
    publish(stack.client, "a", 5, "1")
    publish(stack.client, "b", 5, "2")
    publish(stack.client, "b", 5, "3")
    assert texts(fetch(stack.client, "a", "b", most=1)) == ["1"]
    assert texts(fetch(stack.client, "a", "b", most=1)) == ["2"]
    stack.client.delete(f"b{SEP}5")
    assert fetch(stack.client, "a", "b") is None
    assert stack.client.hgetall(keys.WAITING) == {}


def test_a_fetch_without_messages_tells_when_the_next_delayed_one_is_due(stack: Any) -> None:
    now = float(stack.client.time()[0])
    publish(stack.client, "a", 5, "later", due=now + 100)
    publish(stack.client, "b", 5, "sooner", due=now + 50)
    assert 45 < float(fetch(stack.client, "a", "b")) <= 50
    assert stack.client.hgetall(keys.WAITING) == {
        b"a": f"@{now + 100:.6f}".encode(),
        b"b": f"@{now + 50:.6f}".encode(),
    }
    assert 45 < float(fetch(stack.client, "a", "b")) <= 50


def test_what_is_due_joins_its_queue_when_its_time_has_come(stack: Any) -> None:
    due = time.time() + 0.3
    publish(stack.client, "a", 5, "waits")
    publish(stack.client, "a", 2, "due", due=due)
    assert fetch(stack.client, "a", most=1)[0][2] == b"waits"
    stack.until(lambda: texts(fetch(stack.client, "a")) == ["due"])
    assert stack.client.zcard(keys.key_of_delayed("a")) == 0
    assert stack.client.hgetall(keys.WAITING) == {}


def test_many_that_are_due_at_once_are_moved_a_hundred_at_a_time(stack: Any) -> None:
    stack.client.zadd(keys.key_of_delayed("a"), {f"5{number:03d}": 1 for number in range(150)})
    assert texts(fetch(stack.client, "a", most=1, looks=True)) == ["000"]
    assert (stack.client.llen(f"a{SEP}5"), stack.client.zcard(keys.key_of_delayed("a"))) == (99, 50)
    assert texts(fetch(stack.client, "a", most=1)) == ["001"]
    assert (stack.client.llen(f"a{SEP}5"), stack.client.zcard(keys.key_of_delayed("a"))) == (148, 0)


@pytest.mark.parametrize("key", [keys.WAITING, keys.key_of_delayed("a"), "a"])
def test_a_key_of_another_type_stops_no_fetch(stack: Any, key: str) -> None:
    stack.client.set(key, "a string")
    stack.client.lpush(f"a{SEP}5", "1")
    assert texts(fetch(stack.client, "a", looks=True)) == ["1"]
    assert fetch(stack.client, "a", looks=True) is None


def test_more_queues_than_one_command_takes_are_looked_through(stack: Any) -> None:
    queues = [f"q{number}" for number in range(2500)]
    for queue in ("q0", "q999", "q1000", "q2499"):
        publish(stack.client, queue, 5, queue)
    assert texts(fetch(stack.client, *queues)) == ["q0", "q999", "q1000", "q2499"]


def test_a_fetch_that_is_refused_after_the_first_message_answers_what_it_took(stack: Any) -> None:
    for text in "12":
        publish(stack.client, "a", 5, text)
    refuse = "local real, taken = redis, 0\nlocal redis = setmetatable({}, {__index = real})\n"
    refuse += "redis.pcall = function(command, ...)\n  if command == 'LINDEX' then taken = taken + 1 end\n"
    refuse += "  if taken == 2 then return {err = 'REFUSED'} end\n  return real.pcall(command, ...)\nend\n"
    names = ["flight", keys.LEASES, keys.WAITING]
    answer = stack.client.eval(
        refuse + fetch_script.FETCH, 3, *names, "w", "", "1", "", SEP, "0123456789", 99, 8, 0, "a"
    )
    assert texts(answer) == ["1"]
    assert texts(fetch(stack.client, "a", looks=True)) == ["2"]

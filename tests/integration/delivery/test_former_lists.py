"""The change from an earlier version, whose lists and bindings had another separator: nothing is lost."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from benchmarks.faults.malformed import message
from celery_nexus.delivery import keys
from celery_nexus.delivery.ends.dead_letters import DeadLetters
from celery_nexus.delivery.upgrade.former_lists import FormerLists
from celery_nexus.queues import FORMER_SEPARATOR, PRIORITIES, priority_key

QUEUE = "default_queue"
BINDING = "_kombu.binding.default_queue"
FORMER_BINDING = "default_queue::default_queue"
REPLIES = "_kombu.binding.reply.celery.pidbox"


def former(priority: int, queue: str = QUEUE) -> str:
    return priority_key(queue, priority, FORMER_SEPARATOR)


def test_what_an_earlier_version_left_runs_in_the_order_of_its_priorities(stack: Any) -> None:
    earlier = stack.app(sep=FORMER_SEPARATOR)
    stack.environment["NEXUS_TEST_FORMER_SEPARATOR"] = FORMER_SEPARATOR
    worker = stack.worker("w", "-c", "1")
    earlier.send_task("t.note", ("held", 3), queue=QUEUE, priority=4)
    stack.until(lambda: stack.count("started:held"))
    worker.kill()
    worker.wait(10)
    earlier.send_task("t.note", ("delayed",), queue=QUEUE, priority=3, countdown=1)
    for priority in reversed(PRIORITIES):
        earlier.send_task("t.note", (str(priority),), queue=QUEUE, priority=priority)
    assert [stack.client.llen(former(priority)) for priority in PRIORITIES] == [1] * 10
    assert [tag.endswith(b" " + former(4).encode()) for tag in stack.client.hkeys(keys.in_flight_key("w@test"))] == [
        True
    ]
    del stack.environment["NEXUS_TEST_FORMER_SEPARATOR"]
    stack.until(lambda: stack.client.zcount(keys.key_of_delayed(QUEUE), 0, time.time()) == 1)
    stack.worker("w", "-c", "1")
    stack.until(lambda: stack.client.llen("order") == 12)
    order = [name.decode() for name in stack.client.lrange("order", 0, -1)]
    assert order == ["0", "1", "2", "3", "delayed", "held", "4", "5", "6", "7", "8", "9"]
    assert "ERROR" not in stack.log("w")


def test_what_an_earlier_version_publishes_while_the_new_worker_runs_is_taken_over(stack: Any) -> None:
    worker = stack.worker()
    for ours in (True, False):
        stack.app(ours=ours, sep=FORMER_SEPARATOR).send_task("t.note", (str(ours),), queue=QUEUE, priority=7)
    stack.until(lambda: stack.count("done:True") + stack.count("done:False") == 2)
    assert not stack.client.exists(former(7))
    assert worker.poll() is None


def test_bindings_of_an_earlier_version_refuse_no_publisher_and_no_answer(stack: Any) -> None:
    stack.client.sadd(BINDING, FORMER_BINDING)
    stack.client.sadd(REPLIES, "gone.reply.celery.pidbox::gone.reply.celery.pidbox")
    stack.worker()
    assert stack.client.smembers(BINDING) == {b"default_queue\x06\x16\x06\x16default_queue"}
    stack.client.sadd(REPLIES, "asks.reply.celery.pidbox::asks.reply.celery.pidbox")  # an earlier dashboard looks
    plain = stack.app(ours=False)
    assert plain.control.inspect(timeout=5, limit=1).ping() == {"w@test": {"ok": "pong"}}
    plain.send_task("t.note", ("exchange",), exchange=QUEUE, routing_key=QUEUE, priority=9)
    stack.until(lambda: stack.count("done:exchange"))
    assert "ERROR" not in stack.log("w")


def test_what_stock_delivery_of_an_earlier_version_held_comes_back(stack: Any) -> None:
    stack.client.sadd(BINDING, FORMER_BINDING)
    stack.client.hset("unacked", "tag", json.dumps([message("t.note", ("unacked",)), QUEUE, QUEUE]))
    stack.client.zadd("unacked_index", {"tag": 0})
    stack.worker()
    stack.until(lambda: stack.count("done:unacked"))
    assert not stack.client.exists("unacked", former(5))


def test_a_dead_letter_of_an_earlier_version_returns_to_todays_list(stack: Any) -> None:
    facts = {"reason": "poisoned", "list": former(3), "at": 1.0, "id": "a", "task": "t.note"}
    stack.client.zadd(keys.DEAD, {"letter": 1.0})
    stack.client.hset(keys.DEAD_FACTS, "letter", json.dumps(facts))
    stack.client.hset(keys.DEAD_BYTES, "letter", json.dumps(message("t.note", ("letter",))))
    letters = DeadLetters(stack.client, former=frozenset({QUEUE}))
    [letter] = letters.list()
    assert (letter.queue, letter.priority) == (QUEUE, 3)
    assert letters.retry("letter") == "a"
    assert stack.client.llen(priority_key(QUEUE, 3)) == 1


@pytest.mark.parametrize(("older", "newer"), [("ab", "cdefg"), ("abcde", "fg"), ("abc", "")])
def test_messages_of_an_earlier_version_go_ahead_of_those_that_came_later(stack: Any, older: str, newer: str) -> None:
    lists = FormerLists(stack.client)
    stack.client.lpush(former(5), *older)
    if newer:
        stack.client.lpush(priority_key(QUEUE, 5), *newer)
    assert lists.take_over([QUEUE]) == len(older)
    assert b"".join(stack.client.lrange(priority_key(QUEUE, 5), 0, -1)).decode() == (older + newer)[::-1]
    assert not stack.client.exists(former(5))
    assert lists.take_over([QUEUE]) == 0


def test_many_messages_are_taken_over_in_steps_that_hold_up_nobody(stack: Any) -> None:
    stack.client.lpush(former(5), *map(str, range(12_000)))
    stack.client.lpush(priority_key(QUEUE, 5), *map(str, range(12_000, 25_000)))
    assert FormerLists(stack.client).take_over([QUEUE]) == 12_000
    taken = stack.client.lrange(priority_key(QUEUE, 5), 0, -1)
    assert sorted(map(int, taken)) == list(range(25_000))


def test_a_queue_whose_name_looks_like_an_earlier_list_and_other_peoples_keys_stay(stack: Any) -> None:
    stack.client.lpush(former(4), "a message of a queue of this name")
    stack.client.sadd(f"_kombu.binding.{former(4)}", "a member")
    stack.client.set(former(5), "somebody's counter")
    stack.client.lpush(former(6), "a message")
    stack.client.set(priority_key(QUEUE, 6), "no list")
    assert FormerLists(stack.client).take_over([QUEUE]) == 0
    assert stack.client.exists(former(4), former(5), former(6)) == 3

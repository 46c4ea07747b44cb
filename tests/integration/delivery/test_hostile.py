"""Keys of the wrong type, huge messages, twins, and messages that were changed by chance."""

from __future__ import annotations

import json
import random
from typing import Any

import redis

from benchmarks.faults.malformed import message
from celery_nexus.delivery import keys
from celery_nexus.queues import priority_key

_ODD_VALUES: tuple[Any, ...] = (None, True, -1, 10**30, float("nan"), float("inf"), "", [], [[]], {}, {"a": {}}, ["a"])
_ODD_TEXTS = ("\ud800", "\x00\x1b[2J", "x" * 5000)
CHANGES = 300


def test_keys_of_the_wrong_type_stop_neither_other_priorities_nor_the_worker(stack: Any) -> None:
    stack.client.set("default_queue", "a string")
    stack.client.hset(priority_key("default_queue", 3), "a", "hash")
    stack.client.sadd(priority_key("default_queue", 7), "a", "set")
    stack.client.set(keys.key_of_delayed("default_queue"), "a string")
    stack.client.set(keys.wake_key("default_queue"), "a string")
    stack.client.set(keys.COUNTERS, "a string")
    worker = stack.worker()
    for priority in (1, 5, 9):
        stack.publish("t.note", f"p{priority}", priority=priority)
    stack.until(lambda: stack.client.llen("order") == 3)
    assert worker.poll() is None
    assert stack.log("w").count(" ready.") == 1


def test_a_message_that_can_not_be_noted_stays_in_its_queue(stack: Any) -> None:
    stack.worker()
    stack.client.set(keys.in_flight_key("w@test"), "a string")
    stack.publish("t.note", "kept")
    stack.until(lambda: "refuses to hand out messages" in stack.log("w"))
    assert stack.client.llen(priority_key("default_queue", 5)) == 1
    stack.client.delete(keys.in_flight_key("w@test"))
    stack.until(lambda: stack.count("done:kept") == 1)


def test_a_message_of_100_megabytes_becomes_a_dead_letter(stack: Any) -> None:
    worker = stack.worker()
    with redis.Redis.from_url(stack.url, socket_timeout=60) as patient:
        patient.lpush(priority_key("default_queue", 5), b"[" + b" " * 100_000_000 + b"]")
    stack.publish("t.note", "behind")
    stack.until(lambda: stack.count("done:behind") == 1)
    facts = json.loads(stack.client.hvals(keys.DEAD_FACTS)[0])
    assert (facts["reason"], facts["detail"]) == ("malformed", "100000002 bytes, more than 33554432")
    assert stack.client.hstrlen(keys.DEAD_BYTES, stack.client.zrange(keys.DEAD, 0, -1)[0]) == 100_000_002
    assert worker.poll() is None


def test_two_messages_with_the_same_id_both_run(stack: Any) -> None:
    stack.worker()
    twin, other = message("t.note", ("twin", 0.5)), message("t.note", ("other", 0.5))
    other["headers"]["id"] = twin["headers"]["id"]
    stack.client.lpush(priority_key("default_queue", 5), json.dumps(twin), json.dumps(other))
    stack.until(lambda: stack.client.llen("order") == 2)
    stack.until(lambda: not stack.client.exists(keys.in_flight_key("w@test")))


def test_messages_changed_by_chance_never_end_a_worker(stack: Any) -> None:
    worker = stack.worker()
    chance = random.Random(20_261)
    for number in range(CHANGES):
        stack.client.lpush(
            priority_key("default_queue", 5), json.dumps(_changed(message("t.note", (f"odd{number}",)), chance))
        )
    stack.publish("t.note", "last")
    stack.until(lambda: stack.count("done:last") == 1, 60)
    stack.until(lambda: not stack.client.exists(keys.in_flight_key("w@test")), 60)
    assert worker.poll() is None
    assert stack.log("w").count(" ready.") == 1
    ran = {int(name[3:]) for name in stack.client.lrange("order", 0, -1) if name.startswith(b"odd")}
    dead = stack.client.zcard(keys.DEAD)
    later = stack.client.zcard(keys.key_of_delayed("default_queue"))
    assert len(ran) + dead + later + stack.log("w").count("Discarding revoked task") >= CHANGES - 5


def _changed(known: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Set one field, anywhere in the envelope, to something odd, or remove it."""
    places = [(known, name) for name in known]
    places += [(known[part], name) for part in ("headers", "properties") for name in known[part]]
    places += [(known["properties"]["delivery_info"], name) for name in known["properties"]["delivery_info"]]
    extra = ("eta", "expires", "timelimit", "group", "chain", "chord", "callbacks", "stamps", "shadow", "group_index")
    places += [(known["headers"], name) for name in extra]
    holder, name = chance.choice(places)
    if chance.random() < 0.1 and name in holder:
        del holder[name]
    else:
        holder[name] = chance.choice(_ODD_VALUES + _ODD_TEXTS)
    return known

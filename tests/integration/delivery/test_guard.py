"""No message ends a worker."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

from benchmarks.faults.malformed import CONTROL, MALFORMED, message
from celery_nexus.delivery import keys
from celery_nexus.queues import priority_key


def test_every_kind_of_malformed_message_becomes_a_dead_letter_and_the_good_ones_run(stack: Any) -> None:
    worker = stack.worker()
    queue = priority_key("default_queue", 5)
    for number, raw in enumerate(MALFORMED.values()):
        stack.client.lpush(queue, raw, json.dumps(message("t.note", (f"good{number}",))))
    stack.until(lambda: stack.client.llen("order") == len(MALFORMED), 60)
    letters = {stack.client.hget(keys.DEAD_BYTES, letter) for letter in stack.client.zrange(keys.DEAD, 0, -1)}
    assert {kind for kind, raw in MALFORMED.items() if raw not in letters} == set()
    assert len(letters) == len(MALFORMED)
    assert worker.poll() is None
    assert stack.log("w").count(" ready.") == 1
    assert not stack.client.exists(keys.in_flight_key("w@test"))


def test_control_messages_that_are_malformed_are_dropped_and_the_worker_still_answers(stack: Any) -> None:
    worker = stack.worker()
    for raw in CONTROL.values():
        stack.client.publish("/0.celery.pidbox", raw)
        stack.client.publish("/0.celery.pidbox/", raw)
    for ours in (True, False):
        inspect = stack.app(ours=ours).control.inspect(timeout=2, limit=1)
        answers = stack.until(inspect.ping)  # one question may be over before a busy worker is through with the rubbish
        assert answers == {"w@test": {"ok": "pong"}}
    assert worker.poll() is None
    assert stack.log("w").count(" ready.") == 1
    assert int(stack.client.hget(keys.COUNTERS, keys.BAD_CONTROL)) >= len(CONTROL)


VALUES: list[Any] = [None, True, -1, 0, 1, 10**30, 1.5, 1e308, "", "a", "9/m", "nan/s", "\ud800", [], [[1]], {"a": 1}]
ARGUMENTS = [
    "queue",
    "exchange",
    "exchange_type",
    "routing_key",
    "durable",
    "max",
    "min",
    "n",
    "task_id",
    "terminate",
    "signal",
    "headers",
    "task_name",
    "rate_limit",
    "hard",
    "soft",
    "from_node",
    "revoked",
    "ids",
    "modules",
    "reload",
    "id",
    "topic",
    "action",
    "samples",
    "num",
    "safe",
    "with_defaults",
    "bindings",
    "alias",
]
METHODS = [
    "add_consumer",
    "cancel_consumer",
    "autoscale",
    "pool_grow",
    "pool_shrink",
    "rate_limit",
    "time_limit",
    "revoke",
    "terminate",
    "election",
    "hello",
    "revoke_by_stamped_headers",
    "query_task",
    "registered",
    "active",
    "conf",
    "enable_events",
    "disable_events",
    "heartbeat",
    "reserved",
    "scheduled",
    "stats",
    "clock",
    "nexus_stats",
    "no_such_command",
]


def command(method: str, arguments: dict[str, Any]) -> bytes:
    """Make a well-formed control message."""
    sent = {"method": method, "arguments": arguments, "destination": None, "pattern": None, "matcher": None}
    made = message()
    made["body"] = base64.b64encode(json.dumps(sent).encode()).decode()
    made["headers"] = {"clock": 1, "expires": None}
    return json.dumps(made).encode()


def test_no_well_formed_control_message_ends_a_worker_now_or_at_its_next_connection(stack: Any) -> None:
    worker = stack.worker("w", "-c", "1")
    chance = random.Random(10)
    queues: list[Any] = [{"a": 1}, ["q"], 7, "", "q\0", "default_queue", "q" * 300, None]
    sent = [command("add_consumer", {"queue": queue}) for queue in queues]
    sent += [command("add_consumer", {"queue": "q", "exchange_type": kind}) for kind in ("none", 7, {"a": 1})]
    sent += [command("time_limit", {"task_name": "t.add", "hard": "x"}), command("pool_grow", {"n": 10**6})]
    for _ in range(400):
        names = chance.sample(ARGUMENTS, chance.randint(0, 4))
        sent.append(command(chance.choice(METHODS), {name: chance.choice(VALUES) for name in names}))
    for raw in sent:
        stack.client.publish("/0.celery.pidbox", raw)
    inspect = stack.app().control.inspect(timeout=2, limit=1)
    stack.until(lambda: (inspect.ping() or {}).get("w@test") == {"ok": "pong"}, 60)
    stack.client.client_kill_filter(_type="normal", skipme=True)
    stack.client.client_kill_filter(_type="pubsub")
    result = stack.producer.send_task("t.add", (2, 3), priority=5)
    assert result.get(timeout=30) == 5
    assert worker.poll() is None
    assert "nrecoverable" not in stack.log("w")


def test_an_unknown_task_becomes_a_dead_letter_and_its_run_fails(stack: Any) -> None:
    stack.worker()
    result = stack.producer.send_task("t.nobody_knows", priority=5)
    assert stack.until(lambda: result.state == "FAILURE")
    facts = json.loads(stack.client.hvals(keys.DEAD_FACTS)[0])
    assert (facts["reason"], facts["task"], facts["id"]) == ("unknown task", "t.nobody_knows", result.id)


def test_what_luas_json_can_not_decode_runs_all_the_same(stack: Any) -> None:
    stack.worker()
    odd = message("t.note", ("odd",), argsrepr="\ud800", kwargsrepr="x")
    stack.client.lpush(priority_key("default_queue", 5), json.dumps(odd))
    stack.until(lambda: stack.count("done:odd") == 1)


def test_two_messages_with_the_same_delivery_tag_both_run(stack: Any) -> None:
    stack.worker()
    twin, other = message("t.note", ("twin",)), message("t.note", ("other",))
    other["properties"]["delivery_tag"] = twin["properties"]["delivery_tag"]
    stack.client.lpush(priority_key("default_queue", 5), json.dumps(twin), json.dumps(other))
    stack.until(lambda: stack.client.llen("order") == 2)
    stack.until(lambda: not stack.client.exists(keys.in_flight_key("w@test")))

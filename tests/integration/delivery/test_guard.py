"""No message ends a worker."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.faults.malformed import CONTROL, MALFORMED, message
from config.queues import priority_key
from workers.delivery import keys


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
    assert not stack.client.exists(keys.in_flight("w@test"))


def test_control_messages_that_are_malformed_are_dropped_and_the_worker_still_answers(stack: Any) -> None:
    worker = stack.worker()
    for raw in CONTROL.values():
        stack.client.publish("/0.celery.pidbox", raw)
        stack.client.publish("/0.celery.pidbox/", raw)
    for ours in (True, False):
        inspect = stack.app(ours=ours).control.inspect(timeout=2)
        answers = stack.until(inspect.ping)  # one question may be over before a busy worker is through with the rubbish
        assert answers == {"w@test": {"ok": "pong"}}
    assert worker.poll() is None
    assert stack.log("w").count(" ready.") == 1
    assert int(stack.client.hget(keys.COUNTERS, keys.BAD_CONTROL)) >= len(CONTROL)


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
    stack.until(lambda: not stack.client.exists(keys.in_flight("w@test")))

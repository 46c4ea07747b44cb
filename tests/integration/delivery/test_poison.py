"""One rule ends every run that gets nowhere: three starts, whoever died, whatever it may retry."""

from __future__ import annotations

import json
from typing import Any

import pytest

from celery_nexus.delivery import keys, validation
from celery_nexus.queues import priority_key


def dead(stack: Any) -> list[tuple[str, str]]:
    """List reason and detail of the dead letters."""
    facts = [json.loads(text) for text in stack.client.hvals(keys.DEAD_FACTS)]
    return [(fact["reason"], fact["detail"]) for fact in facts]


def test_lost_children_end_every_kind_of_run_after_three_starts_and_none_that_gets_on(stack: Any) -> None:
    worker = stack.worker()
    stack.publish("t.fragile", "fragile")
    stack.publish("t.item", "item")
    mailing = stack.producer.send_task("t.mailing", ("mailing", 6), priority=5)
    assert mailing.get(timeout=60) == 6
    stack.until(lambda: stack.client.zcard(keys.DEAD) == 2, 40)
    assert [stack.count(f"started:{name}") for name in ("fragile", "item", "mailing")] == [3, 3, 6]
    assert dead(stack) == [("poisoned", "started 3 times without progress, and each time its process died")] * 2
    assert worker.poll() is None


def test_a_run_whose_result_nobody_wants_ends_after_killing_three_workers_and_its_neighbours_run(stack: Any) -> None:
    stack.publish("t.fragile", "killer", "worker")
    for number in range(4):
        stack.publish("t.note", f"n{number}")
    for _ in range(3):
        stack.worker("w", "-c", "1", "--prefetch-multiplier", "8", wait=False).wait(20)
    stack.worker("w", "-c", "1")
    stack.until(lambda: all(stack.count(f"done:n{number}") == 1 for number in range(4)))
    assert stack.count("started:killer") == 3
    assert dead(stack) == [("poisoned", "started 3 times without progress, and each time its process died")]


def test_a_rejected_run_comes_back_marked_as_redelivered(stack: Any) -> None:
    stack.worker()
    result = stack.producer.send_task("t.reject", ("twice", 2), priority=5)
    assert result.get(timeout=20) is True
    assert stack.count("started:twice") == 3


def test_a_run_that_rejects_for_ever_is_set_aside(stack: Any) -> None:
    stack.worker()
    result = stack.producer.send_task("t.reject", ("always", 1000), priority=5)
    with pytest.raises(Exception, match=r"started 3 times without progress, and each time it put its message back"):
        result.get(timeout=20)
    assert stack.count("started:always") == 3


def test_what_a_stop_puts_back_is_marked_as_redelivered_and_no_start_is_counted(stack: Any) -> None:
    stack.environment |= {"NEXUS_TEST_SOFT_SHUTDOWN_S": "0.5"}
    for _ in range(4):
        stack.client.set("started:long", 0)
        worker = stack.worker("w", "-c", "1", "--prefetch-multiplier", "2")
        if not stack.client.exists("published"):
            stack.client.set("published", 1)
            stack.publish("t.note", "long", 60)
            stack.publish("t.note", "waits", 60)
        stack.until(lambda: stack.count("started:long") and stack.client.hlen(keys.in_flight_key("w@test")) == 2)
        worker.send_signal(3)
        worker.wait(20)
        messages = [
            validation.decode_loosely(raw) for raw in stack.client.lrange(priority_key("default_queue", 5), 0, -1)
        ]
        headers = [message["headers"] for message in messages if message]
        marks = [(found.get("redelivered"), found.get("nexus_deliveries")) for found in headers]
        assert marks == [(True, None), (True, None)]

"""What dead workers held, leases, and stopping."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import psutil
import pytest

from benchmarks.faults.malformed import message
from celery_nexus.delivery import keys, validation
from celery_nexus.queues import priority_key


def test_a_killed_workers_runs_come_back_at_its_next_start(stack: Any) -> None:
    worker = stack.worker()
    stack.publish("t.note", "a", 30)
    stack.publish("t.note", "b", 30)
    stack.until(lambda: stack.count("started:a") and stack.count("started:b"))
    worker.kill()
    worker.wait(10)
    assert stack.client.hlen(keys.in_flight_key("w@test")) == 2
    stack.worker()
    stack.until(lambda: stack.count("started:a") == 2 and stack.count("started:b") == 2)
    assert stack.count("done:a") == 0


def test_what_was_fetched_and_not_started_returns_to_its_place(stack: Any) -> None:
    for name in ("running", "first", "second", "third"):
        stack.publish("t.note", name, 30 if name == "running" else 0)
    worker = stack.worker("w", "-c", "1", "--prefetch-multiplier", "4")
    stack.until(lambda: stack.client.hlen(keys.in_flight_key("w@test")) == 4 and stack.count("started:running"))
    worker.kill()
    worker.wait(10)
    stack.publish("t.note", "newer")
    held = stack.client.hgetall(keys.in_flight_key("w@test"))
    [running] = [tag for tag, raw in held.items() if b"running" in raw]
    stack.client.hdel(keys.in_flight_key("w@test"), running)
    stack.worker("w", "-c", "1")
    stack.until(lambda: stack.client.llen("order") == 4)
    assert stack.client.lrange("order", 0, -1) == [b"first", b"second", b"third", b"newer"]


def test_what_can_not_be_put_back_keeps_nothing_else_from_running(stack: Any) -> None:
    held = keys.in_flight_key("w@test")
    odd = json.dumps(message("t.note", ("odd",)))
    stack.client.set(priority_key("default_queue", 7), "no list")
    stuck, loose = (f"{n} {priority_key('default_queue', level)}".encode() for n, level in ((1, 7), (3, 5)))
    stack.client.hset(held, mapping={stuck: odd, b"2 \xff\xfe": odd, b"no tag": odd, loose: odd})
    stack.worker()
    stack.until(lambda: stack.count("done:odd") == 1)
    stack.until(lambda: stack.client.hkeys(held) == [stuck])
    assert stack.client.llen(b"\xff\xfe") == 1


def test_a_second_worker_of_the_same_name_refuses_and_robs_nothing(stack: Any) -> None:
    first = stack.worker()
    stack.publish("t.note", "long", 3)
    stack.until(lambda: stack.count("started:long"))
    second = stack.worker(wait=False)
    assert second.wait(20) == 69
    assert "w@test already runs on" in stack.log("w")
    assert first.poll() is None
    stack.until(lambda: stack.count("done:long") == 1)
    assert stack.count("started:long") == 1


def test_a_run_that_kills_its_child_is_set_aside_after_three_starts(stack: Any) -> None:
    worker = stack.worker()
    result = stack.producer.send_task("t.poison", ("p",), priority=5)
    good = [stack.publish("t.note", f"g{n}") for n in range(20)]
    stack.until(lambda: stack.client.zcard(keys.DEAD) == 1, 30)
    assert stack.count("started:p") == 3
    stack.until(lambda: stack.client.llen("order") == len(good))
    assert worker.poll() is None
    assert stack.until(lambda: result.state == "FAILURE" and result.state)
    facts = json.loads(stack.client.hvals(keys.DEAD_FACTS)[0])
    assert (facts["reason"], facts["task"], len(facts["deliveries"])) == ("poisoned", "t.poison", 3)


def test_a_run_that_kills_its_worker_is_set_aside_after_three_starts(stack: Any) -> None:
    stack.publish("t.poison", "p", "worker")
    for _ in range(3):
        worker = stack.worker(wait=False)
        worker.wait(20)
    assert stack.count("started:p") == 3
    stack.worker()
    assert stack.client.zcard(keys.DEAD) == 1
    assert stack.count("started:p") == 3


def test_a_stop_lets_short_runs_finish_and_puts_long_ones_back(stack: Any) -> None:
    stack.environment |= {"REMAP_SIGTERM": "SIGQUIT", "NEXUS_TEST_SOFT_SHUTDOWN_S": "2"}
    worker = stack.worker("w", "--prefetch-multiplier", "2")
    stack.publish("t.note", "short", 0.8)
    stack.publish("t.note", "long", 60)
    stack.publish("t.note", "waiting")
    stack.until(lambda: stack.count("started:short") and stack.count("started:long"))
    children = psutil.Process(worker.pid).children(recursive=True)
    worker.send_signal(signal.SIGTERM)
    worker.wait(15)
    assert stack.count("done:short") == 1
    assert stack.client.llen(priority_key("default_queue", 5)) + stack.count("done:waiting") == 2
    assert stack.client.hlen(keys.in_flight_key("w@test")) == 0
    assert not [child for child in children if child.is_running()]
    assert stack.client.hgetall(keys.LEASES) == {}


def test_a_stop_takes_no_longer_than_what_runs_and_puts_back_what_waits_in_the_worker(stack: Any) -> None:
    stack.environment |= {"REMAP_SIGTERM": "SIGQUIT", "NEXUS_TEST_SOFT_SHUTDOWN_S": "600"}
    for name in ("runs", "a", "b", "c"):
        stack.publish("t.note", name, 1)
    worker = stack.worker("w", "-c", "1", "--prefetch-multiplier", "4")
    stack.until(lambda: stack.client.hlen(keys.in_flight_key("w@test")) == 4 and stack.count("started:runs"))
    worker.send_signal(signal.SIGTERM)
    worker.wait(15)
    assert [stack.count(f"done:{name}") for name in ("runs", "a", "b", "c")] == [1, 0, 0, 0]
    waiting = [
        validation.run_of(validation.decode_loosely(raw))[1]
        for raw in stack.client.lrange(priority_key("default_queue", 5), 0, -1)
    ]
    assert waiting == ["t.note"] * 3
    assert not stack.client.exists(keys.in_flight_key("w@test"))


@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGQUIT, signal.SIGQUIT)])
def test_a_second_signal_stops_at_once_and_what_was_held_is_back_in_the_queue(stack: Any, numbers: Any) -> None:
    stack.environment |= {"REMAP_SIGTERM": "SIGQUIT", "NEXUS_TEST_SOFT_SHUTDOWN_S": "600"}
    names = ("runs", "a", "b", "c")
    for name in names:
        stack.publish("t.note", name, 600)
    worker = stack.worker("w", "-c", "1", "--prefetch-multiplier", "4")
    stack.until(lambda: stack.client.hlen(keys.in_flight_key("w@test")) == 4 and stack.count("started:runs"))
    children = psutil.Process(worker.pid).children(recursive=True)
    worker.send_signal(numbers[0])
    stack.until(lambda: "stopping: what runs may go on" in stack.log("w"))
    worker.send_signal(numbers[1])
    worker.wait(15)
    stack.until(lambda: not any(child.is_running() for child in children), 5)
    assert stack.client.llen(priority_key("default_queue", 5)) == 4
    assert not stack.client.exists(keys.in_flight_key("w@test"))
    assert [stack.count(f"started:{name}") for name in names] == [1, 0, 0, 0]
    assert stack.client.hgetall(keys.LEASES) == {}


def test_a_run_goes_on_and_is_acknowledged_when_connections_are_cut(stack: Any) -> None:
    stack.worker()
    stack.publish("t.note", "long", 3)
    stack.until(lambda: stack.count("started:long"))
    for _ in range(5):
        stack.client.client_kill_filter(_type="normal", skipme=True)
        time.sleep(0.2)
    stack.until(lambda: stack.count("done:long") == 1)
    stack.until(lambda: not stack.client.hlen(keys.in_flight_key("w@test")))
    stack.publish("t.note", "after")
    stack.until(lambda: stack.count("done:after") == 1)
    assert stack.count("started:long") == 1


def test_what_waits_in_the_pool_is_put_back_when_the_connection_is_lost(stack: Any) -> None:
    stack.worker("w", "-c", "1", "--prefetch-multiplier", "8", "--max-tasks-per-child", "1")
    held, started = keys.in_flight_key("w@test"), keys.starts_key("w@test")
    for number in range(
        12
    ):  # for each child that it replaces, Celery's pool is given one run more than it has children
        stack.publish("t.note", f"before {number}")
    names = ["long", "a", "b", "c", "d"]
    for name in names:
        stack.publish("t.note", name, 1.5 if name == "long" else 0)
    stack.until(lambda: stack.count("started:long"))
    assert len(set(stack.client.hkeys(started)) & set(stack.client.hkeys(held))) > 2
    stack.client.client_kill_filter(_type="normal", skipme=True)
    stack.until(lambda: all(stack.count(f"done:{name}") for name in names))
    stack.until(lambda: not stack.client.hlen(held))
    assert [stack.count(f"started:{name}") for name in names] == [1] * len(names)


def test_a_run_without_enough_memory_fails_and_does_not_stay_in_flight(stack: Any) -> None:
    worker = stack.worker()
    result = stack.producer.send_task("t.memory", priority=5)
    stack.until(lambda: result.state == "FAILURE")
    stack.until(lambda: not stack.client.exists(keys.in_flight_key("w@test")))
    assert worker.poll() is None

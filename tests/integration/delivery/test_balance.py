"""The balance sheet, from three sources that know nothing of each other, as the command line prints it."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from benchmarks.faults.malformed import message
from celery_nexus.delivery import keys
from celery_nexus.queues import priority_key

FIGURES = (
    "submitted adopted foreign succeeded failed revoked dead deleted waiting in_flight delayed repeated again uncounted"
    " missing"
)


def sheet(stack: Any, *, code: int = 0) -> dict[str, int]:
    """Take the balance sheet; returns its figures that are not 0."""
    done = stack.nexus("doctor", "--balance", "--json", "--wait", "10")
    told = done.json
    assert done.code == code, done.out
    return {name: told[name] for name in FIGURES.split() if told[name]}


@pytest.fixture
def recorded(stack: Any) -> Any:
    """A stack with a recorder and an empty history."""
    for file in stack.home.glob("history.db*"):
        file.unlink()
    stack.run("-m", "celery_nexus.history.recorder", "-A", "config.celery_config", log="recorder.log")
    return stack


def test_every_way_that_a_run_can_go_is_on_the_sheet(recorded: Any) -> None:
    stack = recorded
    worker = stack.worker("w", "-c", "1")
    results = [stack.producer.send_task("t.add", (n, n), priority=5) for n in range(3)]
    results.append(stack.producer.send_task("t.nobody_knows", priority=5))
    results.append(stack.producer.send_task("t.again", ("r",), priority=5))
    results.append(stack.producer.send_task("t.add", (1, 1), priority=5, expires=-1))
    results.append(stack.app(ours=False).send_task("t.add", (1, 2)))
    stack.client.lpush(priority_key("default_queue", 5), b"garbage of somebody else")
    stack.until(lambda: all(result.ready() for result in results))
    stack.until(lambda: stack.client.zcard("nexus:dead") == 2)
    stack.publish("t.note", "later", countdown=60)
    stack.publish("t.note", "runs", 60)
    stack.until(lambda: stack.count("started:runs"))
    stack.publish("t.note", "waits")
    stack.app(ours=False).send_task("t.note", ("waits too",))
    gone = stack.publish("t.note", "deleted")
    worker.kill()
    assert stack.nexus("delete", gone, "--yes").code == 0
    expected = {"submitted": 10, "adopted": 1, "foreign": 1, "succeeded": 5, "revoked": 1, "dead": 1, "deleted": 1}
    assert sheet(stack) == expected | {"waiting": 2, "in_flight": 1, "delayed": 1, "uncounted": 1}
    assert stack.nexus("undo", "--yes").code == 0
    assert stack.nexus("purge", "default_queue", "--yes").code == 0
    del expected["foreign"]
    assert sheet(stack) == expected | {"deleted": 2, "in_flight": 1, "delayed": 1, "uncounted": 1}


def submit(stack: Any, run_id: str, times: int = 1) -> None:
    """Submit a run under an id, as an application with our settings does."""
    code = f"import delivery_tasks as t; [t.add.apply_async((1, 1), task_id={run_id!r}) for _ in range({times})]"
    stack.python("-c", code, is_well=True)


def long_ago(stack: Any, run_id: str) -> None:
    """Let the broker forget that a run was published, as it does after a minute."""
    assert stack.client.delete(keys.publication_key(run_id)) == 1


def test_an_id_that_is_submitted_again_is_accounted_for_at_each_stage(recorded: Any) -> None:
    stack = recorded
    submit(stack, "one")
    long_ago(stack, "one")
    submit(stack, "one", 2)  # the second within a minute: not counted
    assert sheet(stack) == {"submitted": 2, "waiting": 3, "repeated": 1, "again": 2}
    worker = stack.worker()
    stack.until(
        lambda: (
            not stack.client.llen(priority_key("default_queue", 5))
            and not stack.client.exists(keys.in_flight_key("w@test"))
        )
    )
    assert sheet(stack) == {"submitted": 2, "succeeded": 1, "repeated": 1}
    worker.kill()
    worker.wait(10)
    long_ago(stack, "one")
    submit(stack, "one")
    assert sheet(stack) == {"submitted": 3, "succeeded": 1, "repeated": 2, "waiting": 1, "again": 1}
    stack.worker()
    stack.until(lambda: not stack.client.llen(priority_key("default_queue", 5)))
    assert sheet(stack) == {"submitted": 3, "succeeded": 1, "repeated": 2}


def test_foreign_messages_of_one_id_and_a_dead_letter_that_is_tried_again_add_up(recorded: Any) -> None:
    stack = recorded
    worker = stack.worker()
    twin = message("t.add", (1, 2))
    other = json.loads(json.dumps(twin))
    other["properties"]["delivery_tag"] = "another"
    stack.client.lpush(priority_key("default_queue", 5), json.dumps(twin), json.dumps(other))
    stack.publish("t.unknown")
    stack.until(lambda: stack.client.zcard(keys.DEAD) == 1)
    stack.until(lambda: not stack.client.llen(priority_key("default_queue", 5)))
    assert sheet(stack) == {"submitted": 1, "adopted": 2, "succeeded": 1, "repeated": 1, "dead": 1}
    worker.kill()
    worker.wait(10)
    assert stack.nexus("dead-letters", "retry", "--all", "--yes").code == 0
    assert sheet(stack) == {"submitted": 1, "adopted": 2, "succeeded": 1, "repeated": 1, "waiting": 1}


def test_a_run_that_is_lost_is_named(recorded: Any) -> None:
    stack = recorded
    stack.worker()
    lost = stack.publish("t.note", "lost", 60)
    stack.until(lambda: stack.count("started:lost"))
    stack.client.delete(keys.in_flight_key("w@test"))
    done = stack.nexus("doctor", "--balance", "--wait", "1")
    assert done.code == 1
    assert "1 missing" in done.out
    assert f"{lost} t.note (STARTED)" in done.out


def test_it_says_that_the_recorder_is_down(stack: Any) -> None:
    stack.client.xadd("nexus:events", {"d": "{}"})
    done = stack.nexus("doctor", "--balance", "--wait", "0.5")
    assert done.code == 1
    assert "the recorder is behind or down" in done.out


def test_a_publication_that_is_tried_again_arrives_and_counts_once(stack: Any) -> None:
    app = stack.app()
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        known = message("t.note", ("once",))
        for _ in range(2):  # kombu keeps the properties when it tries again
            channel._put("default_queue", known)
    assert stack.client.llen(priority_key("default_queue", 5)) == 1
    assert stack.client.hget(keys.COUNTERS, keys.SUBMITTED) == b"1"


def test_an_adopted_message_is_counted_once_though_it_is_put_back(stack: Any) -> None:
    stack.app(ours=False).send_task("t.note", ("long", 60), priority=5)
    for starts in (1, 2):
        worker = stack.worker()
        stack.until(lambda starts=starts: stack.count("started:long") == starts)
        worker.kill()
        worker.wait(10)
    counters: dict[bytes, bytes] = stack.client.hgetall(keys.COUNTERS)
    assert counters[keys.ADOPTED.encode()] == b"1"


def test_a_broker_that_was_emptied_does_not_add_up_and_says_since_when_it_counts(recorded: Any) -> None:
    stack = recorded
    lost = ["one", "two", "three"]
    for run_id in lost:
        submit(stack, run_id)
    assert sheet(stack) == {"submitted": 3, "waiting": 3}
    stack.client.flushall()
    emptied = stack.nexus("doctor", "--balance", "--wait", "1")
    assert emptied.code == 1, emptied.out + emptied.err
    assert "3 open runs are older than this count, and nowhere" in emptied.out
    stack.publish("t.note", "after")
    told = stack.nexus("doctor", "--balance", "--wait", "1")
    assert told.code == 1
    assert "3 open runs are older than this count, which began at 20" in told.out
    assert all(f"{run_id} t.add (PENDING): nexus-tui task {run_id}" in told.out for run_id in lost)
    assert "nothing is lost" not in told.out


def test_a_sheet_that_adds_up_says_since_when(recorded: Any) -> None:
    recorded.publish("t.note", "waits")
    assert "✓ it adds up: nothing is lost since 20" in recorded.nexus("doctor", "--balance", "--wait", "1").out


@pytest.mark.parametrize("pool", ["prefork", "threads"])
@pytest.mark.parametrize(("task", "args", "end"), [("t.add", (1, 2), "succeeded"), ("t.length", (7,), "failed")])
def test_the_end_of_a_run_is_told_before_its_message_is_forgotten(
    recorded: Any, pool: str, task: str, args: tuple[int, ...], end: str
) -> None:
    stack = recorded
    stack.environment["NEXUS_TEST_DIE_AT_ACKNOWLEDGEMENT"] = "1"
    worker = stack.worker("w", "-P", pool, "-c", "1")
    stack.publish(task, *args, ignore_result=True)  # else its result would tell
    assert worker.wait(20) == -signal.SIGKILL
    assert not stack.client.exists(keys.in_flight_key("w@test"))
    assert sheet(stack) == {"submitted": 1, end: 1}

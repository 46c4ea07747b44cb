"""The reliable fetch, against a real broker and real workers."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from celery_nexus.delivery import keys

LIBFAKETIME = "/usr/$LIB/faketime/libfaketime.so.1"
"""Of the Debian package ``faketime``; the loader puts the machine's own folder in."""


def test_runs_a_task_of_our_own_and_of_a_plain_celery_producer(stack: Any) -> None:
    stack.worker()
    ours = stack.producer.send_task("t.add", (1, 2), priority=5)
    foreign = stack.app(ours=False).send_task("t.add", (3, 4))
    assert (ours.get(timeout=10), foreign.get(timeout=10)) == (3, 7)
    stack.until(lambda: not stack.client.exists(keys.in_flight_key("w@test")))


def test_consumes_all_ten_priorities_in_order(stack: Any) -> None:
    for priority in (9, 3, 0, 7, 1, 5, 8, 2, 6, 4):
        stack.publish("t.note", f"p{priority}", priority=priority)
    stack.worker("w", "-c", "1")
    stack.until(lambda: stack.client.llen("order") == 10)
    assert stack.client.lrange("order", 0, -1) == [f"p{n}".encode() for n in range(10)]


def test_a_delayed_message_waits_in_the_delayed_set_and_runs_when_due(stack: Any) -> None:
    stack.worker()
    stack.publish("t.note", "later", countdown=2)
    assert stack.client.zcard(keys.key_of_delayed("default_queue")) == 1
    time.sleep(1)
    assert stack.count("started:later") == 0
    stack.until(lambda: stack.count("done:later") == 1, 5)
    assert stack.client.zcard(keys.key_of_delayed("default_queue")) == 0


@pytest.mark.parametrize(("offset", "told"), [("-1h", "behind"), ("+1h", "ahead of")])
def test_a_countdown_goes_by_the_brokers_clock_whatever_the_workers_says_and_doctor_tells_the_difference(
    stack: Any, offset: str, told: str
) -> None:
    stack.environment |= {"LD_PRELOAD": LIBFAKETIME, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    stack.worker()
    before = stack.client.time()[0]
    stack.publish("t.note", "later", countdown=3)
    stack.publish("t.note", "alive", expires=600)
    stack.publish("t.again", "again")  # retries with a countdown that its worker counts
    stack.until(lambda: stack.count("done:alive") == 1)
    stack.until(lambda: stack.count("done:later") == 1)
    assert 2 <= stack.client.time()[0] - before <= 15
    stack.until(lambda: stack.count("started:again") == 3)
    for name in ("LD_PRELOAD", "FAKETIME"):
        del stack.environment[name]
    line = next(line for line in stack.nexus("doctor").out.splitlines() if "w@test is" in line)
    assert re.search(rf"3,(600|599)\.\d s {told} the broker", line)


def test_a_plain_producers_delayed_message_moves_to_the_delayed_set(stack: Any) -> None:
    stack.worker()
    stack.app(ours=False).send_task("t.note", ("later",), countdown=60, priority=3)
    member = stack.until(lambda: stack.client.zrange(keys.key_of_delayed("default_queue"), 0, -1))[0]
    assert keys.split_delayed_member(member)[0] == 3
    assert not stack.client.exists(keys.in_flight_key("w@test"))


def test_retries_with_a_countdown_succeed(stack: Any) -> None:
    stack.worker()
    assert stack.producer.send_task("t.again", ("r",), priority=5).get(timeout=10) == 2
    assert stack.count("started:r") == 3


def test_goes_on_after_the_server_forgot_its_scripts_and_everything_else(stack: Any) -> None:
    stack.worker()
    assert stack.producer.send_task("t.add", (1, 1), priority=5).get(timeout=10) == 2
    stack.client.flushall()
    stack.client.script_flush()
    assert stack.producer.send_task("t.add", (2, 2), priority=5).get(timeout=10) == 4


def test_a_group_and_a_chord_end(stack: Any) -> None:
    from celery import chord

    stack.worker()
    app = stack.producer
    header = [app.signature("t.add", (n, n), priority=5) for n in range(5)]
    result = chord(header, app=app)(app.signature("t.total", priority=5))
    assert result.get(timeout=15) == 20

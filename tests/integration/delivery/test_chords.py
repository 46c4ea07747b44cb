"""Chords that can't end any more are found, and finished."""

from __future__ import annotations

import json
from typing import Any

from celery import chord

from celery_nexus.connection.keys import RESULT_KEY
from celery_nexus.delivery.ends.chord_records import GROUP_KEY
from celery_nexus.queues import priority_key

LIST = priority_key("default_queue", 5)
PUBLISH = """
import delivery_tasks as t
from celery import chord
chord([t.add.s(n, n).set(task_id=f"{name}-{n}") for n in range(3)])(t.total.s().set(task_id=f"{name}-body"))
"""
"""A chord of our own application: who its members are is recorded."""


def publish(stack: Any, name: str) -> None:
    """Publish a chord ``NAME`` of three, whose sum is 6."""
    stack.python("-c", f"name = {name!r}\n{PUBLISH}", is_well=True)


def nexus(stack: Any, *arguments: str) -> Any:
    """Run ``nexus-tui … --json``."""
    return stack.nexus(*arguments, "--json").json


def state(stack: Any, run_id: str) -> str:
    """Read a state from the result backend."""
    raw = stack.client.get(RESULT_KEY + run_id)
    return str(json.loads(raw)["status"]) if raw else "PENDING"


def remove(stack: Any, run_id: str) -> None:
    """Lose a waiting message, as a broker does that was restored from an old file."""
    for raw in stack.client.lrange(LIST, 0, -1):
        if json.loads(raw)["headers"]["id"] == run_id:
            stack.client.lrem(LIST, 1, raw)


def test_doctor_names_chords_that_can_not_end_and_the_command_finishes_them(stack: Any) -> None:
    publish(stack, "lost")
    remove(stack, "lost-1")
    publish(stack, "uncalled")
    group = json.loads(stack.client.lrange(LIST, 0, 0)[0])["headers"]["group"]
    stack.client.set(f"{GROUP_KEY}{group}.c", "a worker that died", ex=8)
    publish(stack, "alive")
    stack.worker()
    stack.until(lambda: state(stack, "alive-body") == "SUCCESS")
    rows = stack.until(lambda: len(found := nexus(stack, "chords")) == 2 and found, 60)
    assert sorted(row["reason"] for row in rows) == [
        "1 of 3 parts were never counted (nowhere)",
        "all its parts are counted, and nobody called its body",
    ]
    finding = next(row for row in nexus(stack, "doctor")["findings"] if row["kind"] == "chords")
    assert (finding["severity"], finding["is_safe"]) == ("broken", True)
    assert finding["fix"].startswith("nexus-tui chords finish ")
    done = nexus(stack, "chords", "finish", *(row["group"] for row in rows), "--yes")
    assert [row["done"] for row in done] == [True, True]
    stack.until(lambda: state(stack, "uncalled-body") == "SUCCESS")
    assert (state(stack, "lost-body"), state(stack, "lost-1")) == ("FAILURE", "REVOKED")
    assert nexus(stack, "chords") == []


def test_what_a_chord_counts_outlives_the_results_by_far(stack: Any) -> None:
    publish(stack, "paused")
    [group] = stack.client.zrange("nexus:chords", 0, -1)
    assert stack.client.ttl(f"{GROUP_KEY}{group.decode()}.s") > 29 * 24 * 3600
    remove(stack, "paused-2")
    stack.worker()
    stack.until(lambda: state(stack, "paused-1") == "SUCCESS")
    for kind in (".s", ".j", ".d", ".b"):
        assert stack.client.ttl(f"{GROUP_KEY}{group.decode()}{kind}") > 29 * 24 * 3600


def test_a_chord_in_a_chord_keeps_the_results_that_it_still_needs(stack: Any) -> None:
    app = stack.app()
    inner = chord([app.signature("t.add", (n, n), priority=5) for n in range(2)], app.signature("t.total", priority=5))
    outer = chord([inner, app.signature("t.add", (1, 1), priority=5)], app=app)
    stack.worker()
    assert outer(app.signature("t.total", priority=5)).get(timeout=20) == 4


TWICE = """
import time
import delivery_tasks as t
from celery import chord
work = chord([t.add.s(n, n) for n in range(3)], t.note.si("body"))
work.freeze()
backend = t.celery_app.backend
size_it = backend.set_chord_size

def size_late(*arguments):
    time.sleep(1)  # as Celery does so before the last member: those before are done by now
    size_it(*arguments)

backend.set_chord_size = size_late
for turn in (1, 2):
    work.apply_async()
    while int(t.client().get("done:body") or 0) < turn:
        time.sleep(0.05)
"""


def test_a_frozen_chord_can_be_begun_again(stack: Any) -> None:
    stack.worker()
    stack.python("-c", TWICE, is_well=True)
    assert stack.count("done:body") == 2


LAZY = """
import time
import delivery_tasks as t
from celery import chord

def members():
    yield t.note.si("first")
    yield t.note.si("second")  # Celery publishes one when it has the next
    while not t.client().get("done:first"):
        time.sleep(0.05)
    yield t.note.si("last")

chord(members())(t.note.si("body"))
"""


def test_the_members_of_a_generator_run_while_it_makes_more(stack: Any) -> None:
    stack.worker()
    stack.python("-c", LAZY, is_well=True)
    stack.until(lambda: stack.count("done:body"))

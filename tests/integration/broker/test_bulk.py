"""Changing everything that matches a filter, its number frozen, beside workers and other operators."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from dataclasses import replace
from typing import Any

import pytest

from celery_nexus.actions.messages import ChangePriority, DeleteMessages, MoveMessages
from celery_nexus.actions.queues import Undo
from celery_nexus.actions.runs import Revoke
from celery_nexus.broker.bulk import list_rotation, lists
from celery_nexus.broker.edit.edits import Delete, Reprioritise
from celery_nexus.broker.read import select
from celery_nexus.errors import Invalid, Unreachable
from celery_nexus.queues import priority_key
from celery_nexus.rows.selection import Selection
from celery_nexus.sources import Sources
from celery_nexus.steps import Steps
from tests.harness.waiting import wait_until
from tests.integration.broker.conftest import NoHistory, Stack

# Celery's result backend calls what this redis-py has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")

QUEUE = "default_queue"
ODD = Selection(QUEUE, "args.1=odd")


@pytest.fixture
def sources(stack: Stack) -> Any:
    unused: Any = None
    return Sources(stack.broker(), stack.control(), NoHistory(), unused, unused, code=stack.code)  # type: ignore[arg-type]


@pytest.fixture
def laid_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let short lists be treated as the long ones are, a few messages in a step."""
    monkeypatch.setattr(list_rotation, "NEAR", 10)
    monkeypatch.setattr(list_rotation, "FEW", 5)
    monkeypatch.setattr(list_rotation, "RESERVE", 60)
    monkeypatch.setattr(list_rotation, "FIRST_STEP", 7)
    monkeypatch.setattr(list_rotation, "LARGEST_STEP", 40)
    monkeypatch.setattr(select, "CHUNK", 50)


def message(number: int, priority: int = 5, task: str = "tests.integration.broker.jobs.trace") -> str:
    run_id = str(uuid.uuid4())
    args = [number, "odd" if number % 2 else "even"]
    headers = {"id": run_id, "task": task, "root_id": run_id, "parent_id": None, "retries": 0, "eta": None,
               "expires": None, "lang": "py", "group": None, "origin": "t", "argsrepr": "()", "kwargsrepr": "{}",
               "timelimit": [None, None], "nexus_sent_at": 1.0}  # fmt: skip
    properties = {"correlation_id": run_id, "priority": priority, "body_encoding": "base64", "delivery_mode": 2,
                  "delivery_tag": str(uuid.uuid4()), "reply_to": str(uuid.uuid4()),
                  "delivery_info": {"exchange": QUEUE, "routing_key": QUEUE}}  # fmt: skip
    body = base64.b64encode(json.dumps([args[:1] if task.endswith("trace") else args, {}, {}]).encode()).decode()
    envelope = {"body": body, "content-encoding": "utf-8", "content-type": "application/json"}
    return json.dumps({**envelope, "headers": headers, "properties": properties})


def fill(stack: Stack, count: int, priority: int = 5, task: str = "other.task") -> list[bytes]:
    """Publish ``count`` messages and return them, the next to run first."""
    key = priority_key(QUEUE, priority)
    stack.redis.lpush(key, *(message(number, priority, task) for number in range(count)))
    return list(reversed(stack.redis.lrange(key, 0, -1)))


def order(stack: Stack, key: str) -> list[int]:
    """Numbers of the messages of a list in run order."""
    rows = reversed(stack.redis.lrange(key, 0, -1))
    return [json.loads(base64.b64decode(json.loads(raw)["body"]))[0][0] for raw in rows]


def odd(count: int) -> list[int]:
    return list(range(1, count, 2))


def even(count: int) -> list[int]:
    return list(range(0, count, 2))


def said(outcome: Any) -> str:
    [row] = outcome.targets
    return row.message


@pytest.mark.parametrize("how", ["direct", "laid over"])
@pytest.mark.parametrize(
    ("change", "target", "words"),
    [
        (lambda: DeleteMessages((), within=ODD), "", "deleted 150"),
        (lambda: MoveMessages((), "email_queue", within=ODD), priority_key("email_queue", 5), "moved 150"),
        (lambda: ChangePriority((), 8, within=ODD), priority_key(QUEUE, 8), "moved 150"),
        (lambda: ChangePriority((), 6, within=ODD), priority_key(QUEUE, 6), "moved 150"),
        (lambda: ChangePriority((), 2, True, within=ODD), priority_key(QUEUE, 2), "moved 150"),
        (lambda: ChangePriority((), 6, True, within=ODD), priority_key(QUEUE, 6), "moved 150"),
    ],
    ids=["delete", "move", "back", "back of the neighbour", "front", "front of the neighbour"],
)
def test_what_matches_is_changed_in_its_order_and_comes_back_to_its_place(
    stack: Stack, sources: Sources, request: pytest.FixtureRequest, how: str, change: Any, target: str, words: str
) -> None:
    if how == "laid over":
        request.getfixturevalue("laid_over")
    fill(stack, 300)
    before = stack.redis.lrange(priority_key(QUEUE, 5), 0, -1)
    outcome = change().run(sources)
    assert said(outcome) == words
    assert order(stack, priority_key(QUEUE, 5)) == even(300)
    assert target == "" or order(stack, target) == odd(300)
    Undo(outcome.undo).run(sources)
    assert stack.redis.lrange(priority_key(QUEUE, 5), 0, -1) == before
    assert not stack.redis.exists(target or "none")
    assert not list(stack.redis.scan_iter("nexus:bulk*"))


class CancelledAfter(Steps):
    """Ends a change once some messages were changed."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def advance(self, count: int) -> None:
        super().advance(count)
        if self.done >= self._count:
            self.stop("cancelled")


@pytest.mark.parametrize("how", ["direct", "laid over"])
@pytest.mark.parametrize(
    ("change", "target"),
    [
        (lambda: DeleteMessages((), within=ODD), ""),
        (lambda: MoveMessages((), "email_queue", within=ODD), priority_key("email_queue", 5)),
        (lambda: ChangePriority((), 2, True, within=ODD), priority_key(QUEUE, 2)),
        (lambda: ChangePriority((), 8, within=ODD), priority_key(QUEUE, 8)),
    ],
    ids=["delete", "move", "front", "back"],
)
def test_a_change_that_is_cancelled_says_what_was_done_and_leaves_the_rest_in_order(
    stack: Stack, sources: Sources, request: pytest.FixtureRequest, how: str, change: Any, target: str
) -> None:
    if how == "laid over":
        request.getfixturevalue("laid_over")
    key = priority_key(QUEUE, 5)
    fill(stack, 300)
    before = stack.redis.lrange(key, 0, -1)
    outcome = change().run(replace(sources, steps=CancelledAfter(40)))
    [row] = outcome.targets
    changed = dict(row.counts)["changed"]
    assert 40 <= changed < 150
    assert not row.done
    assert f"{changed} of 150, then stopped: cancelled; the same command does the other {150 - changed}" in row.message
    left = order(stack, key)
    assert left == sorted(left)
    assert len(left) == 300 - changed
    assert set(even(300)) <= set(left)
    assert target == "" or sorted([*order(stack, target), *left]) == list(range(300))
    assert not list(stack.redis.scan_iter("nexus:bulk*"))
    Undo(outcome.undo).run(sources)
    assert stack.redis.lrange(key, 0, -1) == before


def test_the_number_is_frozen_when_it_is_asked(stack: Stack, sources: Sources) -> None:
    fill(stack, 10)
    plan = DeleteMessages((), within=ODD).plan(sources)
    fill(stack, 10)
    assert plan.count == 5
    assert said(plan.action.run(sources)) == "deleted 5"
    assert stack.redis.llen(priority_key(QUEUE, 5)) == 15


def test_what_had_started_is_counted_and_the_rest_is_changed(stack: Stack, sources: Sources, laid_over: None) -> None:
    fill(stack, 200)
    plan = DeleteMessages((), within=ODD).plan(sources)
    stack.redis.rpop(priority_key(QUEUE, 5), 6)
    [row] = plan.action.run(sources).targets
    assert (row.done, row.message) == (True, "deleted 97, 3 had started")
    assert dict(row.counts) == {"matching": 100, "changed": 97, "kept": 0, "started": 3}


def test_messages_published_and_taken_meanwhile_keep_their_order(
    stack: Stack, sources: Sources, laid_over: None
) -> None:
    fill(stack, 400)
    frozen = sources.broker.freeze(ODD)
    taken: list[int] = []
    stop = threading.Event()

    def others() -> None:
        number = 1000
        while not stop.wait(0.002):
            stack.redis.lpush(priority_key(QUEUE, 5), message(number, 5, "other.task"))
            number += 2
            for step in (5, 6) if len(taken) < 50 else ():  # never more than what is not laid over
                if raw := stack.redis.rpop(priority_key(QUEUE, step)):
                    taken.append(json.loads(base64.b64decode(json.loads(raw)["body"]))[0][0])
                    break

    thread = threading.Thread(target=others)
    thread.start()
    try:
        progress = sources.broker.apply_all(frozen, Delete())
    finally:
        stop.set()
        thread.join()
    left = order(stack, priority_key(QUEUE, 5)) + order(stack, priority_key(QUEUE, 6))
    assert progress.changed + sum(number % 2 for number in taken) == 200
    everything = taken + left
    assert everything == sorted(everything)
    assert set(even(400)) < set(everything)
    assert len(set(everything)) == len(everything)


@pytest.mark.parametrize("front", [False, True], ids=["deleted", "brought to the front"])
def test_what_is_published_waits_behind_what_is_laid_over_though_all_that_runs_next_is_taken_out(
    stack: Stack, sources: Sources, laid_over: None, monkeypatch: pytest.MonkeyPatch, front: bool
) -> None:
    fill(stack, 300)
    key, later = priority_key(QUEUE, 5), priority_key(QUEUE, 6)
    original, taken, published = lists.Lists.lay, list[int](), 1000

    def lay(self: Any, back: bool, *args: Any, **options: Any) -> Any:
        nonlocal published
        stack.redis.lpush(key, message(published, 5, "other.task"))
        published += 1
        for _ in range(2 if back else 0):  # a worker looks into one list after the other
            if raw := stack.redis.rpop(key) or stack.redis.rpop(later):
                taken.append(json.loads(base64.b64decode(json.loads(raw)["body"]))[0][0])
        return original(self, back, *args, **options)

    monkeypatch.setattr(lists.Lists, "lay", lay)
    within = Selection(QUEUE, "args.0<100 OR args.0=*7*")
    action = ChangePriority((), 2, True, within=within) if front else DeleteMessages((), within=within)
    action.run(sources)
    assert taken
    everything = taken + order(stack, key) + order(stack, later)
    assert everything == sorted(everything)


def test_an_interrupted_change_leaves_every_message_where_workers_look(
    stack: Stack, sources: Sources, laid_over: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(stack, 300)
    original, calls = lists.Lists.lay, 0

    def lay(self: Any, *args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 6:
            raise Unreachable("the broker does not answer")
        return original(self, *args, **options)

    monkeypatch.setattr(lists.Lists, "lay", lay)
    outcome = ChangePriority((), 8, within=ODD).run(sources)
    assert said(outcome) == (
        "moved 0 of 150, then stopped: the broker does not answer; the same command does the other 150"
    )
    assert not outcome.done
    assert order(stack, priority_key(QUEUE, 5)) + order(stack, priority_key(QUEUE, 6)) == list(range(300))
    assert stack.redis.llen(priority_key(QUEUE, 6)) > 0
    monkeypatch.setattr(lists.Lists, "lay", original)
    stack.redis.delete(f"nexus:bulk:{priority_key(QUEUE, 5)}")  # as after half a minute
    assert said(ChangePriority((), 8, within=ODD).run(sources)) == "moved 150"
    assert order(stack, priority_key(QUEUE, 5)) == even(300)
    assert order(stack, priority_key(QUEUE, 8)) == odd(300)
    assert not stack.redis.exists(priority_key(QUEUE, 6))


def test_two_operators_at_once_change_each_message_once(stack: Stack, sources: Sources) -> None:
    fill(stack, 100)
    mine, theirs = sources.broker.freeze(ODD), stack.broker().freeze(ODD)
    first = sources.broker.apply_all(mine, Reprioritise(3))
    second = stack.broker().apply_all(theirs, Reprioritise(4))
    assert (first.changed, second.changed, second.gone) == (50, 0, 50)
    assert order(stack, priority_key(QUEUE, 3)) == odd(100)


def test_a_second_operator_waits_while_a_long_list_is_changed(stack: Stack, sources: Sources, laid_over: None) -> None:
    fill(stack, 100)
    stack.redis.set(f"nexus:bulk:{priority_key(QUEUE, 5)}", "somebody", ex=30)
    outcome = DeleteMessages((), within=ODD).run(sources)
    assert "another operator is changing default_queue, priority 5, in bulk" in said(outcome)
    assert stack.redis.llen(priority_key(QUEUE, 5)) == 100


def test_revoking_what_matches_is_told_to_who_waits_for_a_result(stack: Stack, sources: Sources) -> None:
    runs = [json.loads(raw)["headers"]["id"] for raw in fill(stack, 6)]
    assert said(Revoke((), within=ODD).run(sources)) == "revoked 3"
    assert {run_id for run_id in runs if stack.app.AsyncResult(run_id).state == "REVOKED"} == set(runs[1::2])
    assert stack.redis.zcard("nexus:revoked") == 3


def test_what_can_not_be_changed_is_counted_with_its_reason(stack: Stack, sources: Sources) -> None:
    fill(stack, 4)
    stack.redis.lpush(priority_key(QUEUE, 5), "not JSON")
    assert said(ChangePriority((), 7, within=Selection(QUEUE)).run(sources)) == (
        "moved 4, 1 not a message of Celery: not a JSON object"
    )
    assert stack.redis.lrange(priority_key(QUEUE, 5), 0, -1) == [b"not JSON"]
    assert said(ChangePriority((), 7, within=Selection(QUEUE)).run(sources)).startswith("moved 0")


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 8), ("task:other", 6), ("priority:2", 2), ("waited:>1d", 8), ("state:retry", 0), ("-args.0=3 task:other", 5)],
)
def test_the_filter_is_the_one_of_the_history(stack: Stack, sources: Sources, text: str, count: int) -> None:
    fill(stack, 6)
    fill(stack, 2, 2, "third.task")
    frozen = sources.broker.freeze(Selection(QUEUE, text))
    assert (frozen.count, frozen.waiting) == (count, 8)


def test_a_wrong_filter_says_where(sources: Sources) -> None:
    with pytest.raises(Invalid, match=r"\(at \d+\)"):
        sources.broker.freeze(Selection(QUEUE, "nonsense:3"))


def test_beside_working_workers_each_run_happens_once_or_is_deleted(
    stack: Stack, sources: Sources, laid_over: None
) -> None:
    count = 600
    fill(stack, count, 5, "tests.integration.broker.jobs.trace")
    frozen = sources.broker.freeze(Selection(QUEUE, "task:trace"))
    stack.worker(QUEUE, 2)
    progress = sources.broker.apply_all(frozen, Reprioritise(6))
    wait_until(lambda: len(stack.executions()) == count, timeout_s=60)
    assert progress.problem == ""
    assert set(stack.executions().values()) == {1}


def test_what_workers_take_while_the_next_messages_are_read_hides_none(
    stack: Stack, sources: Sources, laid_over: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(stack, 300)
    original, taken = lists.Lists.rows, list[int]()

    def rows(self: Any, key: str, *place: int) -> list[bytes]:
        raw = stack.redis.rpop(key) if key == priority_key(QUEUE, 5) else None
        if raw and len(taken) < 20:
            taken.append(json.loads(base64.b64decode(json.loads(raw)["body"]))[0][0])
        elif raw:
            stack.redis.rpush(key, raw)
        return original(self, key, *place)

    monkeypatch.setattr(lists.Lists, "rows", rows)
    outcome = DeleteMessages((), within=ODD).run(sources)
    started = sum(number % 2 for number in taken)
    assert said(outcome) == f"deleted {150 - started}, {started} had started"
    assert order(stack, priority_key(QUEUE, 5)) == even(300)[len(taken) - started :]

"""What a message announces is read, whoever wrote it, and kept in a short form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from celery import Celery, chain, chord, group

from celery_nexus.canvas import MAX_STEPS, decode_plan, encode_plan, read_plan, read_step, walk_plan
from celery_nexus.rows.workflows import Plan, Step


@pytest.fixture
def app() -> Celery:
    app = Celery("canvas", set_as_current=False, broker="memory://", backend="cache+memory://")
    app.task(name="add")(_task)
    app.task(name="total")(_task)
    return app


def _task(value: Any) -> Any:
    return value


def sent(canvas: Any) -> Any:
    """What a chain's first message carries of the rest, as it is written in JSON."""
    canvas.freeze()
    tasks, _ = canvas._frozen
    return json.loads(json.dumps({"chain": tasks[:-1]}))


def test_a_chain_is_told_last_first_and_read_next_first(app: Celery) -> None:
    add = app.tasks["add"]
    plan = read_plan(sent(chain(add.s(1), add.s(2).set(task_id="b"), add.s(3).set(task_id="c"), app=app)))
    assert [(step.task, step.id) for step in plan.chain] == [("add", "b"), ("add", "c")]


def test_a_chord_in_a_chain_has_members_and_body(app: Celery) -> None:
    add, total = app.tasks["add"], app.tasks["total"]
    (step,) = read_plan(sent(chain(add.s(1), chord([add.s(n) for n in range(3)], total.s(), app=app), app=app))).chain
    assert (step.kind, step.size, [member.task for member in step.members]) == ("chord", 3, ["add"] * 3)
    assert step.body is not None and step.body.task == "total"
    assert step.id


def test_a_group_is_read_as_it_is_in_memory(app: Celery) -> None:
    step = read_step(group([app.tasks["add"].s(1), app.tasks["add"].s(2)], app=app))
    assert step is not None
    assert (step.kind, step.size) == ("group", 2)


def test_of_large_groups_the_number_is_kept() -> None:
    step = read_step({"task": "celery.group", "kwargs": {"tasks": [{"task": "add"}] * 10_000}, "subtask_type": "group"})
    assert step is not None
    assert (step.size, len(step.members)) == (10_000, MAX_STEPS - 1)


def test_the_short_form_is_read_as_it_was_written() -> None:
    body = Step("chain", "", "", "", (Step("task", "d", "total"), Step("task", "e", "add")), 2)
    chord_ = Step("chord", "g", "", "up", (Step("task", "m", "add", "g"),), 1, body)
    plan = Plan((Step("task", "b", "add"), chord_), body, (Step("task", "c", "add"),), (Step("task", "x", "alarm"),))
    assert decode_plan(encode_plan(plan)) == plan
    assert [step.id for step in walk_plan(plan) if step.kind == "task"] == ["b", "m", "d", "e", "c", "x", "d", "e"]


def test_nothing_is_kept_where_nothing_follows() -> None:
    assert encode_plan(read_plan({"callbacks": None, "errbacks": None, "chain": None, "chord": None})) == ""


def test_arguments_are_not_kept() -> None:
    embed = {"chain": [{"task": "add", "args": ["s3cret"], "kwargs": {"password": "s3cret"}, "options": {}}]}
    assert "s3cret" not in encode_plan(read_plan(embed))


@pytest.mark.parametrize(
    "embed",
    [
        None,
        [],
        "chain",
        {"chain": "a"},
        {"chain": [1, None, {"task": 3}, {}]},
        {"chord": []},
        {"chord": {"task": "celery.chord", "kwargs": []}},
        {"callbacks": {"task": "add"}},
    ],
)
def test_what_makes_no_sense_announces_nothing(embed: Any) -> None:
    assert [step.task for step in walk_plan(read_plan(embed)) if step.task] == []


@pytest.mark.parametrize("text", ["", "[", "[]", "1", '{"n": 1}', '{"n": [["t"]]}', '{"b": ["z", "", "", ""]}'])
def test_a_short_form_that_makes_no_sense_announces_nothing(text: str) -> None:
    assert decode_plan(text) == Plan()


def test_signatures_nested_in_each_other_without_end_are_cut() -> None:
    signature: dict[str, Any] = {"task": "add"}
    for _ in range(500):
        signature = {"task": "celery.chain", "subtask_type": "chain", "kwargs": {"tasks": [signature]}}
    assert len(list(walk_plan(read_plan({"chain": [signature]})))) < 20

"""Celery's consumer with message validation, without a broker: requests, connections, and what is set aside."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery import Celery
from celery.exceptions import NotRegistered
from celery.worker.request import Request as CeleryRequest

from celery_nexus.delivery import validation
from celery_nexus.delivery.ends.private_records import PrivateRequest
from celery_nexus.delivery.keys import FetchedTag
from celery_nexus.delivery.worker import consumer as consumer_module
from celery_nexus.delivery.worker.batch_request import BatchItemRequest
from celery_nexus.delivery.worker.consumer import MAX_CHANCES, MAX_REMEMBERED, REFUSED_PAUSE_S, Consumer
from celery_nexus.delivery.worker.request import Request

TAG = FetchedTag("001 q")


class TheirRequest(CeleryRequest):
    """A class of requests that somebody's task names."""


@pytest.fixture
def worker() -> Any:
    made: Any = Consumer.__new__(Consumer)
    made._orders, made._failures = consumer_module.deque(), consumer_module.Counter()
    made.app = Celery("t", set_as_current=False)
    made.hub = None
    return made


# Requests


@pytest.mark.parametrize("kind", [CeleryRequest, PrivateRequest, Request])
def test_a_task_without_requests_of_its_own_gets_ours(kind: type[Any]) -> None:
    assert consumer_module._with_our_rules(kind) is Request


@pytest.mark.parametrize("kind", [BatchItemRequest, TheirRequest])
def test_a_class_of_a_tasks_own_keeps_what_it_does_on_top_of_ours(kind: type[Any]) -> None:
    made = consumer_module._with_our_rules(kind)
    assert issubclass(made, kind)
    assert issubclass(made, Request)
    assert made is consumer_module._with_our_rules(kind)


# Connections


def test_while_the_broker_is_away_it_is_tried_every_two_seconds(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    connection = SimpleNamespace(ensure_connection=lambda *args, **options: asked.append((args, options)))
    monkeypatch.setattr(consumer_module._Consumer, "ensure_connected", lambda _self, conn: conn.ensure_connection(1))
    worker.ensure_connected(connection)
    assert asked == [((1,), {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2})]


@pytest.mark.parametrize(
    ("problem", "pause"), [(redis.ResponseError("NOPERM"), [REFUSED_PAUSE_S]), (redis.ConnectionError("gone"), [])]
)
def test_a_broker_that_refuses_is_left_alone_for_a_moment(
    worker: Any, monkeypatch: pytest.MonkeyPatch, problem: Exception, pause: list[float]
) -> None:
    slept: list[float] = []
    given: list[Any] = []
    monkeypatch.setattr(consumer_module.time, "sleep", slept.append)
    monkeypatch.setattr(
        consumer_module._Consumer, "on_connection_error_after_connected", lambda _self, exc: given.append(exc)
    )
    worker.on_connection_error_after_connected(problem)
    assert (slept, given) == (pause, [problem])


@pytest.fixture
def closing(worker: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A worker that lost its connection with three runs; ``done`` is what happens, in its order."""
    done: list[Any] = []

    class OneRun(Request):
        def __init__(self, name: str, *, is_handed_over: bool, is_held: bool) -> None:
            self.name, self.given, self.held = name, is_handed_over, is_held

        def __hash__(self) -> int:
            return hash(self.name)

        @property
        def is_handed_over(self) -> bool:
            return self.given

        def forget_start(self) -> None:
            done.append(("did not start", self.name))

    @contextmanager
    def keep_written(_pool: Any) -> Generator[None]:
        done.append("keep")
        yield
        done.append("kept")

    runs = [
        OneRun("goes on", is_handed_over=True, is_held=True),
        OneRun("was dropped", is_handed_over=True, is_held=False),
        OneRun("waits", is_handed_over=False, is_held=False),
    ]
    monkeypatch.setattr(consumer_module.state, "reserved_requests", [*runs, "of another transport"])
    monkeypatch.setattr(consumer_module.state, "task_reserved", lambda request: done.append(("goes on", request.name)))
    monkeypatch.setattr(consumer_module._Consumer, "on_close", lambda _self: done.append("Celery forgets"))
    monkeypatch.setattr(consumer_module.children, "keep_written", keep_written)
    monkeypatch.setattr(consumer_module.children, "holds", lambda _pool, request: request.held)
    monkeypatch.setattr(consumer_module.children, "has_processes", lambda pool: pool == "processes")
    worker.pool, worker.done = "processes", done
    return worker


def test_what_a_child_has_goes_on_without_the_connection_and_what_was_dropped_did_not_start(closing: Any) -> None:
    closing.on_close()
    assert closing.done == [
        "keep", "Celery forgets", "kept", ("goes on", "goes on"), ("did not start", "was dropped"),
    ]  # fmt: skip


def test_a_pool_without_child_processes_forgets_as_celery_does(closing: Any) -> None:
    closing.pool = "threads"
    closing.on_close()
    assert closing.done == ["Celery forgets"]


@pytest.mark.parametrize(
    ("problem", "is_tried_again"),
    [(redis.ConnectionError("gone"), True), (OSError("reset"), True), (KeyError("q"), False)],
)
def test_a_queue_that_can_not_be_consumed_from_is_not_tried_again_at_the_next_connection(
    worker: Any, monkeypatch: pytest.MonkeyPatch, problem: Exception, is_tried_again: bool
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise problem

    left: list[Any] = []
    monkeypatch.setattr(consumer_module._Consumer, "add_task_queue", fail)
    monkeypatch.setattr(worker.app.amqp.queues, "deselect", left.append)
    with pytest.raises(type(problem)):
        worker.add_task_queue("q")
    assert left == ([] if is_tried_again else [["q"]])


# Orders


@pytest.mark.parametrize("problem", [redis.ConnectionError("gone"), redis.TimeoutError("slow"), OSError("reset")])
def test_an_order_that_meets_a_lost_connection_leaves_the_others_for_the_next(worker: Any, problem: Exception) -> None:
    def fail() -> None:
        raise problem

    done: list[int] = []
    worker._orders.extend([fail, lambda: done.append(1)])
    with pytest.raises(type(problem)):
        worker._obey()
    worker._obey()
    assert done == [1]


def test_an_order_that_fails_ends_no_worker_and_keeps_up_no_other(
    worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise TypeError("not an order")

    done: list[int] = []
    worker._orders.extend([fail, lambda: done.append(1)])
    worker._obey()
    assert done == [1]
    assert "can't obey" in caplog.text


# Setting aside


class Held:
    """A channel whose worker holds one message; notes what becomes of it."""

    def __init__(self, raw: bytes | None) -> None:
        self.done: list[Any] = []
        self.key, self.prefix = "held", "p:"
        self.client = SimpleNamespace(hget=lambda key, tag: raw if (key, tag) == ("held", TAG) else b"another")
        self.in_flight, self.qos = self, self

    def set_aside(self, tag: Any, reason: str, detail: str, **facts: Any) -> None:
        self.done.append((tag, reason, detail, facts))

    def forget(self, tag: Any) -> None:
        self.done.append(tag)


def message(raw: bytes | None = b'{"headers": {"id": "r1", "task": "t.x"}}', tag: Any = TAG) -> Any:
    return SimpleNamespace(channel=Held(raw), delivery_tag=tag, headers={"id": "r1", "task": "t.x"})


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    carried: list[Any] = []
    monkeypatch.setattr(consumer_module, "carry_out_what_can_be", lambda *asked: carried.append(asked))
    return carried


def test_what_is_set_aside_is_named_and_its_run_ends(worker: Any, ended: list[Any]) -> None:
    made = message()
    worker.set_aside(made, "malformed", ValueError("odd"))
    facts = {"id": "r1", "task": "t.x"}
    assert made.channel.done == [(TAG, "malformed", "ValueError: odd", facts), TAG]
    assert ended == [(worker.app, made.channel.client, "p:")]


def test_what_validation_says_needs_no_type(worker: Any, ended: list[Any]) -> None:
    made = message()
    worker.set_aside(made, "malformed", validation.Malformed("no body"))
    assert made.channel.done[0][2] == "no body"


@pytest.mark.parametrize("raw", [None, b"garbage"])
def test_what_can_not_be_read_any_more_is_set_aside_without_a_name(worker: Any, ended: list[Any], raw: Any) -> None:
    made = message(raw)
    worker.set_aside(made, "malformed", ValueError("odd"))
    assert made.channel.done[0][3] == {"id": None, "task": None}


def test_what_did_not_come_from_a_queue_is_dropped(
    worker: Any, ended: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    made = message(tag="plain")
    worker.set_aside(made, "malformed", ValueError("odd"))
    assert (made.channel.done, ended) == ([], [])
    assert "dropped a malformed message: odd" in caplog.text


@pytest.mark.parametrize(
    ("find_out", "reason", "detail"),
    [
        (lambda worker, made: worker.on_decode_error(made, ValueError("x")), "malformed", "ValueError: x"),
        (lambda worker, made: worker.on_unknown_message({}, made), "malformed", "ValueError: no task"),
        (lambda worker, made: worker.on_invalid_task({}, made, KeyError("id")), "malformed", "KeyError: 'id'"),
        (lambda worker, made: worker.on_unknown_task({}, made, KeyError("x")), "unknown task", "NotRegistered: 't.x'"),
    ],
)
def test_each_thing_that_celery_finds_has_its_reason(
    worker: Any, ended: list[Any], find_out: Any, reason: str, detail: str
) -> None:
    made = message()
    find_out(worker, made)
    assert made.channel.done[0][1:3] == (reason, detail)


def test_an_unknown_task_without_a_name_is_called_by_what_celery_says(worker: Any, ended: list[Any]) -> None:
    made = message()
    made.headers = {}
    worker.on_unknown_task({}, made, NotRegistered("t.y"))
    assert "t.y" in made.channel.done[0][2]


def test_failures_of_a_message_are_counted_anew_once_it_was_set_aside(worker: Any, ended: list[Any]) -> None:
    made, put = message(), []
    made.reject = lambda requeue: put.append(requeue)
    for _ in range(2 * MAX_CHANCES):
        worker._give_another_chance(made, RuntimeError("always"))
    assert put == [True] * 2 * (MAX_CHANCES - 1)
    assert [done[1] for done in made.channel.done[::2]] == ["poisoned"] * 2


def test_failures_of_very_many_messages_are_forgotten(worker: Any) -> None:
    made = message()
    made.reject = lambda requeue: None
    for number in range(MAX_REMEMBERED + 1):
        made.headers = {"id": f"r{number}"}
        worker._give_another_chance(made, RuntimeError("always"))
    assert len(worker._failures) == 0
    worker._give_another_chance(made, RuntimeError("always"))
    assert len(worker._failures) == 1

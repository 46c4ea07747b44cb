"""The end of a run: what is told before its message is forgotten, and a start that came to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from billiard.exceptions import WorkerLostError
from celery.exceptions import Ignore, Reject
from celery.worker import request as celery_request
from celery.worker import state

from celery_nexus.delivery.worker import request as request_module
from celery_nexus.delivery.worker.request import Request
from tests.unit.delivery.one_run import FOREIGN, TAG, Run

CHILDREN = SimpleNamespace(uses_semaphore=True, signal_safe=True, is_green=False, apply_async=None)


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.fixture(autouse=True)
def states() -> Iterator[None]:
    yield
    worker_state: Any = state
    worker_state.reset_state()


@pytest.fixture
def given_up(monkeypatch: pytest.MonkeyPatch) -> Any:
    """How rescue was asked about a start that came to nothing; ``answer`` is what it answers."""
    asked = SimpleNamespace(calls=[], answer=True)

    def give_up_or_restore(_app: Any, _in_flight: Any, tag: Any, raw: bytes, **facts: Any) -> bool:
        asked.calls.append((tag, raw, facts))
        if isinstance(asked.answer, Exception):
            raise asked.answer
        return asked.answer

    monkeypatch.setattr(request_module.rescue, "give_up_or_restore", give_up_or_restore)
    return asked


@pytest.mark.parametrize("kind", [Request, None], ids=["as shipped", "as Celery makes it for a task"])
def test_the_end_is_told_before_the_message_is_forgotten(kind: type[Any] | None) -> None:
    celerys: Any = celery_request
    listens: Any = SimpleNamespace(enabled=True)
    run = Run(kind=kind or celerys.create_request_cls(Request, Run().task, CHILDREN, "w", listens))
    run.request.on_success((False, "result", 0.1))
    assert run.done == ["task-succeeded", ("acknowledge", TAG)]
    assert run.request.acknowledged


def test_a_failure_is_told_before_the_message_is_forgotten(run: Run) -> None:
    run.fail(ValueError("wrong"))
    assert run.done == ["task-failed", ("acknowledge", TAG)]


def test_a_message_is_forgotten_once(run: Run) -> None:
    run.request.on_success((False, "result", 0.1))
    run.request.acknowledge()
    assert run.done.count(("acknowledge", TAG)) == 1


def test_where_acknowledgements_go_together_one_is_sent_at_once_all_the_same(run: Run) -> None:
    run.channel.call_soon = lambda *_: None
    run.request._on_ack = lambda *_: run.done.append("by Celery")
    run.request.acknowledge()
    run.request.acknowledge()
    assert run.done == [("acknowledge", TAG)]


def test_what_ignores_its_end_is_acknowledged(run: Run) -> None:
    run.fail(Ignore())
    assert run.done == [("acknowledge", TAG)]


def test_an_error_over_memory_is_a_failure_of_the_run_alone(run: Run) -> None:
    run.fail(MemoryError("too much"))
    assert run.done == ["task-failed", ("acknowledge", TAG)]


# What comes to nothing


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (WorkerLostError("signal 9"), "child"),
        (SystemExit(3), "child"),
        (KeyboardInterrupt(), "child"),
        (Reject(requeue=True), "rejected"),
    ],
)
def test_a_start_in_vain_is_counted_by_what_died(run: Run, given_up: Any, error: BaseException, lost: str) -> None:
    run.task.reject_on_worker_lost = True
    run.fail(error)
    assert given_up.calls == [(TAG, b"raw", {"lost": lost, "progress": 7.0})]
    assert run.done == [("forget", TAG), ("task-rejected", True)]
    assert run.request.acknowledged


def test_what_is_set_aside_was_not_put_back(run: Run, given_up: Any) -> None:
    given_up.answer = False
    run.request.reject(requeue=True)
    assert run.done == [("forget", TAG)]


def test_what_is_not_held_any_more_is_nobodys(run: Run, given_up: Any) -> None:
    run.channel.raw = None
    run.request.reject(requeue=True)
    assert (given_up.calls, run.done, run.request.acknowledged) == ([], [], True)


def test_a_rejection_for_good_is_told_and_acknowledged(run: Run, given_up: Any) -> None:
    run.request.reject()
    assert run.done == [("task-rejected", False), ("acknowledge", TAG)]
    assert given_up.calls == []


def test_what_was_dealt_with_is_not_rejected_again(run: Run, given_up: Any) -> None:
    run.request.acknowledged = True
    run.request.reject(requeue=True)
    run.request.reject(requeue=False)
    assert (given_up.calls, run.done) == ([], [])


@pytest.mark.parametrize("problem", [redis.ConnectionError("away"), OSError("away")])
def test_without_a_broker_it_stays_in_flight(
    run: Run, given_up: Any, problem: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    given_up.answer = problem
    run.request.reject(requeue=True)
    assert "stays in flight until the broker is back: away" in caplog.text
    assert run.done == []


@pytest.mark.parametrize("requeue", [True, False])
def test_another_transports_message_is_rejected_as_celery_does(given_up: Any, requeue: bool) -> None:
    run = Run(FOREIGN)
    run.request.reject(requeue=requeue)
    assert given_up.calls == []
    assert ("task-rejected", requeue) in run.done
    assert ("reject", FOREIGN, requeue) in run.done

"""Whether a fetched run may start, when it asks, and its times by the broker's clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery.exceptions import TaskRevokedError
from celery.worker import state

from celery_nexus.delivery.worker import request as request_module
from celery_nexus.delivery.worker.request import Request
from tests.unit.delivery.one_run import FOREIGN, TAG, Run

CHILDREN = SimpleNamespace(uses_semaphore=True, signal_safe=True, is_green=False, apply_async=None)
SOLO = SimpleNamespace(uses_semaphore=False, signal_safe=True, is_green=False)
THREADS = SimpleNamespace(uses_semaphore=False, signal_safe=False, is_green=False)
GREENLETS = SimpleNamespace(uses_semaphore=False, signal_safe=False, is_green=True)
LATER = "given to others"


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.fixture(autouse=True)
def states() -> Iterator[None]:
    yield
    worker_state: Any = state
    worker_state.reset_state()


# Whether it may start


def test_what_is_still_ours_starts(run: Run) -> None:
    assert run.request.may_start()
    assert (run.done, run.request.acknowledged) == ([("start", TAG)], False)


def test_what_was_given_to_others_is_dropped(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    state.task_reserved(run.request)
    run.channel.may_start = False
    assert not run.request.may_start()
    assert run.done == [("start", TAG), ("forget", TAG)]
    assert run.request.acknowledged
    assert run.request not in state.reserved_requests
    assert "is dropped: it was given to others while this worker did not answer" in caplog.text


@pytest.mark.parametrize("problem", [redis.ConnectionError("away"), OSError("away")])
def test_of_what_nobody_knows_whose_it_is_goes_back(
    run: Run, problem: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    run.channel.may_start = problem
    assert not run.request.may_start()
    assert run.done == [("start", TAG), ("restore later", TAG), ("forget", TAG)]
    assert "whether it is still ours is unknown: away" in caplog.text


def test_another_transports_message_starts_unasked() -> None:
    run = Run(FOREIGN)
    assert run.request.may_start()
    assert run.done == []


# When it asks


class Handing(Request):
    """A task's own class of requests, which only notes that it hands over."""

    def execute_using_pool(self, pool: Any, **_: Any) -> str:
        assert pool
        return "handed over"


@pytest.mark.parametrize("pool", [CHILDREN, SOLO])
def test_what_starts_at_once_asks_at_once(pool: Any) -> None:
    run = Run(kind=Handing)
    assert run.request.execute_using_pool(pool) == "handed over"
    assert run.done == [("start", TAG)]


def test_a_child_is_free_for_others_when_it_is_not() -> None:
    run = Run(kind=Handing)
    run.channel.may_start = False
    with pytest.raises(TaskRevokedError, match="r1"):
        run.request.execute_using_pool(CHILDREN)


def test_of_a_revoked_run_no_start_is_noted() -> None:
    run = Run(kind=Handing)
    run.request.revoked = lambda: True
    assert run.request.execute_using_pool(CHILDREN) == "handed over"
    assert run.done == []


@pytest.mark.parametrize("pool", [THREADS, GREENLETS])
def test_what_waits_for_a_thread_asks_when_it_has_one(pool: Any) -> None:
    run = Run(kind=Handing)
    assert run.request.execute_using_pool(pool) == "handed over"
    assert run.done == []
    run.request.on_accepted(1, 0.0)
    assert run.done == [("start", TAG), "task-started"]


def test_a_thread_does_not_begin_what_others_have() -> None:
    run = Run(kind=Handing)
    run.channel.may_start = False
    run.request.execute_using_pool(THREADS)
    with pytest.raises(TaskRevokedError, match=LATER):
        run.request.on_accepted(1, 0.0)


def test_a_greenlet_ends_without_a_word() -> None:
    greenlet = pytest.importorskip("greenlet")
    run = Run(kind=Handing)
    run.channel.may_start = False
    run.request.execute_using_pool(GREENLETS)
    with pytest.raises(greenlet.GreenletExit):
        run.request.on_accepted(1, 0.0)


def test_a_child_does_not_ask_twice() -> None:
    run = Run(kind=Handing)
    run.request.execute_using_pool(CHILDREN)
    run.request.on_accepted(1, 0.0)
    assert run.done == [("start", TAG), "task-started"]


@pytest.mark.parametrize(
    ("tag", "held", "is_handed_over"), [(TAG, TAG, True), (TAG, "", False), (FOREIGN, FOREIGN, False)]
)
def test_what_the_pool_was_given_is_known_by_its_tag(tag: Any, held: Any, is_handed_over: bool) -> None:
    run = Run(tag)
    run.channel.handed_over = frozenset({held})
    assert run.request.is_handed_over is is_handed_over


def test_what_the_pool_dropped_did_not_start(run: Run) -> None:
    run.request.forget_start()
    assert run.done == [("forget start", TAG)]


# Its times


def test_a_countdown_of_our_own_goes_by_the_brokers_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    eta = datetime(2026, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(request_module.running, "on_this_clock", lambda due: due + timedelta(hours=1))
    assert Run(eta=eta.isoformat()).request.eta == eta + timedelta(hours=1)
    assert Run(FOREIGN, eta=eta.isoformat()).request.eta == eta


@pytest.mark.parametrize(("late_s", "has_expired"), [(-0.5, None), (0.0, None), (0.5, True)])
def test_a_run_expires_by_the_brokers_clock(
    monkeypatch: pytest.MonkeyPatch, late_s: float, has_expired: bool | None
) -> None:
    expires = datetime(2026, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(request_module.running, "now", lambda: expires.timestamp() + late_s)
    run = Run(expires=expires.isoformat())
    assert run.request.maybe_expire() is has_expired
    assert ("r1" in state.revoked) is bool(has_expired)


def test_a_run_without_an_end_does_not_expire(run: Run) -> None:
    assert not run.request.maybe_expire()

"""Orders to workers: obeyed at once, answered one by one, forgotten or obeyed again after a restart."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from celery_nexus.actions.workers.consumers import AddConsumer, CancelConsumer, Drain, ForgetOrders, ShutdownWorker
from celery_nexus.actions.workers.limits import RateLimit, TimeLimit
from celery_nexus.actions.workers.orders import WorkerOrder
from celery_nexus.actions.workers.pools import GrowPool, RestartPool, Scale, ShrinkPool
from celery_nexus.errors import Invalid, NotFound
from celery_nexus.queues import priority_key
from celery_nexus.rows.workers import Worker
from celery_nexus.sources import Sources
from tests.harness.waiting import wait_until
from tests.integration.broker.conftest import NoHistory, Stack
from tests.integration.broker.test_why import NoSupervisor

# Celery's result backend calls what this redis-py has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")

TASK = "tests.integration.broker.jobs.trace"
W = ("w@test",)


@pytest.fixture
def sources(stack: Stack) -> Any:
    no_catalog: Any = None
    no_programs: Any = NoSupervisor()
    no_history: Any = NoHistory()
    return Sources(stack.broker(), stack.control(), no_history, no_programs, no_catalog, code=stack.code)


def said(sources: Sources, order: WorkerOrder) -> list[tuple[str, bool, str]]:
    return [(row.target, row.done, row.message) for row in order.run(sources).targets]


def worker(stack: Stack, sources: Sources, name: str = "w@test") -> Worker:
    stack.beat(name)
    return next(row for row in sources.control.workers() if row.name == name)


def test_temporary_orders_are_obeyed_until_the_restart_and_remembered_ones_again_after_it(
    stack: Stack, sources: Sources
) -> None:
    process = stack.worker(concurrency=2)
    heard: list[tuple[str, bool, str]] = []
    order = GrowPool(W, 1, heard=lambda *answer: heard.append(answer))
    assert said(sources, order) == [("w@test", True, "pool will grow, until it restarts")]
    assert heard == [("w@test", True, "pool will grow")]
    assert worker(stack, sources).concurrency == 3
    kept = "remembered: obeyed again after a restart"
    assert said(sources, Scale(W, 4, remember=True)) == [("w@test", True, f"pool will grow; {kept}")]
    assert said(sources, AddConsumer(W, "email_queue", remember=True))[0][2].endswith(kept)
    assert said(sources, RateLimit((), TASK, "7/m", remember=True))[0][1]
    assert said(sources, TimeLimit((), TASK, 50.0, 40.0))[0][2] == "time limits set successfully, until it restarts"
    stack.end(process)
    stack.worker(concurrency=2)
    row = wait_until(lambda: (r := worker(stack, sources)).concurrency == 4 and len(r.queues) == 2 and r)
    assert row.queues == ("default_queue", "email_queue")
    wait_until(lambda: len(worker(stack, sources).children) == 4)
    assert sources.control.list_registered_tasks(["w@test"])["w@test"][TASK] == "7/m"
    names = ["consumer w@test email_queue", "pool w@test", f"rate {TASK}"]
    assert list(sources.control.list_standing_orders()) == names
    assert ForgetOrders(("pool w@test", "nonsense")).run(sources).done is False
    assert "pool w@test" not in sources.control.list_standing_orders()


def test_a_pool_shrinks_down_to_one_place(stack: Stack, sources: Sources) -> None:
    stack.worker(concurrency=2)
    assert said(sources, ShrinkPool(W, 2)) == [("w@test", False, "has 2 places: one must stay")]
    assert said(sources, ShrinkPool(W, 1)) == [("w@test", True, "pool will shrink, until it restarts")]
    wait_until(lambda: worker(stack, sources).concurrency == 1)


def test_a_drained_worker_finishes_what_it_holds_and_takes_nothing_more(stack: Stack, sources: Sources) -> None:
    stack.worker(concurrency=1)
    first = stack.send(0, 3)
    wait_until(lambda: worker(stack, sources).active == 1)
    [(_, done, told)] = said(sources, Drain(W))
    assert (done, told) == (True, "takes nothing more; finishes 1 running and 0 fetched")
    wait_until(lambda: worker(stack, sources).queues == ())
    assert worker(stack, sources).verdict == "draining"
    stack.send(1)
    wait_until(lambda: stack.app.AsyncResult(first).state == "SUCCESS")
    assert stack.redis.llen(priority_key("default_queue", 5)) == 1
    assert said(sources, AddConsumer(W, "default_queue"))[0][1]
    wait_until(lambda: stack.executions() == {0: 1, 1: 1})
    # One at a time: orders that arrive together are obeyed in any order, since kombu's loop keeps them in a set.
    assert said(sources, CancelConsumer(W, "default_queue"))[0][1]
    wait_until(lambda: worker(stack, sources).queues == ())


def test_a_pool_is_restarted_and_a_worker_is_shut_down(stack: Stack, sources: Sources) -> None:
    process = stack.worker(concurrency=1)
    before = {child.pid for child in worker(stack, sources).children}
    assert said(sources, RestartPool(W)) == [("w@test", True, "reload started")]
    wait_until(lambda: {child.pid for child in worker(stack, sources).children}.isdisjoint(before))
    stack.send(1)
    wait_until(lambda: stack.executions() == {1: 1})
    assert said(sources, ShutdownWorker(W)) == [("w@test", True, "told to shut down (it can't answer any more)")]
    assert process.wait(20) == 0
    stack.processes.remove(process)


def test_a_worker_that_does_not_answer_is_said_to(
    stack: Stack, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celery_nexus.control.source.ORDER_TIMEOUT_S", 0.5)
    process = stack.worker()
    stack.beat("w@test")
    os.kill(process.pid, signal.SIGSTOP)
    try:
        assert said(sources, GrowPool(W)) == [("w@test", False, "no answer within 3 s: it may still obey")]
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_what_makes_no_sense_is_refused_before_anything_is_sent(stack: Stack, sources: Sources) -> None:
    for order in (GrowPool(W, 0), Scale(W, 1000), TimeLimit((), TASK, 1.0, 2.0), TimeLimit((), TASK, -1.0, None)):
        with pytest.raises(Invalid):
            order.run(sources)
    with pytest.raises(NotFound, match="no worker 'nobody'"):
        GrowPool(("nobody",)).run(sources)
    with pytest.raises(NotFound, match="no queue 'nope'"):
        AddConsumer(W, "nope").run(sources)

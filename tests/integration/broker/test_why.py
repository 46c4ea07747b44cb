"""Each cause of the table, created for real."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from celery_nexus.actions.workers.limits import RateLimit
from celery_nexus.diagnosis.why import why
from celery_nexus.errors import NotFound, Unreachable
from celery_nexus.queues import PRIORITY_SEPARATOR, priority_key
from celery_nexus.rows.diagnosis.why import Answer
from celery_nexus.rows.workers import Program
from celery_nexus.sources import Sources
from tests.harness.waiting import wait_until
from tests.integration.broker.conftest import NoHistory, Stack

# Celery's result backend calls what this redis-py has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")

TASK = "tests.integration.broker.jobs.trace"


class NoSupervisor:
    """A supervisord that does not run."""

    def programs(self) -> tuple[Program, ...]:
        raise Unreachable("no supervisord")


@pytest.fixture
def sources(stack: Stack) -> Any:
    no_catalog: Any = None
    no_programs: Any = NoSupervisor()
    no_history: Any = NoHistory()
    return Sources(stack.broker(), stack.control(), no_history, no_programs, no_catalog, code=stack.code)


def causes(answer: Answer) -> list[tuple[str, str]]:
    return [(finding.cause, finding.command) for finding in answer.findings]


def test_nobody_consumes_the_queue(stack: Stack, sources: Sources) -> None:
    run_id = stack.send(1)
    answer = why(sources, run_id)
    assert answer.state == "waits in default_queue, priority 5, at place 0 of its run order"
    assert causes(answer) == [("no consumer", "nexus-tui start workers:default")]
    assert causes(why(sources, "default_queue")) == causes(answer)
    assert causes(why(sources, run_id[:8])) == causes(answer)


def test_a_queue_of_somebody_else_is_consumed_by_hand(stack: Stack, sources: Sources) -> None:
    stack.redis.sadd("_kombu.binding.other", PRIORITY_SEPARATOR.join(("other", "", "other")))
    stack.redis.lpush(priority_key("other", 5), "{}")
    assert causes(why(sources, "other")) == [("no consumer", "celery -A APPLICATION worker -Q other")]


def test_the_queue_is_paused(stack: Stack, sources: Sources) -> None:
    run_id = stack.send(1)
    sources.broker.pause("default_queue", [])
    assert causes(why(sources, run_id)) == [("paused", "nexus-tui resume default_queue")]
    assert causes(why(sources, "default_queue")) == [("paused", "nexus-tui resume default_queue")]


def test_others_run_before_it(stack: Stack, sources: Sources) -> None:
    for number in range(3):
        stack.send(number, priority=0)
    stack.send(3)
    run_id = stack.send(4)
    answer = why(sources, run_id)
    assert answer.findings[-1].fact == "behind 3 more urgent and 1 of its own priority"
    assert causes(answer)[-1] == ("behind others", f"nexus-tui priority {run_id} 0 --front")


def test_it_is_not_due(stack: Stack, sources: Sources) -> None:
    run_id = stack.send(1, countdown=500)
    assert ("not due", f"nexus-tui delay {run_id} --now") in causes(why(sources, run_id))


def test_it_expired(stack: Stack, sources: Sources) -> None:
    run_id = stack.send(1, expires=datetime.now(UTC) - timedelta(seconds=60))
    [finding, _] = why(sources, run_id).findings
    again = f"nexus-tui submit {TASK} --queue default_queue --args '[1, 0.0]'"
    assert (finding.cause, finding.command) == ("expired", again)
    assert finding.fact.startswith("expired 1 m ")


def test_it_was_revoked(stack: Stack, sources: Sources) -> None:
    run_id = stack.send(1)
    sources.broker.mark_revoked([run_id])
    assert causes(why(sources, run_id))[0] == (
        "revoked",
        f"nexus-tui submit {TASK} --queue default_queue --args '[1, 0.0]'",
    )


def test_it_became_a_dead_letter(stack: Stack, sources: Sources) -> None:
    from celery_nexus.delivery.keys import FetchedTag
    from celery_nexus.delivery.leases.in_flight import InFlight

    run_id = stack.send(1)
    holder = InFlight(stack.redis, "w@test")
    tag = FetchedTag(f"1 {priority_key('default_queue', 5)}")
    stack.redis.hset(holder.key, tag, stack.redis.rpop(priority_key("default_queue", 5)))
    holder.set_aside(tag, "malformed", "for a test", id=run_id, task=TASK)
    [finding] = why(sources, run_id).findings
    assert (finding.cause, finding.fact) == ("dead letter", "set aside: malformed")
    assert finding.command.startswith("nexus-tui dead-letters retry ")


def test_every_place_is_taken_and_others_are_fetched_in_advance(stack: Stack, sources: Sources) -> None:
    stack.worker(concurrency=1)
    first = stack.send(0, 60)
    wait_until(lambda: sources.control.find_holders([first]).get(first) == ("active", "w@test"))
    ids = [stack.send(number) for number in range(1, 6)]
    wait_until(lambda: stack.redis.llen(priority_key("default_queue", 5)) == 2)
    assert why(sources, first).state == "runs on w@test"
    fetched = why(sources, ids[0])
    assert fetched.state == "fetched by w@test"
    assert causes(fetched) == [("held by prefetch", "nexus-tui grow w@test 1")]
    waiting = why(sources, ids[-1])
    assert causes(waiting) == [
        ("all full", "nexus-tui grow w@test 1"),
        ("behind others", f"nexus-tui priority {ids[-1]} 0 --front"),
    ]
    assert waiting.findings[0].fact.startswith("1 of 1 places at w@test are taken; the longest runs for ")
    assert causes(why(sources, "w@test")) == [("all full", "nexus-tui grow w@test 1")]


def test_the_task_is_rate_limited_or_unknown_to_the_worker(stack: Stack, sources: Sources) -> None:
    stack.worker(concurrency=1)
    RateLimit((), TASK, "1/m").run(sources)
    ids = [stack.send(number) for number in range(7)]
    wait_until(lambda: stack.executions() == {0: 1} and stack.redis.llen(priority_key("default_queue", 5)))
    [finding] = why(sources, ids[1]).findings
    assert (finding.cause, finding.fact) == ("rate-limited", f"w@test runs {TASK} at most 1/m")
    assert finding.command == f"nexus-tui rate-limit {TASK} none"
    assert ("rate-limited", finding.command) in causes(why(sources, ids[-1]))
    unknown = stack.app.send_task("workers.nowhere.missing", queue="default_queue").id
    assert causes(why(sources, unknown))[0] == ("unregistered task", "")
    misplaced = stack.app.send_task("workers.email_tasks.missing", queue="default_queue").id
    assert causes(why(sources, misplaced))[0] == ("unregistered task", f"nexus-tui move {misplaced} email_queue")


def test_the_worker_is_frozen(stack: Stack, sources: Sources) -> None:
    process = stack.worker(name="default")
    stack.beat("default@test", 11.0, pid=process.pid)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        stack.send(0)  # into the frozen worker's open request
        run_id = [stack.send(number) for number in range(1, 3)][-1]
        answer = why(sources, run_id)
        worker = why(sources, "default@test")
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert causes(answer)[0] == ("worker stopped or wedged", f"kill -CONT {process.pid}")
    assert answer.findings[0].fact.startswith("default@test is silent: does not answer; last heartbeat ")
    assert causes(worker) == causes(answer)[:1]


def test_a_killed_workers_message_comes_back_later(stack: Stack, sources: Sources) -> None:
    stack.as_stock()
    process = stack.worker(concurrency=1)
    run_id = stack.send(1, 60)
    wait_until(lambda: sources.control.find_holders([run_id]))
    stack.end(process, signal.SIGKILL)
    answer = why(sources, run_id)
    assert answer.state == "taken from default_queue by a worker that does not say so"
    [finding] = answer.findings
    assert finding.cause == "redelivery pending"
    assert finding.fact.endswith(("redelivered in 59 m 59 s", "redelivered in 1 h 00 m", "in 59 m 58 s", "59 m 57 s"))


def test_nothing_holds_what_nothing_holds(stack: Stack, sources: Sources) -> None:
    assert why(sources, "default_queue") == Answer("default_queue", "queue", "0 wait; 0 in flight")
    with pytest.raises(NotFound, match="no run, queue or worker 'nonsense'"):
        why(sources, "nonsense")


def test_a_broker_that_refuses_writes_is_told_first(stack: Stack, sources: Sources) -> None:
    run_id = stack.send(1)
    sources.broker.pause("default_queue", ())
    stack.beat("w@test")
    stack.redis.config_set("maxmemory", 1)
    try:
        of_queue, of_run = why(sources, "default_queue"), why(sources, run_id)
    finally:
        stack.redis.config_set("maxmemory", 0)
    assert causes(of_queue) == [
        ("broker refuses", "nexus-tui doctor"),
        ("paused", "nexus-tui resume default_queue"),
    ]
    assert (of_run.state, causes(of_run)) == ("waits in default_queue, priority 5", causes(of_queue)[:1])

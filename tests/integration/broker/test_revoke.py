"""Revoking runs for real: waiting, fetched, running, ended, unknown."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from celery_nexus.actions.runs import Revoke
from celery_nexus.queues import priority_key
from celery_nexus.sources import Sources
from tests.harness.waiting import wait_until
from tests.integration.broker.conftest import NoHistory, Stack

# Celery's result backend calls what this redis-py has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")


@pytest.fixture
def sources(stack: Stack) -> Any:
    unused: Any = None
    return Sources(stack.broker(), stack.control(), NoHistory(), unused, unused, code=stack.code)  # type: ignore[arg-type]


def held(stack: Stack) -> int:
    """Count what workers hold."""
    return int(stack.redis.hlen("unacked"))


def revoke(sources: Sources, *run_ids: str, terminate: bool = False) -> list[tuple[str, bool, str]]:
    outcome = Revoke(run_ids, terminate).run(sources)
    return [(row.target, row.done, row.message) for row in outcome.targets]


def test_a_waiting_run_leaves_redis_and_is_revoked_everywhere(stack: Stack, sources: Sources) -> None:
    run_id = stack.send(1)
    assert revoke(sources, run_id) == [(run_id, True, "revoked before it started")]
    assert stack.redis.llen(priority_key("default_queue", 5)) == 0
    assert stack.app.AsyncResult(run_id).state == "REVOKED"
    event = json.loads(stack.redis.xrange("nexus:events")[-1][1][b"d"])
    assert (event["type"], event["uuid"], event["terminated"]) == ("task-revoked", run_id, False)


def test_a_revoked_run_never_starts_even_when_its_message_comes_back_to_a_new_worker(
    stack: Stack, sources: Sources
) -> None:
    run_id = stack.send(2)
    copy = stack.redis.lindex(priority_key("default_queue", 5), 0)
    revoke(sources, run_id)
    stack.redis.lpush(priority_key("default_queue", 5), copy)  # as a rescue of what a killed worker held would do
    stack.send(3)
    stack.worker()
    wait_until(lambda: stack.executions().get(3))
    wait_until(lambda: not held(stack))
    assert stack.executions() == {3: 1}
    assert stack.app.AsyncResult(run_id).state == "REVOKED"


def test_a_running_run_goes_on_unless_terminating_is_asked_for(stack: Stack, sources: Sources) -> None:
    stack.worker()
    run_id = stack.send(4, 60)
    wait_until(lambda: stack.app.AsyncResult(run_id).state == "STARTED")
    assert revoke(sources, run_id) == [(run_id, False, "running on w@test; use --terminate")]
    assert stack.app.AsyncResult(run_id).state == "STARTED"
    assert revoke(sources, run_id, terminate=True) == [(run_id, True, "terminated on w@test")]
    wait_until(lambda: stack.app.AsyncResult(run_id).state == "REVOKED")
    wait_until(lambda: not held(stack))


def test_a_fetched_run_is_discarded_when_its_turn_comes_also_after_a_kill(stack: Stack, sources: Sources) -> None:
    worker = stack.worker("default_queue", 1)
    first = stack.send(5, 60)
    fetched = stack.send(6)
    wait_until(lambda: held(stack) == 2 and stack.executions().get(5))
    assert revoke(sources, fetched) == [(fetched, True, "revoked before it started")]
    stack.end(worker, signal.SIGKILL)
    for message in stack.redis.hvals("unacked"):  # redelivery, without waiting for the visibility timeout
        stack.redis.lpush(priority_key("default_queue", 5), json.dumps(json.loads(message)[0]))
    stack.redis.delete("unacked", "unacked_index")
    stack.worker("default_queue", 1)
    wait_until(lambda: stack.executions().get(5) == 2)
    revoke(sources, first, terminate=True)
    wait_until(lambda: not held(stack))
    assert 6 not in stack.executions()
    assert stack.app.AsyncResult(fetched).state == "REVOKED"


def test_an_ended_run_an_unknown_one_and_one_that_may_still_come_are_told_apart(stack: Stack, sources: Sources) -> None:
    stack.worker()
    run_id = stack.send(7)
    stack.app.AsyncResult(run_id).get(timeout=20)
    unknown = "00000000-0000-0000-0000-000000000000"
    outcome = Revoke((run_id, unknown, "ffffff")).run(sources)
    assert [(row.done, row.message, row.is_missing) for row in outcome.targets] == [
        (False, "had ended (SUCCESS)", False),
        (True, "no run of this id is known yet; if it is published, it never runs", False),
        (False, "no such run", True),
    ]


def test_a_unique_beginning_of_an_id_is_enough(stack: Stack, sources: Sources) -> None:
    run_id = stack.send(8, task_id="abcdef00-0000-4000-8000-000000000000")
    assert revoke(sources, "abcdef") == [(run_id, True, "revoked before it started")]

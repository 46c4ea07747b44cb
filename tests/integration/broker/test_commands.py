"""Queue surgery from the command line, and running again what ended."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from celery_nexus.actions.again import RunAgain
from celery_nexus.actions.messages import ChangeTime
from celery_nexus.actions.queues import Undo
from celery_nexus.catalog.own import CatalogSource
from celery_nexus.errors import NotFound
from celery_nexus.queues import priority_key
from celery_nexus.rows.runs import Run
from celery_nexus.sources import Sources
from tests.harness.commands import run_python
from tests.harness.waiting import wait_until
from tests.integration.broker.conftest import NoHistory, Stack

# Celery's result backend calls what this redis-py has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")

TASK = "tests.integration.broker.jobs.trace"


def nexus(stack: Stack, *words: str) -> tuple[int, Any, str]:
    done = run_python("-m", "nexus_tui", *words, "--json", environment=stack.environment)
    return done.code, done.json if done.out else None, done.err


def test_the_command_line_deletes_undoes_and_writes_the_audit_log(stack: Stack) -> None:
    run_id = stack.send(1)
    code, [row], _ = nexus(stack, "delete", run_id, "--yes")
    assert (code, row["target"], row["done"], row["message"]) == (0, run_id, True, "deleted")
    assert stack.redis.llen(priority_key("default_queue", 5)) == 0
    code, _, _ = nexus(stack, "undo", row["undo"], "--yes")
    assert code == 0
    assert stack.redis.llen(priority_key("default_queue", 5)) == 1
    code, entries, _ = nexus(stack, "audit")
    assert (code, [entry["action"] for entry in entries]) == (0, ["Undo", "Delete"])


def test_what_waits_is_counted_by_task(stack: Stack) -> None:
    for number in range(3):
        stack.send(number, priority=number)
    stack.redis.lpush(priority_key("default_queue", 5), "not JSON")
    code, rows, _ = nexus(stack, "queues", "default_queue", "--by-task")
    assert (code, rows) == (0, [{"task": TASK, "waiting": 3}, {"task": None, "waiting": 1}])
    assert nexus(stack, "queues", "--by-task")[0] == 2


def test_exit_codes_tell_what_was_wrong(stack: Stack) -> None:
    run_id = stack.send(1)
    assert nexus(stack, "delete", run_id)[0] == 5
    assert nexus(stack, "purge", "nope", "--yes")[0] == 4
    assert nexus(stack, "delete", "ffffffff-0000-0000-0000-000000000000", "--yes")[0] == 4
    assert nexus(stack, "move", run_id, "--yes")[0] == 2
    assert nexus(stack, "purge", "default_queue", "--yes", "--read-only")[0] == 5
    assert stack.redis.llen(priority_key("default_queue", 5)) == 1


def test_a_dry_run_says_what_would_happen_and_changes_nothing(stack: Stack) -> None:
    ids = [stack.send(number) for number in range(2)]
    code, rows, _ = nexus(stack, "priority", ids[1][:13], ids[0], "0", "--front", "--dry-run")
    assert (code, [(row["target"], row["done"], row["message"]) for row in rows]) == (
        0,
        [
            (ids[1], True, "default_queue, place 1 → moved to the front of priority 0"),
            (ids[0], True, "default_queue, place 0 → moved to the front of priority 0"),
        ],
    )
    code, [row], _ = nexus(stack, "purge", "default_queue", "--dry-run")
    assert (code, row["message"], row["matching"], row["dry_run"]) == (0, "2 messages → purged", 2, True)
    assert nexus(stack, "delete", "ffffffff-0000-0000-0000-000000000000", "--dry-run")[0] == 4
    assert stack.redis.llen(priority_key("default_queue", 5)) == 2


def test_a_count_that_does_not_match_is_refused(stack: Stack) -> None:
    for number in range(3):
        stack.send(number)
    code, _, said = nexus(stack, "delete", "--from", "default_queue", "--yes", "--count", "2")
    assert (code, said) == (5, "nexus-tui: --count 2, but there are 3 targets: nothing was changed\n")
    code, [row], _ = nexus(stack, "delete", "--from", "default_queue", "--yes", "--count", "3")
    assert (code, row["message"], row["changed"], row["started"]) == (0, "deleted 3", 3, 0)


def test_more_than_a_hundred_targets_need_their_number_or_the_name_of_the_queue(stack: Stack) -> None:
    for number in range(101):
        stack.send(number)
    command = ("move", "--from", "default_queue", "--filter", "task:trace", "email_queue", "--yes")
    code, _, said = nexus(stack, *command)
    assert (code, said) == (5, "nexus-tui: 101 targets are many: add --count 101 (nothing was changed)\n")
    assert nexus(stack, *command, "--count", "101")[0] == 0
    code, [row], _ = nexus(stack, "purge", "email_queue", "--yes")
    assert (code, row["message"]) == (0, "purged 101 messages")


@pytest.mark.parametrize(
    "words",
    [
        ("delete",),
        ("delete", "--filter", "task:x"),
        ("delete", "someid", "--from", "default_queue"),
        ("priority", "someid", "ten"),
        ("priority", "someid", "10"),
        ("delay", "someid"),
        ("delay", "someid", "--at", "tomorrow"),
        ("delay", "someid", "--at", "2030-01-01T00:00:00"),
        ("retry",),
        ("retry", "someid", "--kwargs", "[]"),
        ("revoke", "someid", "--terminate", "--signal", "SIGFOO"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_a_mistake_of_usage(stack: Stack, words: tuple[str, ...]) -> None:
    from celery_nexus.errors import SourceError
    from nexus_tui.cli import _EXIT_CODES, cli
    from nexus_tui.cli.shared import Target

    with pytest.raises(SourceError) as refused:
        cli.main([*words, "--yes"], standalone_mode=False, obj=Target(stack.url.redis_py))
    assert next(code for kind, code in _EXIT_CODES if isinstance(refused.value, kind)) == 2


def test_a_broker_that_refuses_writes_is_told_and_nothing_changed(stack: Stack) -> None:
    run_id = stack.send(1)
    stack.redis.config_set("min-replicas-to-write", 1)
    try:
        code, _, said = nexus(stack, "delete", run_id, "--yes")
    finally:
        stack.redis.config_set("min-replicas-to-write", 0)
    assert code == 5
    assert "NOREPLICAS" in said or "Not enough good replicas" in said
    assert stack.redis.llen(priority_key("default_queue", 5)) == 1


class Past:
    """A history with the given runs."""

    def __init__(self, *runs: Run) -> None:
        self._runs = {run.id: run for run in runs}

    def runs(self, filter_text: str, limit: int) -> list[Run]:
        assert filter_text == "state:failure"
        return list(self._runs.values())[:limit]

    def run(self, run_id: str) -> Run:
        if run_id not in self._runs:
            raise NotFound(run_id)
        return self._runs[run_id]


def again(stack: Stack, run: Run, kwargs: dict[str, Any] | None = None) -> tuple[bool, str]:
    unused: Any = None
    past: Any = Past(run)
    sources = Sources(
        stack.broker(), stack.control(), past, unused, CatalogSource(stack.code, stack.url), code=stack.code
    )
    [row] = RunAgain((run.id,), kwargs).run(sources).targets
    return row.done, row.message


def test_an_ended_run_is_queued_again_with_its_queue_priority_and_lineage(stack: Stack) -> None:
    ended = Run("old", TASK, "FAILURE", "email_queue", 3, args=[1], kwargs={"seconds": 0.5}, root_id="first")
    done, message = again(stack, ended, {"seconds": 0.0})
    [new] = stack.broker().messages("email_queue")
    assert (done, message) == (True, f"runs again as {new.id} in email_queue")
    assert (new.task, new.priority, new.args, new.kwargs) == (TASK, 3, [1], {"seconds": 0.0})
    assert (new.headers["root_id"], new.headers["parent_id"]) == ("first", "old")


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (Run("r", TASK, "STARTED", args=[1], kwargs={}), "has not ended (STARTED)"),
        (Run("r", TASK, "FAILURE", args="(1,)", kwargs={}), "its arguments are not known: submit it anew"),
        (
            Run("r", TASK, "FAILURE", args=["***"], kwargs={}),
            "its arguments are not kept in full: give them with --args",
        ),
        (
            Run("r", TASK, "FAILURE", args=[], kwargs={"number": "‹private, 12 characters›"}),
            "not kept in full: number; give them with --kwargs",
        ),
    ],
    ids=["running", "text", "masked", "private"],
)
def test_what_can_not_be_run_again_as_it_was_is_not_run_otherwise(stack: Stack, run: Run, message: str) -> None:
    assert again(stack, run) == (False, message)
    assert all(not row.waiting for row in stack.broker().queues())


def test_a_private_argument_can_be_given_anew(stack: Stack) -> None:
    ended = Run("r", TASK, "FAILURE", "default_queue", 5, args=[], kwargs={"number": "‹private, 12 characters›"})
    assert again(stack, ended, {"number": 7})[0]
    [new] = stack.broker().messages("default_queue")
    assert new.kwargs == {"number": 7}


def many_again(stack: Stack, count: int, **options: Any) -> list[tuple[str, bool, str]]:
    task = "tests.integration.broker.jobs.fail_when_marked"
    runs = [
        Run(f"old-{number}", task, "FAILURE", "default_queue", 5, args=[number], kwargs={}) for number in range(count)
    ]
    unused: Any = None
    past: Any = Past(*runs, Run("running", task, "STARTED", args=[99], kwargs={}))
    sources = Sources(
        stack.broker(), stack.control(), past, unused, CatalogSource(stack.code, stack.url), code=stack.code
    )
    plan = RunAgain((), filter_text="state:failure", **options).plan(sources)
    assert plan.count == count
    return [(row.target, row.done, row.message) for row in plan.action.run(sources).targets]


def test_a_canary_runs_the_rest_when_the_first_succeed(stack: Stack) -> None:
    stack.worker(concurrency=2)
    rows = many_again(stack, 40, canary=True)
    assert all(done for _, done, _ in rows)
    wait_until(lambda: stack.executions() == dict.fromkeys(range(40), 1))


def test_a_canary_stops_by_itself_when_one_fails_again(stack: Stack) -> None:
    stack.worker(concurrency=2)
    stack.redis.sadd("test:broken", 3)
    rows = many_again(stack, 40, canary=True)
    assert [done for _, done, _ in rows] == [True] * 6 + [False] * 34
    assert rows[6][2].startswith("not run: ")
    assert rows[6][2].endswith(" of the canary ended as FAILURE")
    wait_until(lambda: stack.executions() == dict.fromkeys(range(6), 1))  # what had begun goes on


def test_runs_are_queued_again_at_no_more_than_a_rate(stack: Stack) -> None:
    started = time.monotonic()
    assert len(many_again(stack, 5, rate_per_s=10.0)) == 5
    assert time.monotonic() - started >= 0.5
    assert stack.redis.llen(priority_key("default_queue", 5)) == 5


def test_a_delayed_run_gets_another_time_and_back(stack: Stack) -> None:
    unused: Any = None
    history: Any = NoHistory()
    sources = Sources(stack.broker(), stack.control(), history, unused, unused, code=stack.code)
    run_id = stack.send(1, eta=datetime(2100, 1, 1, tzinfo=UTC))
    stack.as_reliable()
    raw = stack.redis.zrange("nexus:delayed:default_queue", 0, -1)[0][1:]
    later = datetime(2100, 1, 2, tzinfo=UTC)
    outcome = ChangeTime((run_id[:12],), later).run(sources)
    assert [row.message for row in outcome.targets] == ["runs at 2100-01-02T00:00:00+00:00"]
    [(member, due)] = stack.redis.zrange("nexus:delayed:default_queue", 0, -1, withscores=True)
    assert due == 4102531200.0
    assert json.loads(member[1:])["headers"]["eta"] == "2100-01-02T00:00:00+00:00"
    assert stack.redis.llen("nexus:wake:default_queue") == 1
    Undo(outcome.undo).run(sources)
    assert stack.redis.zrange("nexus:delayed:default_queue", 0, -1, withscores=True) == [(b"5" + raw, 4102444800.0)]
    assert ChangeTime((run_id,), None).run(sources).done
    [(member, due)] = stack.redis.zrange("nexus:delayed:default_queue", 0, -1, withscores=True)
    assert json.loads(member[1:])["headers"]["eta"] is None
    assert due <= time.time()


def test_a_time_that_a_stock_worker_keeps_in_its_memory_can_not_be_changed(stack: Stack) -> None:
    unused: Any = None
    history: Any = NoHistory()
    sources = Sources(stack.broker(), stack.control(), history, unused, unused, code=stack.code)
    run_id = stack.send(1, countdown=600)
    stack.as_stock()
    stack.worker(concurrency=1)
    wait_until(lambda: sources.control.find_holders([run_id]))
    [row] = ChangeTime((run_id,), None).run(sources).targets
    assert (row.done, row.message) == (
        False,
        "w@test holds it in its memory until its time (stock delivery): revoke it and submit it anew",
    )
    waiting = stack.send(2)
    [row] = ChangeTime((waiting,), None).run(sources).targets
    assert not row.done

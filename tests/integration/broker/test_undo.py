"""Deleting, moving, purging, pausing, and taking it back."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from typing import Any

import pytest

from celery_nexus.actions.base import perform
from celery_nexus.actions.messages import ChangePriority, DeleteMessages, MoveMessages
from celery_nexus.actions.queues import PauseQueue, PurgeQueue, ResumeQueue, Undo
from celery_nexus.errors import Invalid, NotFound, Refused
from celery_nexus.queues import priority_key
from celery_nexus.rows.outcomes import Outcome
from celery_nexus.rows.runs import Run
from celery_nexus.sources import Sources
from tests.harness.waiting import wait_until
from tests.integration.broker.conftest import NoHistory, Stack

# Celery's result backend calls what this redis-py has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")


@pytest.fixture
def sources(stack: Stack) -> Any:
    unused: Any = None
    return Sources(stack.broker(), stack.control(), NoHistory(), unused, unused, code=stack.code)  # type: ignore[arg-type]


class Remembers:
    """A history that knows one run."""

    def __init__(self, run_id: str) -> None:
        self._run = Run(run_id, "a.task", "PENDING", "default_queue")

    def run(self, run_id: str) -> Run:
        return self._run


def numbers(sources: Sources, queue: str = "default_queue") -> list[Any]:
    return [message.args[0] for message in sources.broker.messages(queue, limit=10_000) if message.args]


def said(outcome: Outcome) -> list[str]:
    return [row.message for row in outcome.targets]


def test_deleted_messages_come_back_to_their_places(stack: Stack, sources: Sources) -> None:
    ids = [stack.send(number) for number in range(8)]
    before = stack.redis.lrange(priority_key("default_queue", 5), 0, -1)
    outcome = DeleteMessages((ids[0], ids[3], ids[4], ids[7])).run(sources)
    assert said(outcome) == ["deleted"] * 4
    assert numbers(sources) == [1, 2, 5, 6]
    assert said(Undo(outcome.undo).run(sources)) == [
        f"delete 4 runs ({ids[0]}, {ids[3]}, {ids[4]} and 1 more): 4 restored"
    ]
    assert stack.redis.lrange(priority_key("default_queue", 5), 0, -1) == before
    assert sources.broker.list_undoables() == ()


def test_what_ran_before_a_deleted_message_may_be_gone_when_it_returns(stack: Stack, sources: Sources) -> None:
    ids = [stack.send(number) for number in range(4)]
    DeleteMessages((ids[2],)).run(sources)
    stack.redis.rpop(priority_key("default_queue", 5), 2)
    stack.send(9)
    Undo().run(sources)
    assert numbers(sources) == [2, 3, 9]


def test_a_changed_priority_is_taken_back_with_every_byte(stack: Stack, sources: Sources) -> None:
    ids = [stack.send(number) for number in range(5)]
    before = stack.redis.lrange(priority_key("default_queue", 5), 0, -1)
    outcome = ChangePriority((ids[1], ids[4]), 0, front=True).run(sources)
    assert numbers(sources) == [1, 4, 0, 2, 3]
    Undo(outcome.undo).run(sources)
    assert stack.redis.lrange(priority_key("default_queue", 5), 0, -1) == before


def test_what_started_after_the_change_is_not_brought_back(stack: Stack, sources: Sources) -> None:
    ids = [stack.send(number) for number in range(3)]
    ChangePriority(tuple(ids), 0).run(sources)
    stack.redis.rpop("default_queue")
    [message] = said(Undo().run(sources))
    assert message.endswith(": 2 restored, 1 had started")
    assert numbers(sources) == [1, 2]


def test_a_message_moved_to_another_queue_runs_there(stack: Stack, sources: Sources) -> None:
    run_id = stack.send(1, priority=3)
    assert said(MoveMessages((run_id,), "email_queue").run(sources)) == ["moved to email_queue"]
    [moved] = sources.broker.messages("email_queue")
    assert (moved.id, moved.priority) == (run_id, 3)
    assert json.loads(moved.raw)["properties"]["delivery_info"] == {
        "exchange": "email_queue",
        "routing_key": "email_queue",
    }
    stack.worker("email_queue", 1)
    wait_until(lambda: stack.executions() == {1: 1})


def test_a_delayed_message_changes_its_priority_is_deleted_and_comes_back(stack: Stack, sources: Sources) -> None:
    run_id = stack.send(1, priority=5)
    member = b"5" + stack.redis.rpop(priority_key("default_queue", 5))
    stack.redis.zadd("nexus:delayed:default_queue", {member: 4_000_000_000})  # as reliable delivery keeps it
    assert sources.broker.queue("default_queue").delayed == 1
    assert said(ChangePriority((run_id,), 0).run(sources)) == ["gets priority 0 when due"]
    changed = b"0" + member[1:].replace(b'"priority": 5', b'"priority": 0')
    assert stack.redis.zrange("nexus:delayed:default_queue", 0, -1) == [changed]
    assert said(DeleteMessages((run_id,)).run(sources)) == ["deleted"]
    assert stack.redis.zcard("nexus:delayed:default_queue") == 0
    Undo().run(sources)
    Undo().run(sources)
    assert stack.redis.zrange("nexus:delayed:default_queue", 0, -1, withscores=True) == [(member, 4_000_000_000)]


def test_a_purge_of_everything_is_one_step_and_comes_back_in_front_of_what_is_newer(
    stack: Stack, sources: Sources
) -> None:
    for number in range(500):
        stack.send(number, priority=number % 3)
    before = numbers(sources)
    outcome = PurgeQueue("default_queue").run(sources)
    assert said(outcome) == ["purged 500 messages"]
    assert numbers(sources) == []
    stack.send(1000, priority=0)
    Undo().run(sources)
    after = numbers(sources)
    first_level = sum(number % 3 == 0 for number in range(500))
    assert after[:first_level] == before[:first_level]
    assert after[first_level] == 1000
    assert after[first_level + 1 :] == before[first_level:]
    assert not list(stack.redis.scan_iter("nexus:trash*"))


def test_what_is_kept_and_until_when_is_said_before_it_is_taken_back(stack: Stack, sources: Sources) -> None:
    for number in range(3):
        stack.send(number, priority=number)
    PurgeQueue("default_queue").run(sources)
    [row] = Undo().plan(sources).rows()
    assert re.fullmatch(
        r"purge default_queue → taken back; 3 kept \(\d+ k?B\) until \d{4}-\d\d-\d\d \d\d:\d\d UTC", row.message
    )
    assert dict(row.counts) == {"kept": 3}


def test_a_deleted_message_is_not_said_to_have_started(stack: Stack, sources: Sources) -> None:
    run_id = stack.send(1)
    known = replace(sources, history=Remembers(run_id))  # type: ignore[arg-type]
    DeleteMessages((run_id,)).run(known)
    assert said(DeleteMessages((run_id,)).run(known)) == ["was revoked already"]


def test_what_can_be_undone_expires(stack: Stack, sources: Sources) -> None:
    DeleteMessages((stack.send(1),)).run(sources)
    [key] = stack.redis.scan_iter("nexus:trash:*")
    assert 86_000 < stack.redis.ttl(key) <= 86_400


def test_a_change_that_came_to_nothing_can_not_be_undone(stack: Stack, sources: Sources) -> None:
    run_id = stack.send(1, priority=4)
    assert ChangePriority((run_id,), 4).run(sources).undo == ""
    assert PurgeQueue("email_queue").run(sources).undo == ""
    with pytest.raises(NotFound, match="nothing to undo"):
        Undo().run(sources)
    with pytest.raises(NotFound, match="no change 'abc'"):
        Undo("abc").run(sources)


def test_nothing_is_touched_when_one_of_the_ids_is_ambiguous(stack: Stack, sources: Sources) -> None:
    whole = stack.send(1)
    stack.send(2, task_id="feed1111-0000-4000-8000-000000000000")
    stack.send(3, task_id="feed2222-0000-4000-8000-000000000000")
    with pytest.raises(Invalid, match=r"'feed' is ambiguous: feed1111.*, feed2222"):
        DeleteMessages((whole, "feed")).run(sources)
    assert numbers(sources) == [1, 2, 3]


def test_an_unknown_queue_is_not_found(sources: Sources) -> None:
    for action in (PurgeQueue("nope"), PauseQueue("nope"), ResumeQueue("nope"), MoveMessages(("x",), "nope")):
        with pytest.raises(NotFound, match="no queue 'nope'"):
            action.run(sources)


def test_a_paused_queue_is_left_alone_by_running_and_by_new_workers(stack: Stack, sources: Sources) -> None:
    stack.worker("default_queue,email_queue", 1, "one")
    assert said(PauseQueue("default_queue").run(sources)) == ["paused; told 1 of 1 workers"]
    assert said(PauseQueue("default_queue").run(sources)) == ["was paused already"]
    assert sources.broker.queue("default_queue").paused
    stack.worker("default_queue", 1, "two")
    time.sleep(0.5)
    held = [stack.send(number) for number in range(5)]
    stack.send(100, queue="email_queue")
    wait_until(lambda: stack.executions().get(100))
    time.sleep(1)
    assert stack.executions() == {100: 1}
    assert stack.redis.llen(priority_key("default_queue", 5)) == len(held)
    assert said(ResumeQueue("default_queue").run(sources)) == ["resumed; told 1 of 1 workers"]
    wait_until(lambda: len(stack.executions()) == 6)
    assert not sources.broker.queue("default_queue").paused
    wait_until(lambda: set(worker_queues(sources)) == {("default_queue",), ("default_queue", "email_queue")})


def worker_queues(sources: Sources) -> list[tuple[str, ...]]:
    return [tuple(sorted(worker.queues)) for worker in sources.control.workers()]


def test_a_pause_is_undone_by_resuming(stack: Stack, sources: Sources) -> None:
    PauseQueue("default_queue").run(sources)
    assert said(Undo().run(sources)) == ["resumed; no worker is there to be told"]
    assert not sources.broker.queue("default_queue").paused


def test_every_change_is_in_the_audit_log(stack: Stack, sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.7 50000 192.0.2.1 22")
    monkeypatch.setenv("LOGNAME", "ada")
    run_id = stack.send(1)
    outcome = perform(DeleteMessages((run_id,)), sources)
    perform(DeleteMessages((run_id,)), sources)
    latest, first = sources.broker.audit.read()
    assert (first.user, first.origin, first.action) == ("ada", "192.0.2.7 (ssh)", "Delete")
    assert (first.command, first.done, first.undo) == (f"nexus-tui delete {run_id}", True, outcome.undo)
    assert [(row.target, row.done, row.message) for row in first.targets] == [(run_id, True, "deleted")]
    assert (latest.done, latest.message, latest.undo) == (False, f"{run_id}: was revoked already", "")


def test_read_only_refuses_and_changes_nothing(stack: Stack, sources: Sources) -> None:
    run_id = stack.send(1)
    with pytest.raises(Refused, match="read-only"):
        perform(DeleteMessages((run_id,)), replace(sources, read_only=True))
    assert numbers(sources) == [1]
    assert sources.broker.audit.read() == ()


def test_a_full_broker_is_emptied_for_good(stack: Stack, sources: Sources) -> None:
    for number in range(3):
        stack.send(number, priority=number)
    stack.redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(Refused, match=r"purge --for-good keeps nothing, and needs no memory"):
            perform(PurgeQueue("default_queue"), sources)
        outcome = perform(PurgeQueue("default_queue", for_good=True), sources)
    finally:
        stack.redis.config_set("maxmemory", 0)
    assert (said(outcome), outcome.undo) == (["purged 3 messages"], "")
    assert numbers(sources) == []
    assert sources.broker.list_undoables() == ()
    assert not list(stack.redis.scan_iter("nexus:trash*"))

"""Many messages of long lists come back to their places, however the lists changed meanwhile."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from celery_nexus.actions.messages import ChangePriority, DeleteMessages, MoveMessages
from celery_nexus.actions.queues import Undo
from celery_nexus.broker.bulk.lists import Lists
from celery_nexus.broker.undo import trash_reader, undo
from celery_nexus.errors import SourceError, Unreachable
from celery_nexus.queues import priority_key
from celery_nexus.rows.selection import Selection
from celery_nexus.sources import Sources
from tests.harness.waiting import wait_until
from tests.integration.broker.conftest import NoHistory, Stack
from tests.integration.broker.test_bulk import ODD, QUEUE, even, fill, laid_over, odd, order, said
from tests.integration.broker.test_cuts import cuts, insist

__all__ = ["laid_over"]

# Celery's result backend calls what this redis-py has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")

LIST = priority_key(QUEUE, 5)
ALL = Selection(QUEUE, "task:other")


@pytest.fixture
def sources(stack: Stack) -> Any:
    unused: Any = None
    return Sources(stack.broker(), stack.control(), NoHistory(), unused, unused, code=stack.code)  # type: ignore[arg-type]


@pytest.fixture
def far(laid_over: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what a short list's messages became be gathered as in a long one."""
    monkeypatch.setattr(undo, "IN_REACH", 20)
    monkeypatch.setattr(undo, "AMONG", 5)


CHANGES = {
    "delete": (lambda: DeleteMessages((), within=ODD), "nowhere"),
    "move": (lambda: MoveMessages((), "email_queue", within=ODD), priority_key("email_queue", 5)),
    "back": (lambda: ChangePriority((), 8, within=ODD), priority_key(QUEUE, 8)),
    "back of the neighbour": (lambda: ChangePriority((), 6, within=ODD), priority_key(QUEUE, 6)),
    "front": (lambda: ChangePriority((), 2, True, within=ODD), priority_key(QUEUE, 2)),
    "front of the neighbour": (lambda: ChangePriority((), 6, True, within=ODD), priority_key(QUEUE, 6)),
    "front of its own level": (lambda: ChangePriority((), 5, True, within=ODD), "nowhere"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_comes_back_to_its_place_around_what_came_and_went(
    stack: Stack, sources: Sources, far: None, name: str
) -> None:
    change, target = CHANGES[name]
    fill(stack, 300)
    if target != "nowhere":
        stack.redis.lpush(target, *(f"old {number}" for number in range(30)))
    before = stack.redis.lrange(LIST, 0, -1)
    others = stack.redis.lrange(target, 0, -1)
    outcome = change().run(sources)
    stack.redis.lpush(LIST, "published 1", "published 2")
    for side in ("lpush", "rpush"):
        if target != "nowhere":
            getattr(stack.redis, side)(target, *(f"{side} {number}" for number in range(30)))
    assert said(Undo(outcome.undo).run(sources)).endswith(": 150 restored")
    assert stack.redis.lrange(LIST, 0, -1) == [b"published 2", b"published 1", *before]
    if target != "nowhere":
        came = [[f"{side} {number}".encode() for number in range(30)] for side in ("lpush", "rpush")]
        assert stack.redis.lrange(target, 0, -1) == [*reversed(came[0]), *others, *came[1]]
    assert not list(stack.redis.scan_iter("nexus:trash*"))
    assert not list(stack.redis.scan_iter("nexus:bulk*"))


def test_what_ran_before_them_may_have_started(stack: Stack, sources: Sources, far: None) -> None:
    fill(stack, 300)
    outcome = DeleteMessages((), within=ODD).run(sources)
    stack.redis.rpop(LIST, 100)  # 0, 2 … 198
    Undo(outcome.undo).run(sources)
    assert order(stack, LIST) == [*odd(199), *range(199, 300)]


def test_everything_that_was_deleted_comes_back_in_its_order(stack: Stack, sources: Sources, far: None) -> None:
    fill(stack, 300)
    before = stack.redis.lrange(LIST, 0, -1)
    outcome = DeleteMessages((), within=ALL).run(sources)
    assert not stack.redis.exists(LIST)
    stack.redis.lpush(LIST, "published")
    Undo(outcome.undo).run(sources)
    assert stack.redis.lrange(LIST, 0, -1) == [b"published", *before]


def test_changes_of_changes_come_back_one_by_one(stack: Stack, sources: Sources, far: None) -> None:
    fill(stack, 200)
    before = stack.redis.lrange(LIST, 0, -1)
    first = ChangePriority((), 6, within=Selection(QUEUE, "args.0>150")).run(sources)
    second = DeleteMessages((), within=ODD).run(sources)
    Undo(second.undo).run(sources)
    Undo(first.undo).run(sources)
    assert stack.redis.lrange(LIST, 0, -1) == before


def test_thousands_of_sixty_thousand_come_back_to_their_places(stack: Stack, sources: Sources) -> None:
    fill(stack, 60_000)
    before = stack.redis.lrange(LIST, 0, -1)
    scattered = Selection(QUEUE, "args.0<3000 OR args.0=*77*")
    outcome = DeleteMessages((), within=scattered).run(sources)
    count = dict(outcome.targets[0].counts)["changed"]
    assert count == 4_623
    assert said(Undo(outcome.undo).run(sources)).endswith(": 4,623 restored")
    assert stack.redis.lrange(LIST, 0, -1) == before


def test_beside_working_workers_each_run_that_came_back_happens_once(stack: Stack, sources: Sources, far: None) -> None:
    count = 600
    fill(stack, count, 5, "tests.integration.broker.jobs.trace")
    outcome = ChangePriority((), 6, within=Selection(QUEUE, "args.0=*5*")).run(sources)
    deleted = DeleteMessages((), within=Selection(QUEUE, "args.0=*3*")).run(sources)
    stack.worker(QUEUE, 2)
    Undo(deleted.undo).run(sources)
    Undo(outcome.undo).run(sources)
    wait_until(lambda: len(stack.executions()) == count, timeout_s=60)
    assert set(stack.executions().values()) == {1}


@pytest.mark.parametrize("name", ["delete", "back", "front of the neighbour", "front of its own level"])
def test_taking_back_goes_on_where_the_connection_was_cut(stack: Stack, sources: Sources, far: None, name: str) -> None:
    fill(stack, 400)
    before = stack.redis.lrange(LIST, 0, -1)
    outcome = CHANGES[name][0]().run(sources)
    with cuts(stack, 0.002) as counted:
        insist(Undo(outcome.undo), sources)
    assert counted[0] > 3
    assert stack.redis.lrange(LIST, 0, -1) == before
    assert not list(stack.redis.scan_iter("nexus:trash*"))


@pytest.mark.parametrize("lost", range(1, 7))
def test_an_answer_that_is_lost_while_the_list_is_laid_over_changes_no_place(
    stack: Stack, sources: Sources, far: None, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    fill(stack, 400)
    before = stack.redis.lrange(LIST, 0, -1)
    outcome = CHANGES["back"][0]().run(sources)
    original, calls = trash_reader.TrashReader.put, 0

    def put(self: Any, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        answer = original(self, *args)
        if calls == lost:
            raise Unreachable("the answer is lost")
        return answer

    monkeypatch.setattr(trash_reader.TrashReader, "put", put)
    Undo(outcome.undo).run(sources)
    assert calls > lost
    assert stack.redis.lrange(LIST, 0, -1) == before


def lose_answer(monkeypatch: pytest.MonkeyPatch, lost: int) -> list[int]:
    """Lose a step's answer of those that lay lists over or back, and one question for it; returns what is counted."""
    calls, unread = [0], [False]

    def losing(original: Any) -> Any:
        def step(*args: Any, **options: Any) -> Any:
            calls[0] += 1
            answer = original(*args, **options)
            if calls[0] == lost:
                unread[0] = True
                raise Unreachable("the answer is lost")
            return answer

        return step

    def read(*args: Any) -> Any:
        if unread[0]:
            unread[0] = False
            raise Unreachable("nobody answers")
        return asked(*args)

    asked = Lists.read_lost_answer
    monkeypatch.setattr(Lists, "read_lost_answer", read)
    monkeypatch.setattr(Lists, "lay", losing(Lists.lay))
    monkeypatch.setattr(trash_reader.TrashReader, "merge", losing(trash_reader.TrashReader.merge))
    return calls


@pytest.mark.parametrize("name", ["back", "front of its own level"])
@pytest.mark.parametrize("lost", range(1, 8))
def test_a_step_whose_answer_can_not_be_read_for_a_while_changes_no_place(
    stack: Stack, sources: Sources, far: None, monkeypatch: pytest.MonkeyPatch, name: str, lost: int
) -> None:
    fill(stack, 400)
    before = stack.redis.lrange(LIST, 0, -1)
    outcome = CHANGES[name][0]().run(sources)
    calls = lose_answer(monkeypatch, lost)
    Undo(outcome.undo).run(sources)
    assert calls[0] > lost
    assert stack.redis.lrange(LIST, 0, -1) == before
    assert not stack.redis.exists(priority_key(QUEUE, 6), "nexus:bulk-laid")


@pytest.mark.parametrize("name", ["delete", "back", "front"])
@pytest.mark.parametrize("lost", range(1, 8))
def test_nor_does_one_of_a_bulk_change(
    stack: Stack, sources: Sources, far: None, monkeypatch: pytest.MonkeyPatch, name: str, lost: int
) -> None:
    fill(stack, 400)
    calls = lose_answer(monkeypatch, lost)
    insist(CHANGES[name][0](), sources)
    assert calls[0] > lost
    assert order(stack, LIST) == even(400)
    assert not stack.redis.exists(priority_key(QUEUE, 6), "nexus:bulk-laid")
    if name != "delete":
        assert sorted(order(stack, CHANGES[name][1])) == odd(400)


def test_an_attempt_that_could_not_be_ended_leaves_nothing_behind_after_the_next_one(
    stack: Stack, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(stack, 20)
    outcome = DeleteMessages((), within=ODD).run(sources)

    def end(*_: Any) -> None:
        raise Unreachable("the broker does not answer")

    with monkeypatch.context() as cut, pytest.raises(SourceError):
        cut.setattr(trash_reader.TrashReader, "end", end)
        Undo(outcome.undo).run(sources)
    assert len(list(stack.redis.scan_iter("nexus:trash*:*"))) == 1
    Undo(outcome.undo).run(sources)
    assert order(stack, LIST) == list(range(20))
    assert not list(stack.redis.scan_iter("nexus:trash*"))


def test_who_vanishes_while_taking_back_loses_nothing_and_the_next_one_ends_it(
    stack: Stack, sources: Sources, far: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(stack, 300)
    before = stack.redis.lrange(LIST, 0, -1)
    outcome = ChangePriority((), 8, within=ODD).run(sources)
    original, calls = trash_reader.TrashReader.merge, 0

    def merge(self: Any, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise KeyboardInterrupt
        return original(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(trash_reader.TrashReader, "merge", merge)
        patch.setattr("celery_nexus.broker.bulk.list_rotation.ListRotation._lay_all_back", lambda self: None)
        with pytest.raises(KeyboardInterrupt):
            Undo(outcome.undo).run(sources)
    everywhere = [
        raw for key in (LIST, priority_key(QUEUE, 6), priority_key(QUEUE, 8)) for raw in stack.redis.lrange(key, 0, -1)
    ]
    assert len(everywhere) == 300
    assert stack.redis.llen(priority_key(QUEUE, 6)) > 0
    stack.redis.lpush(LIST, "published")
    assert said(Undo(outcome.undo).run(sources)).endswith(" restored")
    assert stack.redis.lrange(LIST, 0, -1) == [b"published", *before]


def test_what_was_put_back_before_the_broker_went_away_is_said(
    stack: Stack, sources: Sources, far: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(stack, 300)
    before = stack.redis.lrange(LIST, 0, -1)
    outcome = DeleteMessages((), within=ODD).run(sources)
    original, calls = trash_reader.TrashReader.merge, 0

    def merge(self: Any, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise Unreachable("the broker does not answer")
        return original(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(trash_reader.TrashReader, "merge", merge)
        cut = Undo(outcome.undo).run(sources)
    assert not cut.done
    assert said(cut).endswith(" restored, then stopped: the broker does not answer; the same command does the rest")
    assert Undo(outcome.undo).run(sources).done
    assert stack.redis.lrange(LIST, 0, -1) == before


def test_two_operators_who_take_the_same_change_back_do_it_once(stack: Stack, sources: Sources, far: None) -> None:
    fill(stack, 300)
    before = stack.redis.lrange(LIST, 0, -1)
    outcome = DeleteMessages((), within=ODD).run(sources)
    [change] = sources.broker.list_undoables()
    others = [stack.broker() for _ in range(3)]
    backs: list[int] = []

    def take_back(broker: Any) -> None:
        try:
            backs.append(broker.restore(change).back)
        except SourceError as error:
            assert "another operator" in str(error) or "somebody else" in str(error), error

    threads = [threading.Thread(target=take_back, args=[broker]) for broker in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(backs) == 150, outcome
    assert stack.redis.lrange(LIST, 0, -1) == before

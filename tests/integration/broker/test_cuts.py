"""Connections that are cut in the middle of a change: what was done is said, and the rest can be done after it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from celery_nexus.actions.messages import ChangePriority, DeleteMessages
from celery_nexus.actions.queues import Undo
from celery_nexus.errors import NotFound, SourceError
from celery_nexus.queues import priority_key
from celery_nexus.rows.outcomes import Outcome
from celery_nexus.sources import Sources
from tests.integration.broker.conftest import NoHistory, Stack
from tests.integration.broker.test_bulk import ODD, QUEUE, even, fill, laid_over, odd, order

__all__ = ["laid_over"]

LIST = priority_key(QUEUE, 5)
LONGER = 1.05
PATIENCE_S = 60


@pytest.fixture
def sources(stack: Stack) -> Any:
    unused: Any = None
    return Sources(stack.broker(), stack.control(), NoHistory(), unused, unused, code=stack.code)  # type: ignore[arg-type]


@contextmanager
def cuts(stack: Stack, pause_s: float) -> Generator[list[int]]:
    """Cut all other connections of the broker again and again, each time after a longer pause than before.

    So on any machine many cuts come in the middle of what is done, and in the end a pause is long enough for the rest.
    """
    stop = threading.Event()
    counted = [0]

    def cut() -> None:
        own: Any = redis.Redis.from_url(stack.url.redis_py)
        pause = pause_s
        while not stop.wait(pause):
            pause *= LONGER
            counted[0] += int(own.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        yield counted
    finally:
        stop.set()
        thread.join()


def first_word(action: Any, sources: Sources) -> Outcome:
    """Give a command until it says something of its targets."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        try:
            return action.run(sources)
        except SourceError:
            continue
    raise AssertionError("no answer")


def insist(action: Any, sources: Sources) -> list[Outcome]:
    """Give a command until it has nothing more to do, as an operator would."""
    outcomes: list[Outcome] = []
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        try:
            outcomes.append(action.run(sources))
        except NotFound:  # it was done, and the answer was lost: what is taken back is not there any more
            return outcomes
        except SourceError:
            continue
        if outcomes[-1].done:
            return outcomes
    raise AssertionError(f"not done after {PATIENCE_S} s: {outcomes[-1:]}")


def count_of(outcome: Outcome) -> int:
    found = re.match(r"(?:moved|deleted) (\d+)", outcome.targets[0].message)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("how", ["direct", "laid over"])
@pytest.mark.parametrize("deletes", [True, False], ids=["delete", "priority"])
def test_every_message_of_a_bulk_change_is_counted_once_however_often_the_connection_is_cut(
    stack: Stack, sources: Sources, request: pytest.FixtureRequest, how: str, deletes: bool
) -> None:
    if how == "laid over":
        request.getfixturevalue("laid_over")
    fill(stack, 300)
    before = stack.redis.lrange(LIST, 0, -1)
    action = DeleteMessages((), within=ODD) if deletes else ChangePriority((), 8, within=ODD)
    with cuts(stack, 0.002) as counted:
        outcomes = insist(action, sources)
    assert counted[0] > 3
    assert sum(map(count_of, outcomes)) == 150
    assert order(stack, LIST) == even(300)
    assert deletes or sorted(order(stack, priority_key(QUEUE, 8))) == odd(300)
    assert not stack.redis.exists(priority_key(QUEUE, 6))
    for outcome in reversed(outcomes):
        if outcome.undo:
            Undo(outcome.undo).run(sources)
    assert stack.redis.lrange(LIST, 0, -1) == before
    assert not stack.redis.exists(priority_key(QUEUE, 8))


def test_what_is_said_of_each_message_is_true_when_connections_are_cut(stack: Stack, sources: Sources) -> None:
    messages = sources.broker.messages(QUEUE, 1) or fill(stack, 80)
    ids = [message.id for message in sources.broker.messages(QUEUE, limit=len(messages))]
    action = ChangePriority(tuple(ids), 8)
    with cuts(stack, 0.002):
        outcome = first_word(action, sources)
    moved = {message.id for message in sources.broker.messages(QUEUE, limit=100) if message.priority == 8}
    done = {row.target for row in outcome.targets if row.done}
    unknown = {row.target for row in outcome.targets if "whether it was changed is not known" in row.message}
    assert done <= moved <= done | unknown
    assert len(unknown) <= 1  # the one whose answer was lost, when the next connection was cut, too
    rest = [row for row in outcome.targets if row.target not in done | unknown]
    assert all("not done" in row.message for row in rest)
    assert len(insist(action, sources)[-1].targets) == 80
    assert [message.id for message in sources.broker.messages(QUEUE, limit=100)] == ids

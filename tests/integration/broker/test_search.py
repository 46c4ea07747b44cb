"""Search of a queue's messages by a filter, a part at a time, beside consumers."""

from __future__ import annotations

import base64
import json

import pytest

from celery_nexus.broker.read import search
from celery_nexus.errors import Invalid
from celery_nexus.queues import priority_key
from tests.integration.broker.conftest import Stack

QUEUE = "default_queue"


def message(number: int) -> str:
    """Make a message whose task is ``rare`` once in ten."""
    body = base64.b64encode(json.dumps([[number], {"token": "s3cret"}, {}]).encode()).decode()
    headers = {"id": f"{number:08}", "task": "shop.rare" if number % 10 == 7 else "shop.often", "retries": 0}
    properties = {"correlation_id": f"{number:08}", "body_encoding": "base64", "priority": 5}
    told = {"content-encoding": "utf-8", "content-type": "application/json"}
    return json.dumps({"body": body, "headers": headers, "properties": properties, **told})


@pytest.fixture
def waiting(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Let 300 messages wait in two lists, and be read some tens at a time."""
    monkeypatch.setattr(search, "FIRST_CHUNK", 60)
    monkeypatch.setattr(search, "CHUNK", 60)
    for number in range(300):
        stack.redis.lpush(priority_key(QUEUE, 5 if number < 250 else 9), message(number))
    return stack


def test_all_that_match_are_found_in_run_order_with_their_place_and_progress_is_told(waiting: Stack) -> None:
    found = waiting.broker().search(QUEUE, "task:rare")
    first = found.advance(0.0)
    assert (first.messages, first.is_complete) == ((), False)
    last = found.advance(10)
    assert [(row.id, row.position) for row in last.messages] == [(f"{n:08}", n) for n in range(7, 300, 10)]
    assert (last.looked, last.waiting, last.is_complete, last.is_cut) == (300, 300, True, False)


def test_nothing_is_missed_while_a_worker_takes_messages(waiting: Stack) -> None:
    found = waiting.broker().search(QUEUE, "task:rare")
    chunks = found._walk()
    next(chunks)
    for _ in range(search.OVERLAP):
        waiting.redis.rpop(priority_key(QUEUE, 5))
    for _ in chunks:
        pass
    assert [row.id for row in found._found] == [f"{n:08}" for n in range(7, 300, 10)]


def test_arguments_are_looked_at_and_secrets_are_masked_in_what_is_found(waiting: Stack) -> None:
    [row] = waiting.broker().search(QUEUE, "args.0=42").advance(10).messages
    assert row.args == [42]
    assert "s3cret" not in str(row.kwargs)


def test_a_search_ends_where_enough_was_found(waiting: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_FOUND", 5)
    found = waiting.broker().search(QUEUE, "").advance(10)
    assert (len(found.messages), found.is_complete, found.is_cut) == (5, True, True)


def test_a_wrong_filter_is_refused(stack: Stack) -> None:
    with pytest.raises(Invalid, match="no such state"):
        stack.broker().search(QUEUE, "state:bad")

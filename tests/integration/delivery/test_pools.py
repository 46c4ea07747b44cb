"""Reliable delivery with the pools that run tasks inside the worker: threads, greenlets, and the event loop itself."""

from __future__ import annotations

import json
import signal
from collections import defaultdict
from typing import Any

import pytest

from celery_nexus.connection.keys import EVENT_STREAM
from celery_nexus.delivery import keys
from tests.integration.delivery.conftest import Stack

POOLS = ("threads", "gevent", "eventlet", "solo")

every_pool = pytest.mark.parametrize("pool", POOLS)


def dead_letters(stack: Stack) -> list[str]:
    """The reasons of all dead letters."""
    return [json.loads(facts)["reason"] for facts in stack.client.hvals(keys.DEAD_FACTS)]


def waiting(stack: Stack) -> int:
    return stack.client.llen("default_queue:5") + stack.client.llen("default_queue\x06\x165")


def events(stack: Stack) -> dict[str, list[str]]:
    """The events of each run, by its id."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    entries: Any = stack.client.xrange(EVENT_STREAM)
    for _, fields in entries:
        event = json.loads(fields[b"d"])
        if "uuid" in event:
            found[event["uuid"]].append(event["type"])
    return found


@every_pool
def test_a_worker_fetches_delays_and_sets_aside_and_finishes_at_sigterm_what_runs(stack: Stack, pool: str) -> None:
    worker = stack.worker("w", "-P", pool, "-c", "2")
    ids = [stack.publish("t.note", f"short-{number}") for number in range(8)]
    ids.append(stack.publish("t.note", "delayed", countdown=1.5))
    stack.client.lpush("default_queue", b'{"properties": 1}')
    stack.until(lambda: stack.count("done:delayed") == 1)
    running = [stack.publish("t.note", f"long-{number}", 0.7) for number in range(8)]
    stack.until(lambda: stack.count("started:long-0") == 1)

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(20) == 0
    ended = [run_id for number, run_id in enumerate(running) if stack.count(f"done:long-{number}")]
    assert 1 <= len(ended) < 8
    assert waiting(stack) == 8 - len(ended)
    assert stack.client.hlen(keys.in_flight_key("w@test")) == 0
    assert dead_letters(stack) == ["malformed"]
    seen = events(stack)
    for run_id in [*ids, *ended]:
        assert sorted(seen[run_id]) == ["task-received", "task-started", "task-succeeded"]


@every_pool
def test_a_soft_stop_gives_back_what_runs_longer_than_it_may(stack: Stack, pool: str) -> None:
    stack.environment |= {"REMAP_SIGTERM": "SIGQUIT", "NEXUS_TEST_SOFT_SHUTDOWN_S": "0.5"}
    worker = stack.worker("w", "-P", pool, "-c", "2")
    ids = [stack.publish("t.note", f"long-{number}", 600) for number in range(4)]
    stack.until(lambda: stack.count("started:long-0") == 1)

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(20) == 0
    assert waiting(stack) == 4
    assert dead_letters(stack) == []
    states = [stack.producer.AsyncResult(run_id).state for run_id in ids]
    assert set(states) <= {"PENDING", "STARTED"}


@pytest.mark.parametrize("pool", ["threads", "gevent"])
def test_what_a_killed_worker_held_runs_again_and_what_kills_three_is_set_aside(stack: Stack, pool: str) -> None:
    stack.publish("t.poison", "poison", "exit")
    for _ in range(3):
        stack.worker("w", "-P", pool, "-c", "2", wait=False).wait(20)
    stack.publish("t.note", "good")
    stack.worker("w", "-P", pool, "-c", "2")
    stack.until(lambda: stack.count("done:good") == 1)
    assert stack.count("started:poison") == 3
    assert dead_letters(stack) == ["poisoned"]

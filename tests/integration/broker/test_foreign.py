"""A foreign Celery application: stock transport, its own key prefix, no heartbeats that we could read."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from celery_nexus.broker import BrokerSource
from celery_nexus.broker.edit.edits import Reprioritise
from celery_nexus.broker.read.survey import FIRST_LOOK_S, Survey
from celery_nexus.control.source import ControlSource
from celery_nexus.delivery.layout import Layout
from celery_nexus.rows.audit import Restored
from tests.harness.applications import point_at
from tests.harness.processes import clean_environment, start_worker
from tests.harness.waiting import wait_until
from tests.integration.broker.conftest import Stack

# Celery's result backend calls what this redis-py has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")

THEIRS = Layout("\x06\x16", (0, 3, 6, 9), "their:", is_reliable=False)


def detect(stack: Stack) -> Layout:
    """Look once, as at a start."""
    [layout] = Survey(stack.redis).look(FIRST_LOOK_S)
    return layout


def layout_of(separator: str, steps: tuple[int, ...], prefix: str = "") -> Layout:
    return Layout(separator, steps, prefix, is_reliable=False)


@pytest.fixture
def foreign(stack: Stack) -> Any:
    from tests.integration.broker.foreign import app

    point_at(app, stack.url.kombu, stack.url.kombu)
    return app


@pytest.fixture
def worker(stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    environment, log = clean_environment(FOREIGN_BROKER=stack.url.kombu), stack.home / "foreign.log"
    told: dict[str, Any] = {"node": "f@test", "environment": environment, "log": log}
    process = start_worker("tests.integration.broker.foreign", "-c", "1", **told)
    stack.processes.append(process)
    yield process
    stack.end(process, signal.SIGKILL)


def theirs(stack: Stack) -> BrokerSource:
    return BrokerSource.open_foreign(stack.url)


def test_the_layout_is_read_off_the_broker(stack: Stack, foreign: Any) -> None:
    foreign.tasks["tests.integration.broker.foreign.nap"].apply_async((0,), priority=6)
    assert detect(stack) == THEIRS


def test_an_empty_broker_is_taken_for_a_stock_one(stack: Stack) -> None:
    assert detect(stack) == layout_of("\x06\x16", (0, 3, 6, 9))


def test_keys_like_ours_make_nobody_ours(stack: Stack) -> None:
    stack.beat("w@test")
    stack.redis.xadd("nexus:events", {"d": "{}"})
    source = BrokerSource.open_foreign(stack.url)
    assert source.layout == layout_of("\x06\x16", (0, 3, 6, 9))
    assert source.queues() == ()


def test_a_separator_of_ones_own_is_detected_from_bindings_and_lists(stack: Stack) -> None:
    stack.redis.lpush("default_queue:5", "{}")
    stack.redis.sadd("_kombu.binding.default_queue", "default_queue::default_queue")
    assert detect(stack) == layout_of(":", (0, 5))


def test_lists_of_steps_of_ones_own_are_known_while_they_are_purged_and_all_come_back(stack: Stack) -> None:
    for step in ("", "|2", "|4", "|8"):
        stack.redis.lpush(f"shop:orders{step}", f"one {step}", f"two {step}")
    stack.redis.sadd("shop:_kombu.binding.orders", "orders||orders")
    layout = layout_of("|", (0, 2, 4, 8), "shop:")
    source = theirs(stack)
    assert source.layout == layout
    assert source.purge("orders", undo=source.announce_undo("purge", "purge orders", "orders")) == 8
    later = theirs(stack)
    assert later.layout == layout
    assert later.restore(later.list_undoables()[0]) == Restored(8)
    assert stack.redis.lrange("shop:orders|8", 0, -1) == [b"two |8", b"one |8"]
    assert later.queue("orders").waiting == 8


def test_nothing_is_put_into_a_list_that_was_never_seen_when_the_separator_is_ones_own(stack: Stack) -> None:
    stack.redis.lpush("orders", "{}")
    stack.redis.sadd("_kombu.binding.orders", "orders||orders")
    assert detect(stack) == layout_of("|", (0,))


def test_queues_messages_and_workers_of_a_foreign_application(stack: Stack, foreign: Any, worker: Any) -> None:
    source = theirs(stack)
    control = ControlSource(stack.url, foreign=source)
    [found] = wait_until(lambda: [row for row in control.workers() if row.queues], timeout_s=40)
    assert (found.name, found.verdict, found.queues) == ("f@test", "healthy", ("celery",))
    assert (found.pid, found.pool, found.concurrency) == (worker.pid, "prefork", 1)
    assert (found.heartbeat_at, found.rss_bytes, found.cpu_percent) == (None, None, None)
    nap = foreign.tasks["tests.integration.broker.foreign.nap"]
    running = nap.apply_async((60,), priority=3).id
    wait_until(lambda: control.find_holders([running]) == {running: ("active", "f@test")})
    waiting = [nap.apply_async((0,), priority=6).id for _ in range(8)]
    row = wait_until(lambda: next((row for row in source.queues() if row.waiting == 4), None))
    assert (row.name, row.by_priority) == ("celery", (0, 0, 0, 0, 0, 0, 4, 0, 0, 0))
    assert (row.in_flight, row.declared) == (4, None)
    [first, *_] = source.messages("celery")
    assert (first.id, first.args) == (waiting[4], [0])
    last = source.find(waiting[-1])
    assert last
    assert source.apply(last, Reprioritise(0, True)).done
    assert [message.id for message in source.messages("celery")] == [waiting[7], *waiting[4:7]]
    assert control.revoke([running], terminate=True)
    wait_until(lambda: foreign.AsyncResult(waiting[7]).state == "SUCCESS")


def test_a_message_that_carries_no_time_tells_its_age_by_events_or_since_it_was_seen(
    stack: Stack, foreign: Any
) -> None:
    first = foreign.tasks["tests.integration.broker.foreign.nap"].apply_async((0,), priority=6).id
    message = json.loads(stack.redis.rpop("their:celery\x06\x166"))
    message["headers"].pop("nexus_sent_at", None)  # stamped because this process knows our configuration
    stack.redis.lpush("their:celery\x06\x166", json.dumps(message))
    stack.redis.sadd("their:_kombu.binding.celery", "celery\x06\x16\x06\x16celery")
    source = theirs(stack)
    assert source.queue("celery").oldest_age_s is None
    seen = wait_until(lambda: source.queue("celery").oldest_age_s)
    assert seen < 20
    assert source.queue("celery").oldest_is_at_least
    told = theirs(stack)
    told.ages.sent_at = {first: time.time() - 3600}.get
    row = told.queue("celery")
    assert row.oldest_age_s is not None
    assert round(row.oldest_age_s / 60) == 60

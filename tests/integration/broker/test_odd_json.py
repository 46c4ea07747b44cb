"""What scripts read out of JSON inside Redis: times of any zone, names of any script, any way of writing it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from celery_nexus.delivery.layout import Layout
from celery_nexus.history.recorder.message_locations import locate
from celery_nexus.queues import priority_key
from celery_nexus.rows.selection import Selection
from tests.integration.broker.conftest import Stack

QUEUE = "default_queue"
NAMES = ["отчёты.собрать", "報告.作成", 'say "hi"', "back\\slash\\", "a/b", "😀.run", "plain.task"]
ZONES = [timedelta(0), timedelta(hours=-5), timedelta(hours=8), timedelta(hours=5, minutes=45)]


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def spread(value: Any) -> str:
    return json.dumps(value, indent=1, separators=(" , ", " : "), sort_keys=True)


WRITERS = [json.dumps, compact, spread, lambda value: json.dumps(value).replace("/", "\\/")]
WRITER_NAMES = ["as Python", "compact and raw", "spread and sorted", "with escaped slashes"]


def message(task: str, run_id: str = "an id", **headers: Any) -> dict[str, Any]:
    return {
        "body": "W1tdLCB7fSwge31d",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": task, "id": run_id, "argsrepr": '("task": "no")', **headers},
        "properties": {"body_encoding": "base64", "delivery_info": {"exchange": "", "routing_key": QUEUE}},
    }


def hold(stack: Stack, eta: str | None, queue: str = QUEUE, tag: str = "tag") -> None:
    """Let a stock worker hold a message."""
    stack.redis.hset("unacked", tag, json.dumps([message("t", eta=eta), "", queue]))


@pytest.mark.parametrize("offset", ZONES, ids=["UTC", "New York", "Shanghai", "Kathmandu"])
@pytest.mark.parametrize(("minutes", "delayed"), [(10, 1), (-10, 0)], ids=["due later", "due already"])
def test_delayed_and_in_flight_are_told_apart_in_every_zone(
    stack: Stack, offset: timedelta, minutes: int, delayed: int
) -> None:
    due = (datetime.now(UTC) + timedelta(minutes=minutes)).astimezone(timezone(offset))
    hold(stack, due.isoformat())
    row = stack.broker().queue(QUEUE)
    assert (row.in_flight, row.delayed) == (1 - delayed, delayed)
    assert row.next_due_at == (due if delayed else None)


@pytest.mark.parametrize(
    "text",
    ["2999-01-02T03:04:05", "2999-01-02T03:04:05Z", "2999-01-02T05:04:05.000000+02:00", "29990101T220405-0500"],
)
def test_each_spelling_of_a_time_is_the_same_moment(stack: Stack, text: str) -> None:
    hold(stack, text)
    assert stack.broker().queue(QUEUE).next_due_at == datetime(2999, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("text", ["soon", "", "2999", None])
def test_what_is_no_time_is_in_flight(stack: Stack, text: str | None) -> None:
    hold(stack, text)
    row = stack.broker().queue(QUEUE)
    assert (row.in_flight, row.delayed, row.next_due_at) == (1, 0, None)


def test_the_first_of_several_zones_is_due_next(stack: Stack) -> None:
    hold(stack, "2999-01-02T00:30:00+08:00", tag="first")  # 16:30 of the day before
    hold(stack, "2999-01-01T20:00:00-05:00", tag="last")  # 01:00
    hold(stack, "2999-01-01T23:00:00+00:00", tag="second")
    row = stack.broker().queue(QUEUE)
    assert (row.delayed, row.next_due_at) == (3, datetime(2999, 1, 1, 16, 30, tzinfo=UTC))


@pytest.mark.parametrize("name", [*NAMES, "очередь " * 12])
def test_in_flight_of_a_queue_of_any_name_is_counted(stack: Stack, name: str) -> None:
    hold(stack, None, name)
    [row] = [row for row in stack.broker(queues=[name]).queues() if row.name == name]
    assert row.in_flight == 1


@pytest.mark.parametrize("write", WRITERS, ids=WRITER_NAMES)
@pytest.mark.parametrize("name", NAMES)
def test_a_task_of_any_name_is_counted_selected_and_found(stack: Stack, name: str, write: Callable[[Any], str]) -> None:
    run_id = f"run of {name}"
    stack.redis.lpush(priority_key(QUEUE, 5), write(message(name, run_id)))
    broker = stack.broker()
    assert broker.count_by_task(QUEUE) == {name: 1}
    assert broker.freeze(Selection(QUEUE, "")).by_task == {name: 1}
    found = broker.find(run_id)
    assert found is not None
    assert (found.id, found.task) == (run_id, name)
    assert broker.ids(run_id[:-1]) == [run_id]
    places = locate(stack.redis, [QUEUE], Layout())
    assert places is not None
    assert set(places) == {run_id}


@pytest.mark.parametrize("write", WRITERS, ids=WRITER_NAMES)
def test_the_age_of_a_message_is_read_however_it_is_written(stack: Stack, write: Callable[[Any], str]) -> None:
    sent_at = datetime.now(UTC).timestamp() - 3600
    stack.redis.lpush(priority_key(QUEUE, 5), write(message("t", nexus_sent_at=sent_at)))
    age_s = stack.broker().queue(QUEUE).oldest_age_s
    assert age_s is not None
    assert 3600 <= age_s < 3660


def test_half_a_character_hides_no_message_from_a_selection(stack: Stack) -> None:
    stack.redis.lpush(priority_key(QUEUE, 5), json.dumps(message("t", argsrepr="\ud800")))
    assert stack.broker().freeze(Selection(QUEUE, "task:t")).by_task == {"t": 1}

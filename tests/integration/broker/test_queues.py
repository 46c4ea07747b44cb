"""What the broker holds, as the source tells it, and changes to single messages."""

from __future__ import annotations

import base64
import gzip
import json
import os
import threading
import zlib
from typing import Any

import pytest

from celery_nexus.actions.messages import ChangePriority
from celery_nexus.broker import BrokerSource
from celery_nexus.broker.edit.edits import Reprioritise
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.errors import Invalid, NotFound, Unreachable
from celery_nexus.queues import priority_key
from celery_nexus.sources import Sources
from tests.harness.waiting import wait_until
from tests.integration.broker.conftest import NoHistory, Stack

# Celery's result backend calls what this redis-py has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")


def numbers(source: BrokerSource, **page: int) -> list[Any]:
    return [message.args[0] for message in source.messages("default_queue", **page) if message.args]


def test_queues_count_by_priority_and_tell_the_oldest(stack: Stack) -> None:
    for number in range(3):
        stack.send(number, priority=9)
    stack.send(3, priority=0)
    row = stack.broker().queue("default_queue")
    assert (row.waiting, row.by_priority) == (4, (1, 0, 0, 0, 0, 0, 0, 0, 0, 3))
    assert (row.in_flight, row.delayed, row.consumers) == (0, 0, None)
    assert row.oldest_age_s is not None
    assert 0 <= row.oldest_age_s < 10
    assert row.declared


def test_what_a_stock_worker_holds_is_told_with_since_when_until_when_and_by_whom(stack: Stack) -> None:
    from nexus_tui.cli.listings.live import _held

    running = stack.send(1, 60)
    delayed = stack.send(2, countdown=500)
    stack.as_stock()
    stack.worker(concurrency=1)
    control: Any = stack.control()
    wait_until(lambda: len(control.find_holders([running, delayed])) == 2)
    row = stack.broker().queue("default_queue")
    assert (row.in_flight, row.delayed, row.waiting) == (1, 1, 0)
    assert row.next_due_at is not None
    unused: Any = None
    held = {
        row.id: row
        for row in _held(Sources(stack.broker(), control, unused, unused, unused, code=stack.code), "default_queue")
    }
    assert held[delayed].due_at == row.next_due_at
    assert (held[running].task, held[running].worker) == ("tests.integration.broker.jobs.trace", "w@test")
    since, back = held[running].since, held[running].redelivered_at
    assert since is not None
    assert back is not None
    assert (back - since).total_seconds() == 3600


def test_queues_without_consumers_and_consumers_without_a_queue_are_flagged(stack: Stack) -> None:
    stack.send(1)
    stack.send(2, queue="email_queue")
    consumers = {"default_queue": ("w@test",), "nowhere": ("w@test",)}
    flags = {row.name: row.flag for row in stack.broker().queues(consumers) if row.flag}
    assert flags == {"email_queue": "no consumer", "nowhere": "orphan"}


def test_all_queues_are_read_in_one_round_trip(stack: Stack) -> None:
    source = stack.broker()
    source.queues()
    before = stack.redis.info("commandstats")
    source.queues()
    after = stack.redis.info("commandstats")
    calls = {name: row["calls"] - before.get(name, {"calls": 0})["calls"] for name, row in after.items()}
    called = {name.removeprefix("cmdstat_") for name, count in calls.items() if count}
    assert "keys" not in called
    assert calls["cmdstat_evalsha"] == 1


def test_a_queue_that_is_only_bound_is_found_and_internal_ones_are_not(stack: Stack) -> None:
    with stack.app.connection_for_write() as connection:
        producer = connection.Producer()
        from kombu import Exchange, Queue

        other = Queue("other_queue", Exchange("other_queue", type="direct"), routing_key="other_queue")
        producer.publish({}, exchange=other.exchange, routing_key="other_queue", declare=[other], priority=0)
    stack.redis.sadd("_kombu.binding.celeryev", "worker.#::celeryev.1234")
    stack.redis.sadd("_kombu.binding.reply.celery.pidbox", "x::x.reply.celery.pidbox")
    rows = {row.name: row for row in stack.broker().queues()}
    assert sorted(set(rows) - {row.name for row in stack.broker().queues() if row.declared}) == ["other_queue"]
    assert (rows["other_queue"].waiting, rows["other_queue"].declared) == (1, False)


def test_an_unknown_queue_is_not_found(stack: Stack) -> None:
    with pytest.raises(NotFound, match="no queue 'nope'"):
        stack.broker().queue("nope")


def test_messages_are_listed_in_run_order_page_by_page(stack: Stack) -> None:
    for number in range(6):
        stack.send(number, priority=5)
    stack.send(100, priority=9)
    stack.send(200, priority=0)
    source = stack.broker()
    assert numbers(source) == [200, 0, 1, 2, 3, 4, 5, 100]
    assert numbers(source, limit=3, offset=0) == [200, 0, 1]
    assert numbers(source, limit=3, offset=3) == [2, 3, 4]
    assert numbers(source, limit=3, offset=6) == [5, 100]
    assert numbers(source, limit=3, offset=8) == []
    page = source.messages("default_queue", limit=2, offset=6)
    assert [(row.position, row.priority, row.depth) for row in page] == [(6, 5, 5), (7, 9, 0)]


def test_a_worker_runs_messages_in_the_listed_order(stack: Stack) -> None:
    for number in range(20):
        stack.send(number, priority=(number * 7) % 10)
    listed = numbers(stack.broker())
    order: list[int] = []
    while (raw := next((r for p in range(10) if (r := stack.redis.rpop(key(p)))), None)) is not None:
        order.append(json.loads(base64.b64decode(json.loads(raw)["body"]))[0][0])
    assert listed == order


def key(priority: int, queue: str = "default_queue") -> str:
    return priority_key(queue, priority)


def envelope(body: bytes, content_type: str = "application/json", **headers: Any) -> str:
    told = {"id": "x1", "task": "t", **headers}
    properties = {"priority": 5, "body_encoding": "base64"}
    encoded = base64.b64encode(body).decode()
    return json.dumps({"body": encoded, "content-type": content_type, "headers": told, "properties": properties})


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"\xff\xfe not json", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1, 2]", "not a Celery message: no JSON object"),
        (b"{}", "body is of an unknown kind: not opened"),
        (envelope(b"cos\nsystem\n", "application/x-python-serialize"), "body is application/x-python-serialize"),
        (
            envelope(b"!!python/object", "application/x-yaml"),
            "body is application/x-yaml: yaml that can't be read here",
        ),
        (envelope(b"{"), "body is not the JSON that it says it is"),
        (envelope(b"[1, 2, 3, 4]"), "body does not hold arguments as Celery writes them"),
        (envelope(zlib.compress(bytes(64 * 2**20)), compression="application/x-gzip"), "body unpacks to more than"),
        (envelope(b"nonsense", compression="application/x-gzip"), "body is not the application/x-gzip"),
        (envelope(b"[[], {}, {}]", compression="br"), "body is compressed with 'br': not opened"),
        (envelope(b"[[], {}, {}]", id=None), "not a Celery message: no task or id"),
    ],
    ids=[
        *("bytes", "deep", "array", "empty", "pickle", "yaml", "broken body", "odd body", "bomb", "no gzip", "brotli"),
        "no id",
    ],
)
def test_a_hostile_message_is_shown_as_what_it_is(stack: Stack, raw: bytes | str, problem: str) -> None:
    stack.redis.lpush(priority_key("default_queue", 5), raw)
    source = stack.broker()
    assert source.queue("default_queue").waiting == 1
    [message] = source.messages("default_queue")
    assert message.problem.startswith(problem)
    assert message.raw == (raw if isinstance(raw, bytes) else raw.encode())
    assert source.find("nothing") is None


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "zlib"])
def test_a_compressed_body_is_opened(stack: Stack, pack: Any) -> None:
    stack.redis.lpush(
        priority_key("default_queue", 5), envelope(pack(b'[[1], {"a": 2}, {}]'), compression="application/x-gzip")
    )
    [message] = stack.broker().messages("default_queue")
    assert (message.args, message.kwargs, message.problem) == ([1], {"a": 2}, "")


def test_messages_are_counted_by_task(stack: Stack) -> None:
    for number in range(1200):
        stack.redis.lpush(priority_key("default_queue", 5), envelope(b"[[], {}, {}]", task=f"t{number % 3}"))
    stack.redis.lpush("default_queue", b"junk")
    assert stack.broker().count_by_task("default_queue") == {"t0": 400, "t1": 400, "t2": 400, "": 1}


@pytest.mark.parametrize("is_near", [True, False], ids=["searched here", "searched by the server"])
def test_a_message_is_found_at_any_depth(stack: Stack, is_near: bool) -> None:
    filler = [envelope(b"[[], {}, {}]", id=f"f{number}") for number in range(12_000)]
    stack.redis.rpush(priority_key("default_queue", 5), *filler)
    source = stack.broker()
    source._parts.browser._is_near = is_near
    for wanted in ("f0", "f499", "f500", "f6000", "f11999"):
        found = source.find(wanted)
        assert found is not None
        assert (found.id, found.position) == (wanted, 11_999 - int(wanted[1:]))
    assert source.find("f12000") is None


def test_changing_the_priority_keeps_every_other_byte(stack: Stack) -> None:
    odd = (
        '{"body": "W1tdLCB7fSwge31d", "content-type":"application/json", "x": [], "big": 12345678901234567890123, '
        '"f": 1e5, "headers": {"id": "odd", "task": "t", "properties": {"priority": 1}}, '
        '"properties": {"body_encoding": "base64", "priority" : 5, "u": "\\u00e9 é"}}'
    )
    stack.redis.lpush(priority_key("default_queue", 5), odd)
    source = stack.broker()
    [message] = source.messages("default_queue")
    outcome = source.apply(message, Reprioritise(0))
    assert (outcome.done, outcome.message) == (True, "moved to priority 0")
    assert stack.redis.lrange("default_queue", 0, -1) == [odd.replace('"priority" : 5', '"priority" : 0').encode()]
    assert stack.redis.llen(priority_key("default_queue", 5)) == 0


def test_a_moved_message_joins_the_back_or_runs_next(stack: Stack) -> None:
    ids = [stack.send(number, priority=5) for number in range(3)]
    stack.send(10, priority=2)
    source = stack.broker()
    back, front = source.find(ids[2]), source.find(ids[1])
    assert back
    assert front
    source.apply(back, Reprioritise(2))
    source.apply(front, Reprioritise(2, True))
    assert numbers(source) == [1, 10, 2, 0]


def test_a_message_that_was_taken_meanwhile_is_left_alone(stack: Stack) -> None:
    stack.send(1)
    source = stack.broker()
    [message] = source.messages("default_queue")
    stack.redis.rpop(priority_key("default_queue", 5))
    outcome = source.apply(message, Reprioritise(0))
    assert (outcome.done, outcome.message) == (False, "had already started")
    assert source.queue("default_queue").waiting == 0


def test_a_priority_outside_the_range_is_refused(stack: Stack) -> None:
    stack.send(1)
    [message] = stack.broker().messages("default_queue")
    with pytest.raises(Invalid, match="priority 10"):
        stack.broker().apply(message, Reprioritise(10))


def test_each_message_runs_once_while_priorities_change_beside_two_workers(stack: Stack) -> None:
    sent = [stack.send(number, priority=5) for number in range(1200)]
    source = stack.broker()
    workers = [threading.Thread(target=stack.worker, args=("default_queue", 1, name)) for name in ("a", "b")]
    for thread in workers:
        thread.start()
    begun = wait_until(stack.executions, timeout_s=40)
    moved = 0
    for position, run_id in enumerate(reversed(sent)):
        message = source.find(run_id, queue="default_queue", priority=5)
        if message is None:
            break
        moved += source.apply(message, Reprioritise(position % 10, position % 2 == 0)).done
    ran_meanwhile = len(stack.executions()) - len(begun)
    for thread in workers:
        thread.join()
    wait_until(lambda: len(stack.executions()) == 1200, timeout_s=60)
    wait_until(lambda: not list(stack.redis.scan_iter("nexus:inflight:*")))
    assert moved > 100
    assert ran_meanwhile > 100
    assert set(stack.executions().values()) == {1}


def test_the_action_says_what_happened_to_each(stack: Stack) -> None:
    unused: Any = None
    sources = Sources(stack.broker(), stack.control(), NoHistory(), unused, unused, code=stack.code)  # type: ignore[arg-type]
    first, second = stack.send(1), stack.send(2)
    outcome = ChangePriority((first, second, "ffffffff-0000-0000-0000-000000000000"), 0, front=True).run(sources)
    assert sorted((row.done, row.message) for row in outcome.targets) == [
        (False, "no such run"),
        (True, "moved to the front of priority 0"),
        (True, "moved to the front of priority 0"),
    ]
    assert numbers(sources.broker) == [1, 2]


def test_a_broker_that_is_away_is_unreachable_and_its_password_not_told() -> None:
    url = BrokerUrl.parse(f"unix://:secret-word@{os.devnull}.sock")
    with pytest.raises(Unreachable) as raised:
        BrokerSource(url).queues()
    assert "secret-word" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_foreign_layout_is_read(stack: Stack) -> None:
    stack.redis.lpush("app:jobs", envelope(b"[[1], {}, {}]"))
    stack.redis.lpush("app:jobs\x06\x166", envelope(b"[[2], {}, {}]"))
    stack.redis.sadd("app:_kombu.binding.jobs", "jobs\x06\x16\x06\x16jobs")
    source = stack.broker(queues=(), declared=(), separator="\x06\x16", steps=(0, 3, 6, 9), prefix="app:")
    [row] = source.queues()
    assert (row.name, row.by_priority, row.declared) == ("jobs", (1, 0, 0, 0, 0, 0, 1, 0, 0, 0), None)
    assert [message.args for message in source.messages("jobs")] == [[1], [2]]


@pytest.mark.parametrize("is_ascii", [True, False], ids=["escaped", "as it is"])
@pytest.mark.parametrize("run_id", ["ünï-✓-1", "esc\x1b[2J-1", 'quoted"\\-1'])
def test_ids_that_are_no_uuids_are_found_by_their_beginning(stack: Stack, run_id: str, is_ascii: bool) -> None:
    envelope = {"headers": {"id": run_id, "task": "a.task"}, "properties": {}, "body": ""}
    stack.redis.lpush(priority_key("default_queue", 5), json.dumps(envelope, ensure_ascii=is_ascii))
    stack.redis.zadd("nexus:delayed:email_queue", {"5" + json.dumps(envelope, ensure_ascii=is_ascii): 4_000_000_000})
    source = stack.broker()
    assert source.ids(run_id[:-2]) == [run_id]
    assert source.ids(run_id) == [run_id]
    found = source.find(run_id, queue="default_queue")
    assert found is not None
    assert (found.id, found.queue) == (run_id, "default_queue")
    stack.redis.delete(priority_key("default_queue", 5))
    found = source.find(run_id, queue="default_queue")
    assert found is not None
    assert (found.id, found.queue) == (run_id, "email_queue")

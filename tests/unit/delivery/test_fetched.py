"""What becomes of a fetched message, and of a channel that closes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from benchmarks.faults.malformed import message
from celery_nexus.delivery import keys, validation
from celery_nexus.delivery.keys import FetchedTag
from celery_nexus.delivery.transport import fetching, transport
from celery_nexus.delivery.transport.fetching import EARLY_S
from celery_nexus.delivery.transport.transport import FULL_ROUND_S, ROUND_S, Channel, Transport
from tests.unit.delivery.consuming import FEW, Worker, encoded


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    return Worker(monkeypatch, FEW)


def test_messages_are_delivered_by_the_tag_of_their_fetch(worker: Worker) -> None:
    worker.ask()
    assert worker.read([[0, b"p:a:5", encoded()], [1, b"p:b", encoded()]])
    delivered = [(made["properties"]["delivery_tag"], queue) for made, queue in worker.delivered]
    assert delivered == [("f1.0 p:a:5", "a"), ("f1.1 p:b", "b")]
    assert all(isinstance(tag, FetchedTag) for tag, _ in delivered)
    assert worker.rotated == ["a", "b"]


def test_one_that_is_too_large_is_set_aside_by_its_size(worker: Worker) -> None:
    worker.ask()
    assert worker.read([[0, b"p:a", b"", 40_000_000]])
    detail = f"40000000 bytes, more than {validation.MAX_MESSAGE_BYTES}"
    assert worker.flight.done == [("set_aside", FetchedTag("f1.0 p:a"), "malformed", detail, {})]


@pytest.mark.parametrize(
    "change",
    [
        lambda worker: worker.channel.__dict__.update(_closing=True),
        lambda worker: worker.channel._active_queues.remove("a"),
    ],
    ids=["closing", "cancelled"],
)
def test_what_came_too_late_goes_back_to_its_place(worker: Worker, change: Any) -> None:
    change(worker)
    worker.take(encoded())
    assert (worker.flight.done, worker.delivered) == ([("restore", FetchedTag("f1.1 p:a:5"), "next")], [])


def test_what_came_while_the_worker_ends_goes_back(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching.running, "is_leaving", lambda: True)
    worker.take(encoded())
    assert worker.flight.done == [("restore", FetchedTag("f1.1 p:a:5"), "next")]


def test_garbage_is_set_aside(worker: Worker) -> None:
    worker.take(b"garbage")
    [(_, tag, reason, detail, facts)] = worker.flight.done
    assert (tag, reason, facts) == ("f1.1 p:a:5", "malformed", {"id": None, "task": None})
    assert detail.startswith("not JSON: ")


def test_a_malformed_run_of_another_producer_is_counted_and_named(worker: Worker) -> None:
    made = message("t.note", ())
    made["headers"]["retries"] = "many"
    worker.take(json.dumps(made).encode())
    [(_, tag, _, _, facts)] = worker.flight.done
    assert (tag, facts) == ("f1.1+ p:a:5", {"id": made["headers"]["id"], "task": "t.note"})


def test_a_malformed_run_that_was_counted_is_not_counted_again(worker: Worker) -> None:
    worker.take(encoded(retries="many"))
    assert worker.flight.done[0][1] == "f1.1 p:a:5"


def test_a_run_of_another_producer_is_counted_when_it_is_taken(worker: Worker) -> None:
    worker.take(json.dumps(message("t.note", ())).encode())
    [(made, _)] = worker.delivered
    assert made["properties"]["delivery_tag"] == "f1.1+ p:a:5"
    assert made["headers"][keys.ADOPTED_HEADER] is True


def test_our_own_is_not(worker: Worker) -> None:
    worker.take(encoded())
    [(made, _)] = worker.delivered
    assert made["properties"]["delivery_tag"] == "f1.1 p:a:5"
    assert keys.ADOPTED_HEADER not in made["headers"]


@pytest.mark.parametrize(("ahead_s", "is_delayed"), [(EARLY_S, False), (EARLY_S + 0.5, True), (-5.0, False)])
def test_what_is_due_later_waits_in_the_broker(worker: Worker, ahead_s: float, is_delayed: bool) -> None:
    worker.take(encoded(eta=datetime.fromtimestamp(1000.0 + ahead_s, UTC).isoformat()))
    delayed = [("delay", FetchedTag("f1.1 p:a:5"), 1000.0 + ahead_s)]
    assert worker.flight.done == (delayed if is_delayed else [])
    assert len(worker.delivered) == (not is_delayed)


def test_an_error_that_is_not_the_messages_own_puts_it_back_behind_others(worker: Worker) -> None:
    worker.problem = RuntimeError("not caught here")
    with pytest.raises(RuntimeError):
        worker.take(encoded())
    worker.problem = KeyError("pool")
    worker.take(encoded())
    tag = FetchedTag("f1.1 p:a:5")
    assert (worker.flight.done, worker.forgotten) == ([("restore", tag, "last")], [tag])


def test_what_can_be_made_no_message_is_set_aside(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("no message")

    monkeypatch.setattr(Channel, "Message", refuse)
    worker.problem = ValueError("no message")
    worker.take(encoded(id="r1"))
    tag = FetchedTag("f1.1 p:a:5")
    facts = {"id": "r1", "task": "t.note"}
    assert worker.flight.done == [("set_aside", tag, "malformed", "ValueError: no message", facts)]
    assert worker.forgotten == [tag]


def test_an_error_over_a_message_that_is_not_held_any_more_is_raised(worker: Worker) -> None:
    worker.problem, worker.flight.is_held = KeyError("pool"), False
    with pytest.raises(KeyError, match="pool"):
        worker.take(encoded())
    assert worker.forgotten == []


@pytest.mark.parametrize("problem", [redis.ConnectionError("cut"), redis.TimeoutError("slow"), OSError("reset")])
def test_a_lost_connection_leaves_the_message_to_the_reconnect(worker: Worker, problem: Exception) -> None:
    worker.problem = problem
    with pytest.raises(type(problem)):
        worker.take(encoded())
    assert worker.flight.done == []


@pytest.mark.parametrize(
    ("node", "no_ack", "queue", "is_ours"),
    [("w", False, "c", True), ("", False, "c", False), ("w", True, "c", False), ("w", False, "fan", False)],
)
def test_a_workers_acknowledged_queues_are_fetched_from(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, node: str, no_ack: bool, queue: str, is_ours: bool
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(transport._Channel, "basic_consume", lambda _self, *args: asked.append(args))
    worker.channel.__dict__.update(nexus_node=node, _fanout_queues={"fan": ("x", "")}, _acknowledged_queues=set())
    worker.channel.basic_consume(queue, no_ack, "callback")
    assert asked == [(queue, no_ack, "callback")]
    assert worker.channel._acknowledged_queues == ({queue} if is_ours else set())


@pytest.mark.parametrize("client", [None, "client"])
def test_a_channel_whose_transport_was_detached_closes_all_the_same(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, client: Any
) -> None:
    def fail(_self: Any) -> None:
        raise AttributeError("'NoneType' object has no attribute 'hostname'")

    monkeypatch.setattr(transport._Channel, "close", fail)
    worker.channel.connection.client = client
    if client is None:
        worker.channel.close()
        assert worker.channel.closed
    else:
        with pytest.raises(AttributeError, match="hostname"):
            worker.channel.close()


def test_what_comes_while_a_channel_closes_goes_back(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport._Channel, "close", lambda _self: None)
    worker.ask()
    worker.connection.answers = [[[0, b"p:a", encoded()]]]
    worker.channel.close()
    assert worker.flight.done == [("restore", FetchedTag("f1.0 p:a"), "next")]
    assert worker.channel._in_poll is None


def test_a_fetch_that_breaks_while_a_channel_closes_is_given_up(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport._Channel, "close", lambda _self: None)
    worker.ask()
    worker.connection.answers = [redis.ConnectionError("cut")]
    worker.channel.close()
    assert worker.channel._in_poll is None


@pytest.mark.parametrize(
    ("channels", "timeout", "waits_s"),
    [
        ([(True, True)], 2.0, ROUND_S),
        ([(True, False)], 2.0, FULL_ROUND_S),
        ([(True, True), (True, False)], 2.0, FULL_ROUND_S),
        ([(True, True)], 0.1, 0.1),
        ([(False, False)], 2.0, 2.0),
        ([(True, False)], None, None),
    ],
)
def test_a_worker_without_an_event_loop_comes_round_often(
    monkeypatch: pytest.MonkeyPatch, channels: list[tuple[bool, bool]], timeout: float | None, waits_s: float | None
) -> None:
    waited: list[Any] = []
    monkeypatch.setattr(
        transport._Transport, "drain_events", lambda _self, _connection, seconds: waited.append(seconds)
    )
    made: Any = Transport.__new__(Transport)
    made.cycle = SimpleNamespace(
        _channels=[
            SimpleNamespace(_is_fetching=is_ours, qos=SimpleNamespace(can_consume=lambda has_room=has_room: has_room))
            for is_ours, has_room in channels
        ]
    )
    made.drain_events("connection", timeout)
    assert waited == [waits_s]

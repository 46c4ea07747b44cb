"""When a worker's channel asks for messages, what it asks, how long it waits, and answers that are none."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from redis.exceptions import NoScriptError, ResponseError

from celery_nexus.delivery import validation
from celery_nexus.delivery.keys import FetchedTag
from celery_nexus.delivery.transport import fetching
from celery_nexus.delivery.transport.fetch_script import FETCH, FETCH_SHA
from celery_nexus.delivery.transport.fetching import (
    FENCED_WAIT_S,
    FEW_QUEUES,
    IDLE_WAIT_S,
    IDLE_WAIT_S_PER_QUEUE,
    MIN_WAIT_S,
    REFUSED_WAIT_S,
)
from tests.unit.delivery.consuming import FEW, NOW, Worker, encoded

MANY = [f"q{number}" for number in range(FEW_QUEUES + 1)]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    return Worker(monkeypatch, FEW)


@pytest.fixture
def worker_of_many(monkeypatch: pytest.MonkeyPatch) -> Worker:
    return Worker(monkeypatch, MANY)


def fetch(worker: Worker) -> tuple[Any, ...]:
    asked = worker.ask()
    assert asked is not None
    return asked[-1]


# What is asked


def test_a_fetch_names_whose_it_is_how_lists_are_called_and_how_much_may_come(worker: Worker) -> None:
    worker.room = 3
    layout, limits = ("p:", ":", "05"), (validation.MAX_MESSAGE_BYTES, 3, 1)
    names = ("held", "leases", "p:nexus:waiting")
    assert worker.ask() == [("EVAL", FETCH, 3, *names, "w", "token", "f1", *layout, *limits, "a", "b")]


@pytest.mark.parametrize(("room", "most"), [(None, 8), (100, 8), (8, 8), (7, 7), (1, 1), (0, 1)])
def test_a_fetch_takes_what_there_is_room_for_and_eight_at_most(worker: Worker, room: Any, most: int) -> None:
    worker.room = room
    assert fetch(worker)[-4] == most


def test_the_script_is_sent_until_the_server_knows_it_and_again_when_it_forgot(worker: Worker) -> None:
    assert fetch(worker)[:2] == ("EVAL", FETCH)
    worker.read(None)
    assert fetch(worker)[:2] == ("EVALSHA", FETCH_SHA)
    worker.read(None, NoScriptError())
    assert fetch(worker)[:2] == ("EVAL", FETCH)


def test_nothing_is_asked_without_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(monkeypatch, [])
    worker.channel._acknowledged_queues = {"a"}
    assert worker.ask() is None


def test_nothing_is_asked_by_who_is_about_to_end(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching.running, "is_leaving", lambda: True)
    assert worker.ask() is None


def test_on_a_connection_that_was_made_anew_nothing_is_asked_yet(worker: Worker) -> None:
    worker.connection.made_anew_as = "second"
    assert worker.ask() is None
    assert worker.channel._in_poll is None
    assert worker.ask() is not None


def test_what_an_unanswered_fetch_took_is_put_back_before_the_next(worker: Worker) -> None:
    worker.ask()
    taken, earlier, similar = (FetchedTag(f"{fetch_id}.0 p:a") for fetch_id in ("f1", "f0", "f11"))
    worker.flight.held = [earlier, taken, similar]
    assert worker.ask() is not None
    assert worker.flight.done == [("restore", taken, "next")]


@pytest.mark.parametrize("problem", [redis.ConnectionError("away"), OSError("away")])
def test_while_that_can_not_be_done_nothing_is_asked(worker: Worker, problem: Exception) -> None:
    worker.ask()
    worker.flight.problem = problem
    assert worker.ask() is None
    worker.flight.problem = None
    worker.flight.held = [FetchedTag("f1.0 p:a")]
    assert worker.ask() is not None
    assert len(worker.flight.done) == 1


def test_what_was_answered_is_not_put_back(worker: Worker) -> None:
    worker.ask()
    worker.read(None)
    worker.flight.held = [FetchedTag("f1.0 p:a")]
    worker.ask()
    assert worker.flight.done == []


# How it waits


def test_an_idle_worker_waits_to_be_woken_and_fetches_then(worker: Worker) -> None:
    worker.ask()
    assert not worker.read(None)
    asked = worker.ask()
    assert asked is not None
    assert asked[0] == ("BRPOP", "p:nexus:wake:a", "p:nexus:wake:b", IDLE_WAIT_S)
    assert len(asked) == 2


def test_a_worker_that_got_something_asks_again_at_once(worker: Worker) -> None:
    worker.ask()
    worker.read(None)
    worker.ask()
    assert worker.read(None, [[0, b"p:a:5", encoded()]])
    assert len(worker.ask() or ()) == 1


@pytest.mark.parametrize(
    ("due_in", "wait_s"), [(b"0.1", 0.1), (b"7", IDLE_WAIT_S), (b"0.001", MIN_WAIT_S), (b"0", MIN_WAIT_S)]
)
def test_it_waits_no_longer_than_until_the_next_is_due(worker: Worker, due_in: bytes, wait_s: float) -> None:
    worker.ask()
    worker.read(due_in)
    assert (worker.ask() or [()])[0][-1] == wait_s


def test_a_worker_of_few_queues_looks_through_them_when_it_was_idle_and_now_and_then(worker: Worker) -> None:
    looks = [fetch(worker)[-3]]
    worker.read(None)
    looks.append(fetch(worker)[-3])
    worker.read(None, [[0, b"p:a:5", encoded()]])
    for worker.now in (NOW + IDLE_WAIT_S - 0.01, NOW + IDLE_WAIT_S):
        looks.append(fetch(worker)[-3])
        worker.read([[0, b"p:a:5", encoded()]])
    assert looks == [1, 1, 0, 1]


def test_a_worker_of_many_queues_looks_through_them_when_its_time_has_come(worker_of_many: Worker) -> None:
    worker, looks, waits = worker_of_many, [], []
    for worker.now in (NOW, NOW + 0.2, NOW + 0.2499, NOW + 0.25):
        asked = worker.ask() or []
        looks.append(asked[-1][-len(MANY) - 1])
        waits.append(asked[0][-1] if len(asked) == 2 else None)
        worker.read(*[None] * len(asked))
    assert looks == [1, 0, 0, 1]
    assert waits == [None, pytest.approx(0.25), pytest.approx(0.05), None]


def test_looking_through_very_many_queues_is_rarer(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(monkeypatch, [f"q{number}" for number in range(1000)])
    worker.ask()
    assert worker.channel._look_at == NOW + 1000 * IDLE_WAIT_S_PER_QUEUE


# Answers that are none


def test_a_broker_that_refuses_is_left_alone_for_a_second(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    worker.ask()
    assert not worker.read(ResponseError("OOM"))
    assert "the broker refuses to hand out messages: OOM" in caplog.text
    worker.now = NOW + REFUSED_WAIT_S - 0.01
    assert worker.ask() is None
    worker.now = NOW + REFUSED_WAIT_S
    assert len(worker.ask() or ()) == 1


def test_a_broker_that_refuses_to_wake_is_left_alone_too_and_what_it_fetched_is_taken(worker: Worker) -> None:
    worker.ask()
    worker.read(None)
    worker.ask()
    assert worker.read(ResponseError("WRONGTYPE"), [[0, b"p:a:5", encoded()]])
    assert len(worker.delivered) == 1
    assert worker.ask() is None


def test_who_lost_its_lease_takes_it_anew_and_asks_a_moment_later(worker: Worker) -> None:
    renewed: list[float] = []
    worker.flight.on_fenced = lambda: renewed.append(worker.now)
    worker.ask()
    assert not worker.read(ResponseError("FENCED the lease of w is another's"))
    assert renewed == [NOW]
    worker.now = NOW + FENCED_WAIT_S - 0.01
    assert worker.ask() is None
    worker.now = NOW + FENCED_WAIT_S
    assert worker.ask() is not None


@pytest.mark.parametrize("problem", [redis.ConnectionError("cut"), OSError("reset")])
def test_a_connection_that_broke_is_closed_and_the_script_sent_anew(worker: Worker, problem: Exception) -> None:
    worker.ask()
    worker.read(None)
    worker.ask()
    with pytest.raises(type(problem)):
        worker.read(None, problem)
    assert (worker.connection.is_connected, worker.channel._in_poll, worker.channel._is_waiting) == (False, None, False)
    assert fetch(worker)[0] == "EVAL"


def test_a_channel_that_consumes_nothing_to_be_acknowledged_pops_as_kombu_does(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(fetching._Channel, "_brpop_start", lambda _self, timeout: asked.append(timeout))
    monkeypatch.setattr(fetching._Channel, "_brpop_read", lambda _self, **options: asked.append(options) or True)
    worker.channel._acknowledged_queues = set()
    worker.channel._brpop_start(3)
    assert worker.channel._brpop_read(quick=True) is True
    assert asked == [3, {"quick": True}]
    assert worker.connection.sent == []

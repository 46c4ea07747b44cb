"""Countdowns and lifetimes are counted from the broker's now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery import Celery

from celery_nexus.delivery import running
from celery_nexus.delivery.transport import clock as clock_module
from celery_nexus.delivery.transport.clock import READ_EVERY_S, BrokerTimedMessages

BROKER = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


class Broker:
    """A broker whose clock a test sets; its client answers ``TIME``."""

    def __init__(self) -> None:
        self.now = BROKER
        self.asked = 0
        self.problem: Exception | None = None

    def time(self) -> tuple[int, int]:
        self.asked += 1
        if self.problem is not None:
            raise self.problem
        return int(self.now.timestamp()), self.now.microsecond


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(clock_module.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def amqp(broker: Broker, clock: list[float]) -> Any:
    app = Celery("t", set_as_current=False)
    app.conf.update(enable_utc=True)
    made = BrokerTimedMessages(app)
    app.__dict__["_local_backend"] = None
    made.app = SimpleNamespace(backend=SimpleNamespace(client=broker), timezone=UTC, conf=app.conf, oid="o")
    made.app.now = lambda: datetime.now(UTC)
    return made


def headers(amqp: Any, *args: Any, **options: Any) -> dict[str, Any]:
    return amqp.as_task_v2("id", "t", (), {}, *args, **options).headers


def test_a_countdown_begins_at_the_brokers_now(amqp: Any) -> None:
    assert headers(amqp, countdown=10)["eta"] == (BROKER + timedelta(seconds=10)).isoformat()
    assert headers(amqp, 20)["eta"] == (BROKER + timedelta(seconds=20)).isoformat()


@pytest.mark.parametrize("expires", [30, 30.0])
def test_so_does_a_lifetime(amqp: Any, expires: float) -> None:
    assert headers(amqp, expires=expires)["expires"] == (BROKER + timedelta(seconds=30)).isoformat()


def test_what_has_neither_asks_nobody(amqp: Any, broker: Broker) -> None:
    headers(amqp)
    headers(amqp, countdown=0)
    headers(amqp, expires=BROKER)
    headers(amqp, eta=BROKER)
    assert broker.asked == 0


def test_whose_now_is_given_asks_nobody(amqp: Any, broker: Broker) -> None:
    at = datetime(2040, 1, 1, tzinfo=UTC)
    assert headers(amqp, countdown=5, now=at)["eta"] == "2040-01-01T00:00:05+00:00"
    assert broker.asked == 0


def test_the_broker_is_asked_once_a_minute(amqp: Any, broker: Broker, clock: list[float]) -> None:
    headers(amqp, countdown=1)
    broker.now = BROKER + timedelta(hours=1)
    clock[0] += READ_EVERY_S
    assert headers(amqp, countdown=1)["eta"] == (BROKER + timedelta(seconds=61)).isoformat()
    clock[0] += 1
    assert headers(amqp, countdown=1)["eta"] == (BROKER + timedelta(hours=1, seconds=1)).isoformat()
    assert broker.asked == 2


def test_the_zone_is_the_applications(amqp: Any) -> None:
    amqp.app.timezone = timezone(timedelta(hours=2))
    assert amqp._now() == BROKER
    assert amqp._now().utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize("problem", [redis.ConnectionError("away"), OSError("away"), AttributeError("no redis")])
def test_without_an_answer_it_is_this_hosts_now(amqp: Any, broker: Broker, problem: Exception) -> None:
    broker.problem = problem
    before = datetime.now(UTC)
    due = datetime.fromisoformat(headers(amqp, countdown=3600)["eta"])
    assert before + timedelta(hours=1) <= due <= datetime.now(UTC) + timedelta(hours=1)
    broker.problem = None
    assert headers(amqp, countdown=10)["eta"] == (BROKER + timedelta(seconds=10)).isoformat()


@pytest.fixture
def worker_clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [50.0]
    monkeypatch.setattr(running.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(running, "_broker_clock", None)
    return now


def test_a_worker_knows_the_brokers_time_between_two_answers(worker_clock: list[float]) -> None:
    running.note_broker_clock(1000.0)
    worker_clock[0] += 3.5
    assert running.now() == 1003.5


def test_before_the_first_answer_it_is_this_hosts(worker_clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running.time, "time", lambda: 77.0)
    assert running.now() == 77.0


def test_what_is_due_on_the_brokers_clock_has_a_moment_on_this_one(worker_clock: list[float]) -> None:
    running.note_broker_clock(1000.0)
    assert running.on_this_clock(datetime.fromtimestamp(1000, UTC)) is None
    assert running.on_this_clock(datetime.fromtimestamp(990, UTC)) is None
    before = datetime.now(UTC)
    moment = running.on_this_clock(datetime.fromtimestamp(1030, UTC))
    assert moment is not None
    assert before + timedelta(seconds=30) <= moment <= datetime.now(UTC) + timedelta(seconds=30)


def test_ids_of_fetches_are_in_their_order_and_nobody_elses() -> None:
    first, second = running.next_fetch_id(), running.next_fetch_id()
    assert first < second
    assert first.rpartition("-")[0] == second.rpartition("-")[0]
    assert len(first) == len(second)


def test_a_worker_that_leaves_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_is_leaving", False)
    assert not running.is_leaving()
    running.begin_to_leave()
    assert running.is_leaving()

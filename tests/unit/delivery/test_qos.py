"""What a channel does with what was delivered: by the worker's own record, or as kombu does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import redis

from celery_nexus.delivery.keys import FetchedTag
from celery_nexus.delivery.transport import qos as qos_module
from celery_nexus.delivery.transport.qos import STOCK_LOOK_EVERY_S, QoS

ONE, TWO, RUNS = (FetchedTag(f"{number} q") for number in range(3))


class Flight:
    """What a worker holds; notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.handed_over = frozenset({RUNS})
        self.problem: Exception | None = None

    def acknowledge(self, tag: str) -> None:
        self.asked.append(("acknowledge", tag))

    def restore(self, tag: str, *, first: bool) -> bool:
        if self.problem is not None:
            raise self.problem
        self.asked.append(("restore", tag, "next" if first else "last"))
        return True


class Celerys:
    """Notes what of kombu's own is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[Any] = []
        for name in ("append", "ack", "reject", "restore_by_tag", "restore_visible"):
            monkeypatch.setattr(qos_module._QoS, name, self._note(name))

    def _note(self, name: str) -> Any:
        return lambda _self, *args, **options: self.asked.append((name, *args, *options.values()))


@pytest.fixture
def flight() -> Flight:
    return Flight()


@pytest.fixture
def celerys(monkeypatch: pytest.MonkeyPatch) -> Celerys:
    return Celerys(monkeypatch)


@pytest.fixture
def qos(flight: Flight) -> Any:
    made: Any = QoS.__new__(QoS)
    qos_module._virtual_qos.__init__(made, SimpleNamespace(in_flight=flight, nexus_node="w", do_restore=False), 0)
    return made


def test_what_was_fetched_is_noted_in_memory_alone(qos: Any, celerys: Celerys) -> None:
    qos.append("message", ONE)
    assert list(qos._delivered) == [ONE]
    assert celerys.asked == []


def test_other_deliveries_are_kombus(qos: Any, celerys: Celerys, flight: Flight) -> None:
    qos.append("message", "tag")
    qos.ack("tag")
    qos.reject("tag", requeue=True)
    qos.restore_by_tag("tag", client="c", leftmost=True)
    assert celerys.asked == [
        ("append", "message", "tag"),
        ("ack", "tag"),
        ("reject", "tag", True),
        ("restore_by_tag", "tag", "c", True),
    ]
    assert flight.asked == []


def test_an_acknowledgement_makes_room(qos: Any, flight: Flight) -> None:
    qos.append("message", ONE)
    qos.ack(ONE)
    qos._flush()
    assert flight.asked == [("acknowledge", ONE)]
    assert list(qos._delivered) == []


@pytest.mark.parametrize(("requeue", "asked"), [(True, ("restore", ONE, "last")), (False, ("acknowledge", ONE))])
def test_what_is_rejected_is_dropped_or_waits_behind_others(
    qos: Any, flight: Flight, requeue: bool, asked: tuple[str, ...]
) -> None:
    qos.append("message", ONE)
    qos.reject(ONE, requeue=requeue)
    qos._flush()
    assert flight.asked == [asked]
    assert list(qos._delivered) == []


def test_what_is_dropped_by_default(qos: Any, flight: Flight) -> None:
    qos.reject(ONE)
    assert flight.asked == [("acknowledge", ONE)]


def test_what_was_dealt_with_elsewhere_is_forgotten(qos: Any, flight: Flight) -> None:
    qos.append("message", ONE)
    qos.forget(ONE)
    qos._flush()
    assert (list(qos._delivered), flight.asked) == ([], [])


@pytest.mark.parametrize(("leftmost", "place"), [(False, "next"), (True, "last")])
def test_one_is_put_back(qos: Any, flight: Flight, leftmost: bool, place: str) -> None:
    qos.restore_by_tag(ONE, leftmost=leftmost)
    assert flight.asked == [("restore", ONE, place)]


def test_what_is_not_acknowledged_goes_back_in_its_order_and_what_runs_stays(qos: Any, flight: Flight) -> None:
    for tag in (ONE, RUNS, TWO):
        qos.append("message", tag)
    assert qos.restore_unacked() == []
    assert flight.asked == [("restore", TWO, "next"), ("restore", ONE, "next")]
    assert list(qos._delivered) == []


def test_what_was_acknowledged_a_moment_ago_does_not_go_back(qos: Any, flight: Flight) -> None:
    qos.append("message", ONE)
    qos.ack(ONE)
    qos.restore_unacked()
    assert flight.asked == [("acknowledge", ONE)]


@pytest.mark.parametrize("problem", [redis.ConnectionError("away"), OSError("away")])
def test_what_can_not_go_back_stays_in_flight(
    qos: Any, flight: Flight, problem: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    qos.append("message", ONE)
    flight.problem = problem
    assert qos.restore_unacked() == []
    assert "messages in flight stay there until the broker is back: away" in caplog.text
    assert list(qos._delivered) == []


def test_a_channel_without_a_worker_keeps_nothing(qos: Any, flight: Flight) -> None:
    qos.channel.nexus_node = ""
    qos.append("message", RUNS)
    qos.restore_unacked()
    assert flight.asked == [("restore", RUNS, "next")]


def test_a_worker_looks_rarely_for_what_stock_workers_left(
    qos: Any, celerys: Celerys, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [5.0]
    monkeypatch.setattr(qos_module, "monotonic", lambda: now[0])
    for now[0] in (5.0, 5.0 + STOCK_LOOK_EVERY_S - 1, 5.0 + STOCK_LOOK_EVERY_S):
        qos.restore_visible(1, 2, 10)
    assert celerys.asked == [("restore_visible", 1, 2, 1)] * 2


def test_others_look_as_often_as_kombu_does(qos: Any, celerys: Celerys) -> None:
    qos.channel.nexus_node = ""
    for _ in range(2):
        qos.restore_visible(1, 2, 10)
    assert celerys.asked == [("restore_visible", 1, 2, 10)] * 2


@pytest.mark.parametrize(
    ("prefetch", "children", "held", "fetches"),
    [
        (8, 2, 4, True),
        (8, 2, 5, False),  # two run, three of six wait
        (4, 2, 2, True),
        (4, 2, 3, False),
        (2, 2, 1, True),  # nothing waits in the worker: each end makes room for one
        (2, 2, 2, False),
        (2, 4, 1, True),  # fewer than the children could run
        (0, 2, 9, True),  # without a bound
    ],
)
def test_messages_are_fetched_when_half_of_what_may_wait_is_running(
    qos: Any, prefetch: int, children: int, held: int, fetches: bool
) -> None:
    qos.prefetch_count = prefetch
    qos.count_children = lambda: children
    for number in range(held):
        qos.append("message", FetchedTag(f"{number} q"))
    assert qos.can_consume() is fetches


def test_where_no_children_are_known_each_end_makes_room(qos: Any) -> None:
    qos.prefetch_count = 8
    for number in range(7):
        qos.append("message", FetchedTag(f"{number} q"))
    assert qos.can_consume()

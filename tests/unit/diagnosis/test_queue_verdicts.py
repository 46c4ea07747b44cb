"""Verdicts of queues from what was seen at two moments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from celery_nexus.diagnosis.verdicts import queues as verdicts
from celery_nexus.diagnosis.verdicts.look import Look, Looks
from celery_nexus.diagnosis.verdicts.near_names import find_near_name
from celery_nexus.diagnosis.verdicts.queues import Head
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.diagnosis.connections import Connection, Connections
from celery_nexus.rows.diagnosis.findings import Finding
from celery_nexus.rows.workers import Worker

W = Worker("w@h", "healthy", queues=("orders",), concurrency=2, active=0, reserved=0, processed=10, pid=9)
Q = QueueStats("orders", 12, (12, 0, 0, 0, 0, 0, 0, 0, 0, 0), in_flight=0, delayed=0, consumers=("w@h",))
LOST = replace(Q, name="ordres", consumers=(), oldest_age_s=90.0)


def looks(before: dict[str, Any] | None = None, **facts: Any) -> Looks:
    told: dict[str, Any] = {"workers": (W,), "queues": (Q,), "connections": Connections((Connection(1),)), **facts}
    now = Look(2.0, **told)
    return Looks(now, replace(now, at_s=0.0, **(before or {})))


def told(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.kind, finding.subject, finding.fix) for finding in findings]


def test_messages_under_a_name_that_is_nearly_that_of_a_consumed_queue_are_for_nobody() -> None:
    [finding] = verdicts.find_no_consumer(looks(queues=(Q, LOST)))
    assert told([finding]) == [("for nobody", "ordres", "nexus-tui move --from ordres orders")]
    assert finding.proof == (
        "12 wait in ordres, the oldest for 1 m 30 s, and no worker takes from it; there is a queue orders"
    )


def test_a_queue_without_a_worker_and_with_a_name_of_its_own_has_no_consumer() -> None:
    rows = (Q, replace(LOST, name="attic"))
    assert told(verdicts.find_no_consumer(looks(queues=rows))) == [
        ("no consumer", "attic", "celery -A APPLICATION worker -Q attic")
    ]


def test_a_queue_whose_worker_supervisor_knows_is_freed_by_its_program() -> None:
    stopped = replace(W, name="attic@?", program="workers:attic", verdict="stopped", queues=())
    seen, programs = looks(workers=(W, stopped), queues=(replace(LOST, name="attic"),)), {"attic": "workers:attic"}
    assert told(verdicts.find_no_consumer(seen, ("attic",), programs)) == [
        ("no consumer", "attic", "nexus-tui start workers:attic")
    ]
    elsewhere = looks(queues=(replace(LOST, name="attic"),))
    assert told(verdicts.find_no_consumer(elsewhere, ("attic",), programs))[0][2] == (
        "celery -A APPLICATION worker -Q attic"
    )


def test_a_declared_queue_is_not_taken_for_a_mistyped_one() -> None:
    [finding] = verdicts.find_no_consumer(looks(queues=(Q, LOST)), {"ordres", "orders"})
    assert finding.kind == "no consumer"


@pytest.mark.parametrize(
    "queue",
    [Q, replace(LOST, waiting=0), replace(LOST, paused=True), replace(LOST, consumers=None)],
    ids=["consumed", "empty", "paused", "nobody could be asked, and somebody takes messages"],
)
def test_a_queue_that_is_no_trouble_has_no_finding(queue: QueueStats) -> None:
    pops = Connections((Connection(1, command="brpop", is_blocked=True),))
    assert verdicts.find_no_consumer(looks(queues=(queue,), connections=pops)) == []


def test_where_nobody_could_be_asked_the_broker_says_that_nobody_takes_messages() -> None:
    unknown = replace(LOST, name="attic", consumers=None, oldest_age_s=None)
    two = looks(queues=(unknown,), workers=(), dismissed=("w@h",))
    [finding] = verdicts.find_no_consumer(two)
    assert finding.proof == (
        "12 wait in attic, and no worker takes from it; none of the 1 connections to the broker waits for a message; "
        "w@h had a mailbox here, and does not listen: it is gone, or deaf"
    )
    assert verdicts.find_no_consumer(Looks(two.now)) == [], "a worker may be between two pops"


def test_a_paused_queue_with_messages_is_resumed() -> None:
    paused = replace(Q, paused=True, consumers=())
    assert told(verdicts.find_idle_consumers(looks(queues=(paused,), workers=()))) == [
        ("paused", "orders", "nexus-tui resume orders")
    ]


def test_a_queue_whose_workers_are_all_deaf_or_stopped_says_which() -> None:
    rows = (replace(W, verdict="deaf"), replace(W, name="b@h", verdict="stopped"))
    [finding] = verdicts.find_idle_consumers(looks(workers=rows))
    assert (finding.kind, finding.proof) == ("all deaf", "12 wait in orders; w@h is deaf, b@h is stopped")
    assert verdicts.find_idle_consumers(looks(workers=(*rows, replace(W, name="c@h")))) == []


def test_a_queue_that_grows_beyond_a_minutes_work_is_growing() -> None:
    busy = replace(W, active=1, processed=20)
    before = {"queues": (replace(Q, waiting=500),), "workers": (replace(busy, processed=10),)}
    two = looks(before, workers=(busy,), queues=(replace(Q, waiting=600),))
    [finding] = verdicts.find_growing(two, free_bytes=540_000.0, message_bytes=1_000.0)
    assert told([finding]) == [("growing", "orders", "nexus-tui grow w@h 1")]
    assert finding.proof.startswith(
        "600 wait in orders; 55.0 come in a second and 5.0 leave; the broker's memory is full in 11 s, at 20"
    )


def test_when_every_place_is_taken_that_is_why_it_grows() -> None:
    full = replace(W, active=2)
    before = {"queues": (replace(Q, waiting=500),)}
    [finding] = verdicts.find_growing(looks(before, workers=(full,), queues=(replace(Q, waiting=600),)))
    assert finding.kind == "all full"
    assert finding.proof == ("600 wait in orders; 50.0 come in a second and 0.0 leave; all 2 places of w@h are taken")


@pytest.mark.parametrize(
    ("waiting", "begun"), [(500, 20), (499, 10), (520, 100)], ids=["as much leaves", "it shrinks", "a minute's work"]
)
def test_a_burst_that_is_worked_off_is_not_growing(waiting: int, begun: int) -> None:
    before = {"queues": (replace(Q, waiting=500),), "workers": (replace(W, active=1),)}
    two = looks(before, workers=(replace(W, active=1, processed=begun),), queues=(replace(Q, waiting=waiting),))
    assert verdicts.find_growing(two) == []


def test_the_rate_of_a_queue_whose_worker_serves_another_one_is_unknown() -> None:
    before = {"queues": (replace(Q, waiting=0),)}
    two = looks(before, workers=(replace(W, queues=("orders", "mail")),), queues=(replace(Q, waiting=900),))
    assert verdicts.find_growing(two) == []


def test_tasks_that_none_of_its_workers_has_are_unregistered() -> None:
    heads = {"orders": Head(("shop.new",), 20)}
    rows = (W, replace(W, name="b@h", queues=("other",)))
    [finding] = verdicts.find_unregistered(looks(workers=rows), heads, {"w@h": {"shop.old"}, "b@h": {"shop.new"}})
    assert told([finding]) == [("unregistered task", "orders", "nexus-tui move --from orders other")]
    assert finding.proof == "the next 20 of orders are shop.new, which w@h don't have"


@pytest.mark.parametrize(
    ("head", "known"),
    [
        (Head(("shop.new", "shop.old"), 20), {"w@h": {"shop.old"}}),
        (Head(("shop.new", ""), 20), {"w@h": {"shop.old"}}),
        (Head(("shop.new",), 20), {}),
        (Head(), {"w@h": {"shop.old"}}),
    ],
    ids=["one of them is known", "one can't be read", "nobody could be asked", "nothing waits"],
)
def test_a_queue_with_something_to_run_is_no_finding(head: Head, known: dict[str, set[str]]) -> None:
    assert verdicts.find_unregistered(looks(), {"orders": head}, known) == []


@pytest.mark.parametrize(("rounds", "found"), [(1, []), (2, [("goes round", "orders", "nexus-tui delete a-run")])])
def test_a_message_that_comes_back_again_and_again_goes_round(rounds: int, found: list[tuple[str, str, str]]) -> None:
    assert told(verdicts.find_rounds({"orders": Head(rounds={"a-run": rounds})})) == found


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("ordres", "orders"),
        ("Orders", "orders"),
        ("order", "orders"),
        ("attic", ""),
        ("orders", ""),
        ("заказ", "заказы"),
    ],
)
def test_a_name_is_near_when_letters_were_swapped_left_out_or_written_otherwise(name: str, near: str) -> None:
    assert find_near_name(name, ["orders", "mail_us", "work1", "abc", "заказы", "shop-a", "tenanta", "tenantb"]) == near

"""Verdicts of workers from what was seen at two moments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from celery_nexus.diagnosis.verdicts.judge import find_of_workers, judge_workers
from celery_nexus.diagnosis.verdicts.look import Look, Looks
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.diagnosis.connections import Connection, Connections
from celery_nexus.rows.workers import Child, Worker

W = Worker(
    "w@h", "healthy", queues=("q",), pool="prefork", concurrency=4, active=0, reserved=0, processed=17, pid=9,
    prefetch=16, is_stock=True, uptime_s=3600.0,
)  # fmt: skip
Q = QueueStats("q", 12, (12, 0, 0, 0, 0, 0, 0, 0, 0, 0), in_flight=0, delayed=0, consumers=("w@h",))
POP = Connection(1, command="brpop", is_blocked=True)
OTHER = Connection(2, command="ping")
NOBODY = Connections((OTHER, OTHER))


def seen(**facts: Any) -> Look:
    told: dict[str, Any] = {
        "workers": (W,), "queues": (Q,), "connections": NOBODY, "heads": {"q": "first"}, **facts,
    }  # fmt: skip
    return Look(2.0, **told)


def looks(before: dict[str, Any] | None = None, **facts: Any) -> Looks:
    """Two looks, two seconds from each other; the same is seen at both unless it is said."""
    now = seen(**facts)
    return Looks(now, replace(now, at_s=0.0, **(before or {})))


def kinds(two: Looks) -> list[str]:
    return [finding.kind for finding in find_of_workers(two)]


def test_a_worker_with_free_places_that_takes_nothing_of_a_waiting_queue_is_deaf() -> None:
    [finding] = find_of_workers(looks())
    assert (finding.kind, finding.severity, finding.subject, finding.fix) == (
        "deaf", "broken", "w@h", "nexus-tui shutdown w@h",
    )  # fmt: skip
    assert finding.proof == (
        "12 wait in q; 4 of its 4 places are free, and it has begun 17, as 2 s before; "
        "none of the 2 connections to the broker waits for a message"
    )


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({}, {"queues": (replace(Q, waiting=0),)}),
        ({"queues": (replace(Q, waiting=0),)}, {}),
        ({"heads": {"q": "another"}}, {"connections": Connections((POP,))}),
        ({"workers": (replace(W, processed=16),)}, {}),
        ({"workers": (replace(W, pid=8),)}, {}),
        ({"workers": ()}, {}),
        ({}, {"workers": (replace(W, active=4),)}),
        ({}, {"workers": (replace(W, active=1, reserved=3),)}),
        ({}, {"workers": (replace(W, reserved=None),)}),
        ({}, {"workers": (replace(W, uptime_s=1.0),)}),
        ({}, {"workers": (replace(W, queues=("another",)),)}),
        ({}, {"queues": (replace(Q, paused=True),)}),
        ({}, {"limited": frozenset({"w@h"}), "queues": (replace(Q, in_flight=16),)}),
        ({}, {"limited": frozenset({"w@h"}), "queues": (replace(Q, in_flight=None),)}),
        ({}, {"heads": {}, "connections": None}),
    ],
    ids=[
        "nothing waits", "nothing waited", "somebody takes", "it began one", "it was started anew", "it is new",
        "it is full", "it holds some", "it does not say what it holds", "it is starting", "it is of another queue",
        "the queue is paused", "a rate limit holds as many back as it may have", "what is in flight is unknown",
        "nothing is known of the queue's next",
    ],
)  # fmt: skip
def test_a_worker_is_not_deaf_when_anything_else_explains_it(before: dict[str, Any], now: dict[str, Any]) -> None:
    assert kinds(looks(before, **now)) == []


def test_one_look_proves_nothing() -> None:
    assert kinds(Looks(seen())) == []
    assert kinds(Looks(seen(), replace(seen(), at_s=1.0))) == []


def test_a_deaf_worker_beside_a_hearing_one_is_known_by_the_connection_that_is_missing() -> None:
    hearing = replace(W, name="b@h", pid=10, active=4)
    facts = {"workers": (W, hearing), "connections": Connections((POP, OTHER)), "heads": {"q": "second"}}
    before = {"heads": {"q": "first"}, "workers": (W, replace(hearing, processed=3))}
    assert kinds(looks(before, **facts)) == ["deaf"]
    assert kinds(looks(before, **(facts | {"connections": Connections((POP, POP))}))) == []


def test_who_waits_for_another_queue_is_no_proof_of_hearing() -> None:
    [finding] = find_of_workers(looks(connections=Connections((POP, OTHER))))
    assert finding.proof.endswith("1 of 2 connections wait for a message, none of them for q")


def test_a_worker_without_remote_control_is_deaf_when_nobody_takes_messages_at_all() -> None:
    unasked = Worker("w@h", "healthy", active=0, processed=17, pid=9)
    queue = replace(Q, consumers=None)
    assert kinds(looks(workers=(unasked,), queues=(queue,))) == ["deaf"]
    assert kinds(looks(workers=(unasked,), queues=(queue,), connections=Connections((POP,)))) == []
    assert kinds(looks(workers=(unasked,), queues=(replace(queue, in_flight=1),))) == []


def test_a_worker_that_is_heard_of_no_more_is_silent() -> None:
    gone = Worker("w@h", "silent", "does not answer; last heartbeat 40 s ago", program="workers:w")
    [finding] = find_of_workers(looks(workers=(gone,)))
    assert (finding.kind, finding.severity, finding.fix) == ("silent", "broken", "nexus-tui restart workers:w")
    assert finding.proof == (
        "does not answer; last heartbeat 40 s ago; none of the 2 connections to the broker listens for remote control"
    )


def test_a_worker_that_may_be_busy_with_a_solo_pool_is_a_warning() -> None:
    silent = Worker("w@h", "silent", "listens, and does not answer: it may be busy (solo pool), or accept no JSON")
    [finding] = find_of_workers(looks(workers=(silent,), connections=None))
    assert finding.severity == "warning"


@pytest.mark.parametrize(
    ("held", "is_hoarding"),
    [
        ({"active": 4, "reserved": 12}, False),
        ({"prefetch": 32}, False),
        ({"prefetch": 33}, True),
        ({"prefetch": 612}, True),
        ({"active": 4, "reserved": 29}, True),
        ({"prefetch": 0, "reserved": 500, "active": 4}, True),
        ({"prefetch": 0}, False),
        ({"prefetch": 33, "prefetch_multiplier": 10.0}, False),
        ({"concurrency": 1, "prefetch": 14, "prefetch_multiplier": 4.0}, False),
        ({"concurrency": 1, "prefetch": 15, "prefetch_multiplier": 4.0}, True),
        ({"concurrency": None, "prefetch": 999}, False),
    ],
)
def test_a_worker_that_holds_or_may_hold_far_more_than_it_should_is_hoarding(
    held: dict[str, Any], is_hoarding: bool
) -> None:
    assert kinds(looks(workers=(replace(W, **held),), queues=())) == (["hoarding"] if is_hoarding else [])


def test_a_hoard_of_delayed_runs_is_told() -> None:
    worker = replace(W, prefetch=616)
    [finding] = find_of_workers(looks(workers=(worker,), queues=(replace(Q, waiting=0, delayed=600),)))
    assert finding.proof == (
        "it holds 0 (0 run, 0 fetched) and may hold 616; 4 places × 4 make 16; "
        "600 runs with an ETA wait in workers' memory"
    )


def test_an_idle_worker_is_starved_while_a_full_sibling_holds_more_and_begins_none() -> None:
    full = replace(W, name="b@h", pid=10, active=4, reserved=12)
    two = looks(workers=(W, full), queues=(replace(Q, waiting=0),))
    [finding] = find_of_workers(two)
    assert (finding.kind, finding.subject) == ("starved", "w@h")
    assert finding.proof == "idle, while b@h runs 4 and holds 12 more of q"
    goes_on = {"workers": (W, replace(full, processed=16))}
    assert kinds(looks(goes_on, workers=(W, full), queues=(replace(Q, waiting=0),))) == []


def test_two_processes_under_one_name_are_twins() -> None:
    assert kinds(looks(workers=(replace(W, instances=2),), queues=())) == ["twin"]


def test_a_child_over_its_limit_is_over_memory() -> None:
    children = (Child(5, rss_bytes=150_000_000), Child(6, rss_bytes=512_000_000, task="shop.load"))
    worker = replace(W, children=children, child_memory_limit_bytes=200_000_000)
    [finding] = find_of_workers(looks(workers=(worker,), queues=()))
    assert finding.kind == "over memory"
    assert finding.proof.startswith("its child 6 uses ")
    assert finding.proof.endswith(" while it runs shop.load")


def test_a_worker_that_takes_nearly_all_memory_of_its_machine_is_over_memory() -> None:
    near = replace(W, rss_bytes=91, host_memory_bytes=100)
    assert kinds(looks(workers=(near,), queues=())) == ["over memory"]
    assert kinds(looks(workers=(replace(near, rss_bytes=90),), queues=())) == []


@pytest.mark.parametrize(("restarts", "found"), [(1, []), (2, ["crash-looping"])])
def test_a_worker_that_is_started_anew_while_it_is_looked_at_is_crash_looping(restarts: int, found: list[str]) -> None:
    assert kinds(looks(queues=(), restarts={"w@h": restarts})) == found


def test_the_worst_finding_is_the_verdict_and_its_proof_the_reason() -> None:
    [worker] = judge_workers(looks(workers=(replace(W, prefetch=612),)))
    assert (worker.verdict, worker.reason[:14]) == ("deaf", "12 wait in q; ")
    [worker] = judge_workers(looks(workers=(replace(W, prefetch=612),), queues=()))
    assert worker.verdict == "hoarding"


def test_a_worker_whose_queue_an_operator_paused_is_paused_and_not_draining() -> None:
    draining = replace(W, queues=(), verdict="draining", reason="takes from no queue and holds nothing")
    paused = replace(Q, paused=True, paused_workers=("w@h",), consumers=())
    [worker] = judge_workers(looks(workers=(draining,), queues=(paused,)))
    assert (worker.verdict, worker.reason) == ("paused", "takes from no queue: q is paused")
    [worker] = judge_workers(looks(workers=(draining,), queues=(replace(paused, paused_workers=("b@h",)),)))
    assert worker.verdict == "draining"


def test_a_healthy_worker_keeps_its_verdict() -> None:
    assert judge_workers(looks(queues=(replace(Q, waiting=0),))) == (W,)

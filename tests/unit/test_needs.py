"""What needs an operator."""

from __future__ import annotations

import pytest

from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.history import Recent, TaskStats
from celery_nexus.rows.snapshot import Reading, Snapshot
from celery_nexus.rows.workers import Worker
from nexus_tui.screens.tables.needs import Need, count_troubles, find_needs


def queue(name: str, verdict: str = "", reason: str = "") -> QueueStats:
    return QueueStats(name, 1204, (0,) * 10, oldest_age_s=41.0, verdict=verdict, reason=reason)


def worker(name: str, verdict: str) -> Worker:
    return Worker(name=name, verdict=verdict, reason=f"because of {verdict}")


def test_what_is_lost_or_stands_still_comes_before_what_is_late() -> None:
    queues = [queue("a", "growing", "fast"), queue("b"), queue("c", "no consumer", "nobody")]
    workers = [worker("w1", "silent"), worker("w2", "deaf")]
    assert find_needs(queues, workers) == (
        Need("c", "no consumer", "nobody", is_bad=True),
        Need("w2", "deaf", "because of deaf", is_bad=True),
        Need("a", "growing", "fast", is_bad=False),
        Need("w1", "silent", "because of silent", is_bad=False),
    )


@pytest.mark.parametrize("verdict", ["healthy", "busy", "full", "draining", "paused", "starting", "stopped", "unknown"])
def test_a_worker_that_is_well_or_was_told_to_stop_needs_nobody(verdict: str) -> None:
    assert find_needs([], [worker("w", verdict)]) == ()


def test_a_verdict_of_a_worker_that_is_not_known_here_is_shown_all_the_same() -> None:
    assert find_needs([], [worker("w", "haunted")]) == (Need("w", "haunted", "because of haunted", is_bad=False),)


def test_a_queue_without_a_reason_says_what_waits() -> None:
    assert find_needs([queue("q", "growing")], [])[0].reason == "1,204 wait, the oldest for 41 s"


def snapshot(queues: list[QueueStats], workers: list[Worker]) -> Snapshot:
    return Snapshot(Reading(tuple(queues)), Reading(tuple(workers)), Reading())


def test_tabs_count_what_is_ill_with_the_sign_of_the_worst_and_the_failures_of_the_hour() -> None:
    now = snapshot([queue("a", "growing"), queue("b")], [worker("w1", "silent"), worker("w2", "deaf")])
    hour = TaskStats("", "", 20, 20, 13, 7, 0, 0, 0.35, None, None)
    assert count_troubles(now, Recent(1, hour=hour)) == {
        "queues": ("▲1", "warn"),
        "workers": ("✗2", "bad"),
        "failures": ("✗7", "bad"),
    }


def test_tabs_count_nothing_where_nothing_is_wrong_or_known() -> None:
    assert count_troubles(snapshot([queue("b")], [worker("w", "busy")]), Recent(1)) == {}
    assert count_troubles(Snapshot(Reading(), Reading(), Reading()), Recent(-1)) == {}

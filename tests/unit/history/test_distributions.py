"""Waits by queue over time, and histograms of a task's runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.history.query.distributions import read_histogram, read_waits
from celery_nexus.history.query.history import History
from celery_nexus.history.store.store import Store

START = 1_750_000_020.0
"""At the beginning of a minute."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "history.sqlite3")
    yield store
    store.close()


def life(id_: str, minute: int, queue: str, waited: float, ran: float, task: str = "t") -> list[dict[str, Any]]:
    """A run that ended in a minute after START."""
    ended = START + 60 * minute + 30
    told = {"uuid": id_, "hostname": "w"}
    return [
        {"type": "task-sent", "name": task, "queue": queue, "timestamp": ended - ran - waited, **told},
        {"type": "task-started", "timestamp": ended - ran, **told},
        {"type": "task-succeeded", "timestamp": ended, "runtime": ran, **told},
    ]


def test_waits_are_told_by_queue_and_slice_the_longest_first(store: Store) -> None:
    store.write([
        *life("a", 0, "quick", 0.5, 1), *life("b", 2, "quick", 0.5, 1), *life("c", 1, "slow", 100, 1),
    ])  # fmt: skip
    with History(store.path) as history:
        rows = read_waits(history, START, START + 179)
    assert [row.queue for row in rows] == ["slow", "quick"]
    slow, quick = rows
    assert [None if value is None else round(value) for value in slow.p95_s] == [None, 100, None]
    assert [value is None for value in quick.p95_s] == [False, True, False]
    assert round(slow.worst_s) == 100


def test_waits_of_longer_slices_are_those_of_their_minutes(store: Store) -> None:
    store.write([*life("a", 0, "q", 5, 1), *life("b", 14, "q", 50, 1)])
    with History(store.path) as history:
        (row,) = read_waits(history, START, START + 1199, 600)
    assert max(value for value in row.p95_s if value is not None) == pytest.approx(50, rel=0.02)


def test_a_histogram_has_a_bar_for_each_bound_between_the_ends(store: Store) -> None:
    runs = [
        life("a", 0, "q", 0, 0.2),
        life("b", 0, "q", 0, 0.25),
        life("c", 1, "q", 0, 7),
        life("x", 1, "q", 0, 900, "o"),
    ]
    store.write([event for run in runs for event in run])
    with History(store.path) as history:
        ran, _ = read_histogram(history, START, START + 3600, "t")
    assert [(share.least_s, share.most_s, share.count) for share in ran] == [
        (0.1, 0.3, 2), (0.3, 1.0, 0), (1.0, 3.0, 0), (3.0, 10.0, 1),
    ]  # fmt: skip


def test_the_last_bar_has_no_bound(store: Store) -> None:
    store.write(life("a", 0, "q", 0, 9000))
    with History(store.path) as history:
        (share,), _ = read_histogram(history, START, START + 3600, "t")
    assert (share.most_s, share.count) == (None, 1)


def test_of_a_task_that_nobody_knows_there_is_nothing(store: Store) -> None:
    with History(store.path) as history:
        assert read_histogram(history, START, START + 60, "nobody") == ([], [])
        assert read_waits(history, START, START + 60) == []

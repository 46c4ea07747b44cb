"""How many runs ended since the broker counts: whatever their workers' clocks said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from celery_nexus.history.store.ended_runs import count_ended, list_repeats, note_count_start
from celery_nexus.history.store.retention import Retention
from celery_nexus.history.store.store import Store

SINCE = 1_800_000_000.0
HOUR = 3600.0


def event(kind: str, id_: str, at: float, **fields: Any) -> dict[str, Any]:
    return {"type": f"task-{kind}", "uuid": id_, "hostname": "w@h", "timestamp": SINCE + at, **fields}


def ended(id_: str, at: float, kind: str = "succeeded") -> list[dict[str, Any]]:
    return [event("sent", id_, at - 1, name="mail"), event(kind, id_, at)]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = Store(tmp_path / "history.db")
    yield store
    store.close()


def counts(store: Store, since: float = SINCE) -> tuple[int, int, int]:
    found = count_ended(store.connection, since)
    return found["SUCCESS"], found["FAILURE"], found["REVOKED"]


def test_what_ended_by_a_clock_that_is_an_hour_off_counts(store: Store) -> None:
    note_count_start(store.connection, SINCE)
    store.write([*ended("a", 5), *ended("b", HOUR, "failed"), *ended("c", -HOUR), *ended("d", -HOUR, "revoked")])
    assert counts(store) == (2, 1, 1)


def test_what_had_ended_before_does_not(store: Store) -> None:
    store.write([*ended("old", -60), *ended("older", -90, "failed"), *ended("new", 1)])
    note_count_start(store.connection, SINCE)
    store.write(ended("newer", 2))
    assert counts(store) == (2, 0, 0)


def test_the_second_before_belongs_to_the_count(store: Store) -> None:
    store.write([*ended("a", -0.9), *ended("b", -1.1)])
    assert counts(store) == (1, 0, 0)
    note_count_start(store.connection, SINCE)
    assert counts(store) == (1, 0, 0)


def test_the_beginning_is_noted_once(store: Store) -> None:
    note_count_start(store.connection, SINCE)
    store.write(ended("a", -HOUR))
    note_count_start(store.connection, SINCE)
    assert counts(store) == (1, 0, 0)


def test_a_count_that_began_anew_forgets_the_one_before(store: Store) -> None:
    note_count_start(store.connection, SINCE)
    store.write(ended("a", 5))
    note_count_start(store.connection, SINCE + 60)
    store.write(ended("b", 70))
    assert counts(store, SINCE + 60) == (1, 0, 0)


def test_a_count_whose_beginning_nobody_noted_goes_by_time(store: Store) -> None:
    store.write([*ended("a", -60), *ended("b", 60)])
    assert counts(store) == (1, 0, 0)


def test_open_runs_have_not_ended(store: Store) -> None:
    note_count_start(store.connection, SINCE)
    store.write([event("started", "a", 1), event("rejected", "b", 1), event("retried", "c", 1)])
    assert counts(store) == (0, 0, 0)


def test_pruned_runs_count_as_they_did(store: Store) -> None:
    store.write(ended("old", -60))
    note_count_start(store.connection, SINCE)
    store.write([*ended("a", 1), *ended("b", 2, "failed"), event("started", "c", 3)])
    assert Retention(max_age_s=-10_000_000_000).step(store) == 4
    assert counts(store) == (1, 1, 0)


def test_pruned_runs_count_while_nobody_noted_the_beginning(store: Store) -> None:
    store.write([*ended("a", 10), *ended("b", 20), *ended("c", 30)])
    Retention(max_runs=0).step(store)
    assert counts(store) == (3, 0, 0)


def test_what_was_submitted_again_since_then_is_listed_with_its_times(store: Store) -> None:
    sent = [event("sent", "a", at, name="mail") for at in (-50, -40, 5, 6 - HOUR)]
    store.write(sent[:2])
    note_count_start(store.connection, SINCE)
    store.write([sent[2], sent[3] | {"uncounted": True}])
    assert list_repeats(store.connection, SINCE) == {"a": [(SINCE + 6 - HOUR, 0), (SINCE + 5, 1)]}


def test_without_a_note_what_was_submitted_again_goes_by_time(store: Store) -> None:
    store.write([event("sent", "a", at, name="mail") for at in (-50, -40, -0.5)])
    assert list_repeats(store.connection, SINCE) == {"a": [(SINCE - 0.5, 1)]}

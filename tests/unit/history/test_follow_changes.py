"""Following the history, and walking over all of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.history.query import follow
from celery_nexus.history.query.history import History
from celery_nexus.history.query.paging import walk
from celery_nexus.history.store import change_log
from celery_nexus.history.store.store import Store

AT = 1_750_000_000.0


def sent(number: int, at: float = AT, **fields: Any) -> dict[str, Any]:
    return {"type": "task-sent", "uuid": f"run-{number:04d}", "timestamp": at, "name": "mail", "hostname": "h"} | fields


def ended(number: int, at: float = AT + 5) -> dict[str, Any]:
    return {"type": "task-succeeded", "uuid": f"run-{number:04d}", "timestamp": at, "hostname": "w@h", "runtime": 1}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "history.db")
    yield store
    store.close()


@pytest.fixture
def history(store: Store) -> Iterator[History]:
    with History(store.path) as history:
        yield history


def ids(found: follow.Changes) -> list[str]:
    return [run.id for run in found.runs]


def test_each_change_is_read_once_in_its_order(store: Store, history: History) -> None:
    store.write([sent(1), sent(2)])
    first = follow.changes(history, 0)
    assert ids(first) == ["run-0001", "run-0002"]
    store.write([ended(2), sent(3, AT - 100)])
    store.write([ended(1)])
    second = follow.changes(history, first.number)
    assert [(run.id, run.state) for run in second.runs] == [
        ("run-0002", "SUCCESS"),
        ("run-0003", "PENDING"),
        ("run-0001", "SUCCESS"),
    ]
    assert follow.changes(history, second.number) == follow.Changes((), second.number)


def test_only_what_matches_now_is_told(store: Store, history: History) -> None:
    store.write([sent(1), sent(2), ended(2)])
    assert ids(follow.changes(history, 0, "state:success")) == ["run-0002"]
    assert ids(follow.changes(history, 0, "task:other")) == []


def test_a_verdict_is_a_change(store: Store, history: History) -> None:
    store.write([sent(1)])
    number = follow.read_last_change(history)
    store.set_verdicts({"run-0001": "lost? w@h is not online", "nobody": "lost?"})
    assert ids(follow.changes(history, number)) == ["run-0001"]


def test_what_was_forgotten_is_counted(store: Store, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_log, "KEPT", 5)
    monkeypatch.setattr(change_log, "_PRUNE_AFTER", 10)
    for number in range(20):
        store.write([sent(number, AT + number)])
    found = follow.changes(history, 1)
    assert found.missed + len(found.runs) == 19
    assert found.missed > 0


def test_of_a_file_made_anew_everything_is_a_change(store: Store, history: History) -> None:
    store.write([sent(1)])
    assert ids(follow.changes(history, 1_000)) == ["run-0001"]


def test_nothing_was_recorded(tmp_path: Path) -> None:
    with History(tmp_path / "none.db") as history:
        assert follow.read_last_change(history) == 0
        assert follow.changes(history, 3) == follow.Changes((), 0)
        assert list(walk(history)) == []


@pytest.mark.parametrize("page", [1, 2, 7, 1000])
def test_a_walk_tells_each_run_once_also_when_many_were_sent_at_once(store: Store, history: History, page: int) -> None:
    store.write([sent(number, AT + number // 6 * 1e-6) for number in range(60)])
    assert sorted(run.id for run in walk(history, page=page)) == [f"run-{number:04d}" for number in range(60)]
    assert sum(1 for _ in walk(history, "id:run-001*", page=page)) == 10

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.history.query.history import History
from celery_nexus.history.store.store import Store
from workers.services.progress import ignore_progress
from workers.services.upkeep.failures import remove_surplus

DAY_S = 86400


def failed(
    id_: str, at: float, error: str = "ValueError('x')", task: str = "t.one", **more: Any
) -> list[dict[str, Any]]:
    common = {"uuid": id_, "hostname": "w@h", "pid": 1, "clock": 1}
    return [
        {"type": "task-received", "timestamp": at, "name": "t.one", "args": "[]", "kwargs": "{}", **common},
        {"type": "task-started", "timestamp": at + 1, **common},
        {"type": "task-failed", "timestamp": at + 2, "exception": error, "traceback": "", **common},
    ]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.db"
    store, long_ago = Store(path), time.time() - 3 * DAY_S
    events = [event for number in range(5) for event in failed(f"old-{number}", long_ago + number * 10)]
    events += [event for number in range(3) for event in failed(f"key-{number}", long_ago + number, "KeyError('y')")]
    events += [event for number in range(4) for event in failed(f"new-{number}", time.time() - 60 + number)]
    events += [{"type": "task-received", "timestamp": long_ago, "name": "t.one", "uuid": "live", "hostname": "w@h"}]
    store.write(events)
    store.close()
    return path


def ids(path: Path) -> list[str]:
    with History(path) as reader:
        return sorted(run.id for run in reader.runs())


def test_the_last_failures_of_each_error_stay(history: Path) -> None:
    found = remove_surplus(history, keep=2, min_age_s=DAY_S, progress=ignore_progress)
    assert found == {"failed": 8, "errors": 2, "removed": 4, "kept": 4}
    assert ids(history) == ["key-1", "key-2", "live", "new-0", "new-1", "new-2", "new-3", "old-3", "old-4"]


def test_removing_twice_removes_nothing_more(history: Path) -> None:
    remove_surplus(history, keep=2, min_age_s=DAY_S, progress=ignore_progress)
    assert remove_surplus(history, keep=2, min_age_s=DAY_S, progress=ignore_progress)["removed"] == 0


def test_a_dry_run_counts_and_removes_nothing(history: Path) -> None:
    before = ids(history)
    assert remove_surplus(history, keep=2, min_age_s=DAY_S, progress=ignore_progress, dry_run=True)["removed"] == 4
    assert ids(history) == before


def test_a_missing_history_is_left_missing(tmp_path: Path) -> None:
    assert remove_surplus(tmp_path / "none.db", 1, 0, ignore_progress)["failed"] == 0
    assert not (tmp_path / "none.db").exists()

"""Runs from exports and result backends."""

import fcntl
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.history.errors import AlreadyRecording
from celery_nexus.history.query import figures
from celery_nexus.history.query.history import History
from celery_nexus.history.query.verify import verify
from celery_nexus.history.recorder.imports import ImportCounts, build_run_events, import_runs
from celery_nexus.history.store.schema import lock_path

RUN: dict[str, Any] = {
    "id": "a-run", "task": "mail", "state": "SUCCESS", "queue": "email", "priority": 3, "worker": "w@h",
    "sent_at": "2026-01-31T09:00:00+00:00", "received_at": "2026-01-31T09:00:01+00:00",
    "started_at": "2026-01-31T09:00:02+00:00", "finished_at": "2026-01-31T09:00:05.5+00:00", "ran_s": 3.4,
    "retries": 2, "args": [1, "two"], "kwargs": {"deep": [None]}, "result": {"pages": 7}, "root_id": "root",
    "parent_id": "parent", "group_id": "group",
}  # fmt: skip


def test_a_run_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    assert import_runs(path, [RUN]) == ImportCounts(taken=1)
    with History(path) as history:
        [run] = history.runs()
        fields = asdict(run)
        same = ("id", "task", "state", "queue", "priority", "worker", "ran_s", "retries", "args", "kwargs", "result")
        assert {name: fields[name] for name in same} == {name: RUN[name] for name in same}
        assert (run.root_id, run.parent_id, run.group_id) == ("root", "parent", "group")
        assert (run.sent_at, run.finished_at, run.waited_s) == (
            datetime(2026, 1, 31, 9, 0, tzinfo=UTC),
            datetime(2026, 1, 31, 9, 0, 5, 500_000, UTC),
            2.0,
        )
        assert verify(history).problems == ()
        [row] = figures.stats(history, 1769850000.0, 1769850060.0)
        assert (row.sent, row.succeeded) == (1, 1)


def test_a_failure_keeps_its_error_and_groups_with_its_like(tmp_path: Path) -> None:
    trace = 'Traceback (most recent call last):\n  File "/srv/shop/pay.py", line 3, in pay\nValueError: it\'s "7"\nno'
    row = RUN | {"state": "FAILURE", "error": 'ValueError: it\'s "7"\nno', "traceback": trace}
    with History(tmp_path / "history.db") as history:
        import_runs(tmp_path / "history.db", [row, row | {"id": "b", "traceback": None}])
        run = history.find("a-run")[0]
        assert (run.error, run.traceback, run.place) == (row["error"], trace, "shop/pay.py in pay")
        assert history.find("b")[0].error == row["error"]


@pytest.mark.parametrize("state", ["PENDING", "RECEIVED", "STARTED", "RETRY", "REJECTED", "REVOKED"])
def test_every_state_comes_back(tmp_path: Path, state: str) -> None:
    row = {name: value for name, value in RUN.items() if name != "finished_at"} | {"state": state}
    if state in {"PENDING", "RECEIVED"}:
        row |= {"started_at": None, "received_at": None if state == "PENDING" else row["received_at"], "retries": 0}
    import_runs(tmp_path / "history.db", [row])
    with History(tmp_path / "history.db") as history:
        assert [run.state for run in history.runs()] == [state]


def test_twice_is_once_and_what_is_no_run_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    rows: list[Any] = [
        RUN, RUN, None, {}, {"id": "x"}, RUN | {"id": ["x"]}, RUN | {"state": "DONE"}, RUN | {"state": ["x"]},
        {"id": "y", "state": "SUCCESS", "finished_at": "tomorrow"},
    ]  # fmt: skip
    assert import_runs(path, rows) == ImportCounts(taken=1, known=1, bad=7)
    assert import_runs(path, [RUN]) == ImportCounts(known=1)
    with History(path) as history:
        assert history.count() == 1


def test_odd_values_do_no_harm(tmp_path: Path) -> None:
    odd = {"id": "odd", "args": {"big": 2**70}, "kwargs": "{'a': 1}", "result": [float("nan")], "retries": "many"}
    assert import_runs(tmp_path / "history.db", [RUN | odd | {"ran_s": "x", "priority": 1e99}]).taken == 1


def test_a_history_that_is_being_recorded_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with lock_path(path).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(AlreadyRecording):
            import_runs(path, [RUN])


def test_what_only_the_end_is_known_of_begins_there() -> None:
    events = build_run_events({"id": "a", "state": "SUCCESS", "finished_at": "2026-01-31T09:00:00", "task": "mail"})
    assert [(event["type"], event["timestamp"]) for event in events] == [
        ("task-received", 1769850000.0),
        ("task-succeeded", 1769850000.0),
    ]

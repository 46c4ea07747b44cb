"""A history that is whole, and ones that are not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.history.errors import HistoryError
from celery_nexus.history.query.history import History
from celery_nexus.history.query.verify import CheckResult, verify
from celery_nexus.history.store.store import Store
from celery_nexus.history.store.vacuum import compact

AT = 1_750_000_000.0


def life(number: int, end: str = "task-succeeded", at: float = AT) -> list[dict[str, Any]]:
    base = {"uuid": f"run-{number}", "hostname": "w@h"}
    return [
        base | {"type": "task-sent", "timestamp": at, "name": "mail", "queue": "q", "args": ["x" * 500], "kwargs": {}},
        base | {"type": "task-started", "timestamp": at + 1},
        base | {"type": end, "timestamp": at + 2, "exception": "ValueError('x')"},
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "history.db"
    store = Store(path)
    store.write([event for number in range(300) for event in life(number, at=AT + number)])
    store.write([event for number in range(300, 310) for event in life(number, "task-failed")])
    # Ends twice: delivered again, which both the life and the counts tell.
    store.write([*life(400, "task-failed"), {"uuid": "run-400", "type": "task-succeeded", "timestamp": AT + 300}])
    store.close()
    return path


def checked(path: Path, change: Callable[[Any], object] | None = None) -> CheckResult:
    if change:
        store = Store(path)
        change(store.connection)
        store.close()
    with History(path) as history:
        return verify(history)


def test_what_was_recorded_is_whole(path: Path) -> None:
    assert checked(path) == CheckResult(runs=311, counted=312, ended=311, problems=())


def test_ends_that_are_not_counted_are_found(path: Path) -> None:
    found = checked(path, lambda c: c.execute("update minute set count = count - 5 where state = 4"))
    assert found.problems == ("4 runs that ended in FAILURE are missing in the aggregates",)


def test_ends_that_no_run_had_are_found(path: Path) -> None:
    found = checked(path, lambda c: c.execute("update minute set count = count + 3 where state = 4"))
    assert found.problems == ("the aggregates count 3 more ends in FAILURE than the runs tell of",)


def test_rows_that_belong_to_nothing_are_found(path: Path) -> None:
    found = checked(
        path, lambda c: c.execute("delete from life where key in (select key from life order by key desc limit 2)")
    )
    assert found.problems == ("2 runs have no life",)


def test_what_retention_removed_is_no_fault(path: Path) -> None:
    def prune(connection: Any) -> None:
        keys = connection.execute("select key from run order by key limit 150").fetchall()
        for table in ("arguments", "ending", "life", "run"):
            connection.executemany(f"delete from {table} where key = ?", keys)

    assert checked(path, prune).problems == ()


def test_a_damaged_file_is_found(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8192:12288] = b"\xff" * 4096
    path.write_bytes(data)
    try:
        assert checked(path).problems
    except HistoryError as error:
        assert "is damaged" in str(error)


def test_compacting_gives_space_back_and_keeps_what_is_there(path: Path) -> None:
    store = Store(path)
    for number in range(3):
        store.write([event for index in range(1000) for event in life(1000 * (number + 1) + index)])
    store.connection.execute("delete from arguments where key > (select min(key) + 5 from arguments)")
    store.close()
    before, after = compact(path)
    assert after < before
    assert path.stat().st_size == after
    with History(path) as history:
        assert history.count() == 3311


def test_there_is_nothing_to_compact(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="there is no history"):
        compact(tmp_path / "none.db")

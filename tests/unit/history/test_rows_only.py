"""A history where numpy is not installed: complete, without an index; one that has an index says what it needs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.filters.parser import parse
from celery_nexus.history.errors import HistoryError
from celery_nexus.history.filter.sql import register
from celery_nexus.history.index import KeyCount, RunIndex
from celery_nexus.history.store.store import Store

NEEDS = r"this history has an index that numpy reads and writes: pip install 'celery-nexus\[history\]'"


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in {"SEGMENT_ROWS": 4, "TAIL": 1}.items():
        monkeypatch.setattr(f"celery_nexus.history.index.builder.{name}", size)


@pytest.fixture
def without_numpy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        for place in ("celery_nexus.history.index", "celery_nexus.history.index.search"):
            patch.setattr(f"{place}.has_numpy", lambda: False)
        yield


def sent(number: int) -> dict[str, Any]:
    return {"type": "task-sent", "uuid": f"run-{number}", "timestamp": 1_700_000_000.0 + number, "name": "mail"}


def opened(path: Path) -> Store:
    store = Store(path)
    register(store.connection)
    return store


def segments_of(store: Store) -> int:
    return int(store.connection.execute("select count(*) from segment").fetchone()[0])


@pytest.mark.usefixtures("without_numpy")
def test_runs_are_written_counted_and_found_without_an_index(tmp_path: Path) -> None:
    store = opened(tmp_path / "history.db")
    store.write(map(sent, range(9)))
    assert not store.index.step(is_idle=True)
    assert (segments_of(store), store.index.run_count) == (0, 9)
    assert RunIndex(store.connection).count(parse("id:run-3")) == KeyCount(1, is_complete=True)
    store.close()


def test_its_rows_get_their_index_once_numpy_is_there(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("celery_nexus.history.index.has_numpy", lambda: False)
        store = opened(tmp_path / "history.db")
        store.write(map(sent, range(9)))
        store.close()
    store = opened(tmp_path / "history.db")
    while store.index.step():
        pass
    assert segments_of(store) == 2
    assert RunIndex(store.connection).count(parse("mail")) == KeyCount(9, is_complete=True)
    store.close()


def test_an_index_that_is_there_is_neither_left_behind_nor_misread(tmp_path: Path) -> None:
    store = opened(tmp_path / "history.db")
    store.write(map(sent, range(9)))
    while store.index.step():
        pass
    with pytest.MonkeyPatch.context() as patch:
        for place in ("celery_nexus.history.index", "celery_nexus.history.index.search"):
            patch.setattr(f"{place}.has_numpy", lambda: False)
        assert len(RunIndex(store.connection).page(parse(""), 1).keys) == 1, "the newest rows are in no segment"
        with pytest.raises(HistoryError, match=NEEDS):
            RunIndex(store.connection).count(parse("mail"))
        store.close()
        with pytest.raises(HistoryError, match=NEEDS):
            opened(tmp_path / "history.db")

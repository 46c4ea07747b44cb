"""The door of the index: pages and counts of keys, and what the writer tells it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.filters.parser import parse
from celery_nexus.history.filter.sql import register
from celery_nexus.history.index import FILE_VERSIONS, KeyCount, RunIndex
from celery_nexus.history.store.schema import VERSION
from celery_nexus.history.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "history.db")
    register(store.connection)
    yield store
    store.close()


def sent(number: int) -> dict[str, Any]:
    return {"type": "task-sent", "uuid": f"run-{number}", "timestamp": 1_700_000_000.0 + number, "name": "mail"}


def ids_of(store: Store, keys: list[int]) -> list[str]:
    return [store.connection.execute("select id from run where key = ?", (key,)).fetchone()[0] for key in keys]


def test_a_page_goes_on_where_the_one_before_it_ended(store: Store) -> None:
    store.write(map(sent, range(5)))
    index, node = RunIndex(store.connection), parse("task:mail")
    first = index.page(node, 2)
    assert ids_of(store, first.keys) == ["run-4", "run-3"]
    assert ids_of(store, index.page(node, 2, first.reached).keys) == ["run-2", "run-1"]


def test_the_last_page_comes_to_the_end(store: Store) -> None:
    store.write(map(sent, range(5)))
    assert RunIndex(store.connection).page(parse(""), 10).reached == 0


def test_rows_are_counted_to_the_end(store: Store) -> None:
    store.write(map(sent, range(5)))
    assert RunIndex(store.connection).count(parse("id:run-3")) == KeyCount(1, is_complete=True)


def test_a_search_without_time_says_that_it_did_not_come_to_the_end(store: Store) -> None:
    store.write(map(sent, range(5)))
    assert not RunIndex(store.connection).count(parse("mail"), budget_s=0).is_complete


def test_rows_that_are_removed_count_no_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in {"SEGMENT_ROWS": 4, "TAIL": 1}.items():
        monkeypatch.setattr(f"celery_nexus.history.index.builder.{name}", size)
    store.write(map(sent, range(9)))
    oldest = store.connection.execute("select key from run order by key limit 2").fetchall()
    store.connection.executemany("delete from run where key = ?", oldest)
    store.index.remove_to(oldest[-1][0])
    assert store.index.run_count == 7
    assert RunIndex(store.connection).count(parse("mail")).count == 7


def test_files_of_this_version_have_segments() -> None:
    assert VERSION in FILE_VERSIONS

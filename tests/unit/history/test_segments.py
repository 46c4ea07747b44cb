"""Segments over their life: joined when their runs are over, cut when runs go, made anew for a newer version."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.history.index.builder import LARGE_SEGMENT
from celery_nexus.history.query.history import History
from celery_nexus.history.store.retention import Retention
from celery_nexus.history.store.store import Store
from tests.unit.history.former_files import turn_back_to_4

AT = 1_700_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in {"SEGMENT_ROWS": 20, "TAIL": 10, "LARGE_SEGMENT": 80, "KEPT_SMALL": 1}.items():
        monkeypatch.setattr(f"celery_nexus.history.index.builder.{name}", size)
    monkeypatch.setattr("celery_nexus.history.index.build.PAGE_ROWS", 7)


def ended(number: int) -> list[dict[str, Any]]:
    base = {"uuid": f"{number:08x}-0000-4000-8000-00000000abcd", "hostname": "w@h"}
    kwargs = {"n": number, "to": f"reader {number % 3}"}
    sent = {"type": "task-sent", "name": "mail", "queue": "q", "args": [f"page-{number}"], "kwargs": kwargs}
    return [
        base | sent | {"timestamp": AT + number},
        base | {"type": "task-succeeded", "timestamp": AT + number + 0.5, "runtime": 0.1, "result_json": '"fine"'},
    ]


def write(store: Store, runs: range, *, to_end: bool = True) -> None:
    for number in runs:
        store.write(ended(number) if to_end else ended(number)[:1])
    while store.tidy(is_idle=True):
        pass


def sizes(store: Store) -> list[int]:
    return [row[0] for row in store.connection.execute("select count - removed from segment order by high")]


@pytest.mark.usefixtures("small_segments")
def test_segments_of_runs_that_are_over_are_joined(store: Store, path: Path) -> None:
    write(store, range(230))
    assert sizes(store) == [80, 80, 20, 20, 20]
    with History(path) as history:
        assert [run.kwargs["n"] for run in history.runs("args.n<3")] == [2, 1, 0]
        assert history.runs("page-17 -page-170 -page-171")[0].kwargs["n"] == 179
        assert history.count('args.to="reader 2"') == 76
        assert history.count("-fine") == 0


@pytest.mark.usefixtures("small_segments")
def test_segments_of_runs_that_wait_are_not_joined(store: Store) -> None:
    write(store, range(200), to_end=False)
    assert set(sizes(store)) == {20}


@pytest.mark.usefixtures("small_segments")
def test_a_large_segment_whose_runs_change_is_made_anew_bit_by_bit(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, range(120))
    assert sizes(store)[0] == 80
    monkeypatch.setattr("celery_nexus.history.index.builder.MAX_TOMBSTONES", 50)
    store.set_verdicts({ended(number)[0]["uuid"]: "lost?: looked for" for number in range(10, 20)})
    while store.tidy(is_idle=True):
        pass
    assert sizes(store)[:2] == [20, 60]
    with History(path) as history:
        assert history.count("verdict:lost") == 10
        assert history.count() == history.count("-nothing") == 120


@pytest.mark.usefixtures("small_segments")
def test_old_runs_leave_a_large_segment(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store, range(230))
    monkeypatch.setattr("celery_nexus.history.store.retention.STEP", 30)
    assert Retention(max_age_s=1e9, max_runs=210).step(store) == 30
    assert sizes(store)[0] == 50
    assert store.run_count == 200
    with History(path) as history:
        assert history.count("fine") == history.count("-nothing") == 200
        assert [run.kwargs["n"] for run in history.runs("args.n<32")] == [31, 30]


@pytest.mark.usefixtures("small_segments")
def test_segments_of_the_version_before_are_kept(store: Store, path: Path) -> None:
    write(store, range(230))
    turn_back_to_4(store.connection)
    store.close()
    with History(path) as history:
        assert history.count("page-17") == 11  # row by row, as long as no recorder has brought the file to ours
        store = Store(path)
        assert sizes(store) == [80, 80, 20, 20, 20]
        store.connection.execute("delete from run where key = (select min(key) from run)")
        assert history.count("-nothing") == 229
        store.close()


def test_a_large_segment_fits_its_places() -> None:
    assert LARGE_SEGMENT <= 1 << 16

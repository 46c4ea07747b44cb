"""The file: all or nothing, bad events counted, figures that add up, old runs pruned."""

import sqlite3
import stat
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from celery_nexus.history.query import figures
from celery_nexus.history.query.history import History
from celery_nexus.history.store.ddsketch import DDSketch
from celery_nexus.history.store.retention import Retention
from celery_nexus.history.store.schema import connect
from celery_nexus.history.store.store import Store

NOW = time.time()


def event(kind: str, id_: str, at: float = NOW, **fields: Any) -> dict[str, Any]:
    return {"type": f"task-{kind}", "uuid": id_, "hostname": "w@h", "timestamp": at, **fields}


def life(id_: str, at: float = NOW, ran_s: float = 1.0, **fields: Any) -> list[dict[str, Any]]:
    sent = {"name": "mail", "queue": "email_queue", "args": ["a"], "kwargs": {}} | fields
    return [
        event("sent", id_, at, **sent),
        event("started", id_, at + 1),
        event("succeeded", id_, at + 1 + ran_s, runtime=ran_s, result="'x'"),
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def store(path: Path) -> Any:
    store = Store(path)
    yield store
    store.close()


def test_the_file_is_for_its_owner_only(store: Store, path: Path) -> None:
    store.write(life("a"))
    assert [stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()] == [0o600] * 3


def test_what_cannot_be_written_leaves_nothing_behind(store: Store, path: Path) -> None:
    store.write(life("a"), cursor="1-0")
    with pytest.raises(sqlite3.Error):
        store.write(life("b"), cursor=object())
    assert store.meta("cursor") == "1-0"
    store.write(life("b"), cursor="2-0")
    with History(path) as history:
        assert history.count() == 2
        assert figures.stats(history)[0].succeeded == 2


def test_events_of_a_run_meet_across_batches_and_writers(path: Path) -> None:
    for item in life("a"):
        store = Store(path)
        store.write([item])
        store.close()
    with History(path) as history:
        run = history.runs()[0]
        assert (run.state, run.task, run.args, run.result, run.waited_s, run.ran_s) == (
            "SUCCESS",
            "mail",
            ["a"],
            "x",
            1.0,
            1.0,
        )
        assert [entry[1] for entry in history.life("a")] == ["sent", "started", "succeeded"]


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b"{}",
        b'{"type": 5}',
        b'{"type": "task-sent"}',
        b'{"type": "task-sent", "uuid": 7}',
        b'{"type": "task-sent", "uuid": "", "timestamp": 1.8e9}',
        b'{"type": "task-sent", "uuid": "x", "timestamp": "now"}',
        b'{"type": "task-progress", "uuid": "x", "timestamp": 1.8e9, "done": "x"}',
        b'{"type": "task-sent", "uuid": "\\ud800"}',
    ],
)
def test_a_malformed_event_is_counted_and_skipped(store: Store, path: Path, bad: bytes) -> None:
    counts = store.write([bad, *life("a")])
    assert (counts.events, counts.bad) == (4, 1)
    with History(path) as history:
        assert [run.id for run in history.runs()] == ["a"]
        assert history.meta("bad_events") == 1


@pytest.mark.parametrize(
    "fields",
    [
        {
            "name": 5,
            "queue": ["q"],
            "args": {"a": 1},
            "kwargs": "x",
            "priority": "high",
            "retries": "many",
            "eta": "soon",
        },
        {"name": "n" * 9999, "root_id": 5, "parent_id": {}, "priority": 10**30, "retries": -5, "eta": "9999-99-99"},
        {"exception": 7, "traceback": None, "runtime": "long", "result": {"a": [1]}, "signum": 9, "terminated": "x"},
    ],
)
def test_fields_of_wrong_types_are_left_out(store: Store, path: Path, fields: dict[str, Any]) -> None:
    kinds = ("sent", "received", "started", "retried", "failed", "rejected", "revoked", "cancelled", "succeeded")
    store.write(event(kind, "a", NOW + number, **fields) for number, kind in enumerate(kinds))
    with History(path) as history:
        assert history.runs()[0].state == "SUCCESS"


def test_many_runs_of_the_same_instant_are_many_runs(store: Store, path: Path) -> None:
    store.write(event("sent", f"run-{number}", NOW, name="mail") for number in range(3000))
    with History(path) as history:
        assert history.count() == 3000


def test_failures_are_grouped_and_counted(store: Store, path: Path) -> None:
    trace = 'Traceback:\n  File "/app/{}.py", line 1, in go\nValueError: {}'
    for number in range(5):
        place = "one" if number < 3 else "two"
        store.write(
            [
                event("sent", f"{number}", NOW - 100 + number, name=f"task-{place}"),
                event(
                    "failed",
                    f"{number}",
                    NOW,
                    exception=f"ValueError('{number}')",
                    traceback=trace.format(place, number),
                ),
            ]
        )
    with History(path) as history:
        groups = figures.failures(history, slices=4)
    assert [
        (group.type, group.place, group.count, group.message, group.tasks, group.latest_id) for group in groups
    ] == [
        ("ValueError", "app/one.py in go", 3, "ValueError: 2", ("task-one",), "2"),
        ("ValueError", "app/two.py in go", 2, "ValueError: 4", ("task-two",), "4"),
    ]
    assert groups[0].per_slice == (0, 0, 0, 3)


def test_percentiles_are_within_two_per_cent(store: Store, path: Path) -> None:
    for number in range(1, 1001):
        store.write(life(f"{number}", NOW, ran_s=number / 100))
    with History(path) as history:
        row = figures.stats(history, NOW - 60, NOW + 60)[0]
    assert (row.task, row.count, row.succeeded, row.failure_rate) == ("mail", 1000, 1000, 0.0)
    assert row.ran_s == pytest.approx((5.0, 9.5, 9.9), rel=0.02)
    assert row.waited_s == pytest.approx((1.0, 1.0, 1.0), rel=0.02)


def test_a_chart_has_a_slice_for_each_part_of_its_time(store: Store, path: Path) -> None:
    start = NOW // 3600 * 3600
    store.write(life("a", start + 10) + life("b", start + 130))
    with History(path) as history:
        slices = figures.chart(history, start, start + 179)
        hours = figures.find_busiest_hours(history, start, start + 3599)
    assert [(part.at - start, part.sent, part.succeeded) for part in slices] == [(0, 1, 1), (60, 0, 0), (120, 1, 1)]
    assert [(hour.at, hour.succeeded) for hour in hours] == [(start, 2)]


def test_old_runs_go_and_their_statistics_stay(store: Store, path: Path) -> None:
    store.write(life("old", NOW - 31 * 86400) + life("new"))
    assert Retention().step(store) == 1
    with History(path) as history:
        assert [run.id for run in history.runs()] == ["new"]
        assert figures.stats(history, NOW - 32 * 86400)[0].succeeded == 2
    tables = ("run", "arguments", "ending", "life")
    assert [store.connection.execute(f"select count(*) from {table}").fetchone()[0] for table in tables] == [1] * 4


def test_the_oldest_runs_go_when_there_are_too_many(store: Store, path: Path) -> None:
    store.write([item for number in range(20) for item in life(f"{number}", NOW - 100 + number)])
    Retention(max_runs=5).step(store)
    with History(path) as history:
        assert history.count() <= 5


def test_blocks_of_removed_runs_go_with_them(store: Store, path: Path) -> None:
    store.write([item for number in range(4000) for item in life(f"{number}", NOW - 40 * 86400 + number)])
    retention = Retention()
    while retention.step(store):
        pass
    tables = ("run", "segment", "page", "tombstone")
    assert [store.connection.execute(f"select count(*) from {table}").fetchone()[0] for table in tables] == [0] * 4
    store.write(life("new"))
    with History(path) as history:
        assert [run.id for run in history.runs("-nothing")] == ["new"]


def test_a_file_of_the_first_version_is_brought_to_ours(path: Path) -> None:
    store = Store(path)
    store.write([item for number in range(10) for item in life(f"{number}", NOW + number)])
    for name in ("segment", "page", "tombstone", "rollup", "outdated", "canvas"):
        store.connection.execute(f"drop table {name}")
    for name in ("run_open", "run_failed"):
        store.connection.execute(f"drop index {name}")
    store.connection.execute("drop trigger run_removed")
    store.connection.execute("create index run_state on run (state)")
    store.connection.execute("pragma user_version = 1")
    store.close()
    with History(path) as history:
        assert history.count("x") == 10  # a dashboard may be faster than the recorder
        store = Store(path)
        store.write(life("new", NOW + 100))
        store.close()
        assert history.runs("state:success", 1)[0].id == "new"
        assert history.count("-nothing") == 11


@pytest.mark.parametrize("back_s", [0.5, 3600.0, 86400.0])
def test_a_success_counts_though_the_clock_went_back(store: Store, path: Path, back_s: float) -> None:
    sent, started, succeeded = life("a")
    store.write([sent, started, succeeded | {"timestamp": NOW - back_s}])
    with History(path) as history:
        assert [(run.state, run.ran_s) for run in history.runs()] == [("SUCCESS", 1.0)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ("timestamp", "name", "queue", "hostname", "args", "kwargs", "retries", "eta", "exception", "traceback")
MORE_FIELDS = ("result", "runtime", "priority", "root_id", "parent_id", "group", "done", "total", "note", "signum")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(("sent", "received", "started", "succeeded", "failed", "retried", "revoked", "progress", "x")),
    fields=st.dictionaries(st.sampled_from((*FIELDS, *MORE_FIELDS)), JSON, max_size=6),
    raw=st.binary(max_size=20),
)
def test_no_event_stops_the_recorder(store: Store, kind: str, fields: dict[str, Any], raw: bytes) -> None:
    id_ = f"id-{store.connection.total_changes}"
    store.write([raw, event(kind, id_) | fields, *life(f"good-{id_}")])
    assert store.connection.execute("select state from run where id = ?", (f"good-{id_}",)).fetchone() == (5,)


@given(st.lists(st.floats(1e-5, 1e5), min_size=1, max_size=200), st.integers(1, 5))
def test_percentiles_of_merged_parts_are_within_two_per_cent(durations: list[float], parts: int) -> None:
    sketches = [DDSketch() for _ in range(parts)]
    for number, duration in enumerate(durations):
        sketches[number % parts].add(duration)
    sketch = DDSketch.load_all(one.dump() for one in sketches)
    for q in (0.5, 0.95, 0.99):
        exact = sorted(durations)[int(q * (len(durations) - 1))]
        assert sketch.quantile(q) == pytest.approx(exact, rel=0.02)


def test_a_missing_file_is_an_empty_history(path: Path) -> None:
    with History(path) as history:
        assert (history.runs(), history.count(), history.find("a"), history.life("a"), history.version()) == (
            [],
            0,
            [],
            [],
            0,
        )
        assert (figures.failures(history), figures.stats(history), history.gaps()) == ([], [], [])


def test_a_reader_sees_a_file_that_was_built_anew(path: Path) -> None:
    with History(path) as history:
        Store(path).close()
        assert history.runs() == []
        path.unlink()
        store = Store(path)
        store.write(life("a"))
        store.close()
        assert history.count() == 1


def test_a_disk_that_is_full_loses_nothing_that_was_written(path: Path) -> None:
    store = Store(path)
    store.write(life("a"), cursor="1-0")
    pages = store.connection.execute("pragma page_count").fetchone()[0]
    store.connection.execute(f"pragma max_page_count = {pages + 2}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.write(
            [item for number in range(500) for item in life(f"run-{number}", kwargs={"x": "y" * 500})], cursor="2-0"
        )
    store.connection.execute("pragma max_page_count = 1000000")
    store.write([item for number in range(500) for item in life(f"run-{number}")], cursor="2-0")
    assert store.meta("cursor") == "2-0"
    assert store.connection.execute("pragma integrity_check").fetchone()[0] == "ok"
    store.close()
    with History(path) as history:
        assert history.count() == 501


def test_an_event_with_values_in_a_thousand_others_is_counted_and_skipped(store: Store) -> None:
    deep: Any = orjson.loads("[" * 1020 + "]" * 1020)
    sent, *_ = life("deep")
    counts = store.write([sent | {"args": deep}, *life("next")])
    assert counts.bad == 1
    assert store.run_count == 1


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    connection = connect(path)
    connection.execute("pragma user_version = 99")
    connection.close()
    with pytest.raises(Exception, match="newer version"):
        Store(path)


def test_a_run_whose_name_comes_late_is_counted_once_it_is_known(path: Path) -> None:
    sent, started, succeeded = life("a")
    for batch in ([succeeded], [started, event("retried", "a", NOW + 1.5, exception="E()")], [sent], [sent, succeeded]):
        store = Store(path)
        store.write(batch)
        store.close()
    with History(path) as history:
        rows = figures.stats(history)
    assert [(row.task, row.sent, row.succeeded, row.retried) for row in rows] == [("mail", 1, 1, 1)]

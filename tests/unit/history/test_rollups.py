"""Aggregates of ten minutes, hours and days: they say what the minutes say, whatever happens meanwhile."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.history.query import figures
from celery_nexus.history.query.history import History
from celery_nexus.history.query.totals import read_totals
from celery_nexus.history.query.verify import verify
from celery_nexus.history.store import rollups
from celery_nexus.history.store.retention import MINUTES_KEPT_S
from celery_nexus.history.store.rollups import SPANS, Stretch
from celery_nexus.history.store.store import Store
from tests.unit.history.former_files import turn_back_to_3

DAY_S = 86_400
NOW = time.time() // 600 * 600 - 500  # a run's whole life is in one period of each length
DAYS = 3


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "history.db")
    yield store
    store.close()


def life(number: int, at: float) -> list[dict[str, Any]]:
    base = {"uuid": f"run-{number}", "hostname": "w@h"}
    end = {"type": "task-failed", "exception": "E()"} if number % 5 == 0 else {"type": "task-succeeded"}
    task = {"name": f"task{number % 3}", "queue": f"q{number % 2}"}
    return [
        base | task | {"type": "task-sent", "timestamp": at, "args": [], "kwargs": {}},
        base | {"type": "task-started", "timestamp": at + number % 7},
        base | end | {"timestamp": at + number % 7 + 1 + number % 11},
    ]


def fill(store: Store, count: int = 600, first: int = 0) -> None:
    rnd = random.Random(first)
    for number in range(first, first + count):
        store.write(life(number, NOW - rnd.uniform(60, DAYS * DAY_S)))


def roll_all(store: Store) -> None:
    while store.roll_up():
        pass


def stats_by_minutes(store: Store, since: float, until: float, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ask with no period longer than a minute."""
    with monkeypatch.context() as patch, History(store.path) as history:
        patch.setattr(rollups, "FIRST_VERSION", 99)
        return figures.stats(history, since, until, by_queue=True)


def test_any_span_says_the_same_as_its_minutes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    roll_all(store)
    rnd = random.Random(7)
    with History(store.path) as history:
        for _ in range(60):
            since = NOW - rnd.uniform(0, DAYS * DAY_S)
            until = since + rnd.choice((30, 3_000, 30_000, DAY_S, DAYS * DAY_S))
            expected = stats_by_minutes(store, since, until, monkeypatch)
            assert figures.stats(history, since, until, by_queue=True) == expected


def test_events_that_come_late_count_at_once_and_are_summed_up_again(store: Store) -> None:
    fill(store, 100)
    roll_all(store)
    with History(store.path) as history:
        before = sum(row.count for row in figures.stats(history, NOW - DAYS * DAY_S, NOW))
        fill(store, 50, first=1000)
        assert sum(row.count for row in figures.stats(history, NOW - DAYS * DAY_S, NOW)) == before + 50
        roll_all(store)
        assert sum(row.count for row in figures.stats(history, NOW - DAYS * DAY_S, NOW)) == before + 50


def test_charts_of_hours_and_days_count_what_charts_of_minutes_count(store: Store) -> None:
    fill(store)
    roll_all(store)
    since = NOW - DAYS * DAY_S
    with History(store.path) as history:
        by_minute = figures.chart(history, since, NOW, 60, task="task1")
        for slice_s in (600, 3600, 7200, DAY_S):
            expected: Counter[float] = Counter()
            for one in by_minute:
                expected[one.at // slice_s * slice_s] += one.succeeded
            found = {one.at: one.succeeded for one in figures.chart(history, since, NOW, slice_s, task="task1")}
            assert {at: count for at, count in found.items() if count} == {at: n for at, n in expected.items() if n}


@pytest.mark.parametrize("slice_s", [60, 600, 1200, 3 * 3600, 12 * 3600])
def test_a_trend_has_the_counts_and_times_that_statistics_have(store: Store, slice_s: int) -> None:
    fill(store)
    roll_all(store)
    since = (NOW - DAYS * DAY_S) // slice_s * slice_s
    with History(store.path) as history:
        for point in figures.trend(history, since, NOW, slice_s, task="task1")[:: max(1, 7200 // slice_s)]:
            found = [row for row in figures.stats(history, point.at, point.at + slice_s - 60) if row.task == "task1"]
            if not found:
                assert (point.ended, point.failed, point.ran_s) == (0, 0, None)
                continue
            (row,) = found
            assert (point.ended, point.failed) == (row.succeeded + row.failed, row.failed)
            assert point.ran_s == (row.ran_s[:2] if row.ran_s else None)
            assert point.waited_s == (row.waited_s[:2] if row.waited_s else None)


def test_a_trend_begins_and_ends_with_the_slices_of_its_ends(store: Store) -> None:
    with History(store.path) as history:
        points = figures.trend(history, NOW - 150, NOW, 60)
    assert [point.at for point in points] == [(NOW - 150) // 60 * 60 + 60 * place for place in range(len(points))]
    assert points[-1].at == NOW // 60 * 60


def test_a_month_is_read_from_few_periods(store: Store) -> None:
    day = 1440
    store.connection.execute("insert into outdated values (1440, ?), (60, ?)", (5 * day, 5 * day + 120))
    assert list(rollups.cover(store.connection, 7, 8 * day + 65)) == [
        Stretch(1, 7, 10),
        Stretch(10, 10, 60),
        Stretch(60, 60, day),
        Stretch(1440, day, 5 * day),
        Stretch(60, 5 * day, 5 * day + 120),
        Stretch(10, 5 * day + 120, 5 * day + 180),
        Stretch(60, 5 * day + 180, 6 * day),
        Stretch(1440, 6 * day, 8 * day),
        Stretch(60, 8 * day, 8 * day + 60),
        Stretch(1, 8 * day + 60, 8 * day + 65),
    ]


def test_what_is_not_over_is_not_summed_up(store: Store) -> None:
    store.write(life(1, time.time()))
    roll_all(store)
    assert store.connection.execute("select count(*) from rollup").fetchone()[0] == 0
    with History(store.path) as history:
        assert [row.sent for row in figures.stats(history)] == [1]


def test_a_file_of_the_version_before_is_read_and_brought_to_ours(store: Store) -> None:
    fill(store, 50)
    turn_back_to_3(store.connection)
    with History(store.path) as history:
        before = figures.stats(history, NOW - DAYS * DAY_S, NOW)
        assert sum(row.count for row in before) == 50
        upgraded = Store(store.path)
        assert upgraded.connection.execute("select count(distinct span) from outdated").fetchone()[0] == len(SPANS)
        roll_all(upgraded)
        upgraded.close()
        assert figures.stats(history, NOW - DAYS * DAY_S, NOW) == before


def test_a_sum_that_is_wrong_is_found(store: Store) -> None:
    fill(store, 50)
    roll_all(store)
    with History(store.path) as history:
        assert verify(history).problems == ()
        store.connection.execute("update rollup set count = count + 1 where span = 1440")
        assert all("1440 minutes from" in problem for problem in verify(history).problems)
        assert verify(history).problems


def test_old_periods_go_with_their_minutes(store: Store) -> None:
    store.write(life(1, NOW - MINUTES_KEPT_S - 10 * DAY_S))
    store.write(life(2, NOW - 10 * DAY_S))
    roll_all(store)
    rollups.forget_before(store.connection, int((NOW - MINUTES_KEPT_S) // 60))
    kept = "select count(distinct start) from rollup where span = ?"
    assert [store.connection.execute(kept, (span,)).fetchone()[0] for span in SPANS] == [1, 1, 1]


def test_totals_are_the_sums_of_all_minutes_with_their_distributions(store: Store) -> None:
    fill(store)
    roll_all(store)
    first, end = int((NOW - DAYS * DAY_S) // 60) - 1, int(NOW // 60) + 60
    with History(store.path) as history:
        rows = read_totals(history, first, end)
    counted = Counter[str]()
    for row in rows:
        counted[row.state] += row.count
    assert counted == {"SENT": 600, "SUCCESS": 480, "FAILURE": 120}
    assert {(row.task, row.queue) for row in rows} == {(f"task{a}", f"q{b}") for a in range(3) for b in range(2)}
    ended = [row for row in rows if row.state != "SENT"]
    assert [sum(times for _, times in row.ran) for row in ended] == [row.count for row in ended]
    assert all(0.99 <= seconds <= 11.2 for row in ended for seconds, _ in row.ran)

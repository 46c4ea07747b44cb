from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.history.store.store import Store
from celery_nexus.task_errors import InvalidArgument
from workers.services.reports.delivery import RENDERERS, deliver
from workers.services.reports.performance import performance
from workers.services.reports.periods import seconds_of
from workers.services.storage import OutputFolder

NOON = 1_782_907_200
"""2026-07-01T12:00:00Z."""


def run(number: int, at: float, ran_s: float, *, task: str = "t.mail", queue: str = "q", fails: bool = False) -> Any:
    common = {"uuid": f"{task}-{number}", "hostname": "w@h", "pid": 1, "clock": 1}
    end = {"type": "task-failed", "exception": "ValueError('bad <b>')", "traceback": "", "timestamp": at + 2 + ran_s}
    good = {"type": "task-succeeded", "result": "1", "runtime": ran_s, "timestamp": at + 2 + ran_s}
    return [
        {"type": "task-sent", "timestamp": at, "name": task, "queue": queue, "args": "[]", "kwargs": "{}", **common},
        {"type": "task-received", "timestamp": at + 1, "name": task, "args": "[]", "kwargs": "{}", **common},
        {"type": "task-started", "timestamp": at + 2, **common},
        {**(end if fails else good), **common},
    ]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.db"
    store = Store(path)
    events = [event for n in range(10) for event in run(n, NOON - 600 - n, 1.0, fails=n < 3)]
    events += run(99, NOON - 7200, 50.0, task="t.slow", queue="other")
    events += run(98, NOON - 3 * 86400, 1.0)
    store.write(events)
    store.close()
    return path


def test_counts_waits_and_runs_come_from_the_history(history: Path) -> None:
    stats = performance(history, "day", until=NOON).stats
    assert (stats["succeeded"], stats["failed"], stats["from"], stats["to"]) == (
        *(8, 3, "2026-06-30T12:00:00Z", "2026-07-01T12:00:00Z"),
    )
    mail = next(row for row in stats["tasks"] if row["task"] == "t.mail")
    assert (mail["succeeded"], mail["failed"], mail["failure_percent"]) == (7, 3, 30.0)
    assert mail["waited_p50_s"] == pytest.approx(2, rel=0.03)
    assert mail["ran_p95_s"] == pytest.approx(1, rel=0.03)


def test_queues_hours_slow_runs_and_errors_are_reported(history: Path) -> None:
    stats = performance(history, "24h", until=NOON).stats
    assert {(row["task"], row["queue"]) for row in stats["queues"]} == {("t.mail", "q"), ("t.slow", "other")}
    assert stats["busiest_hours"][0] == {
        **{"hour": "2026-07-01T11:00:00Z", "sent": 10, "succeeded": 7, "failed": 3, "revoked": 0, "retried": 0},
    }
    assert (stats["slowest"][0]["id"], stats["slowest"][0]["ran_s"]) == ("t.slow-99", 50.0)
    assert [(group["type"], group["count"]) for group in stats["errors"]] == [("ValueError", 3)]


@pytest.mark.parametrize("format_", list(RENDERERS))
def test_it_is_written_in_every_format(history: Path, tmp_path: Path, format_: Any) -> None:
    folder = OutputFolder(tmp_path, tmp_path / "run", source=tmp_path)
    answer = deliver(performance(history, "week", until=NOON), format_, folder)
    path = Path(answer["outputs"][f"{format_}_file"])
    assert path.stat().st_size > 0
    if format_ == "json":
        assert json.loads(path.read_text())["stats"]["failed"] == 3


def test_without_a_history_it_says_so(tmp_path: Path) -> None:
    report = performance(tmp_path / "none.db", "hour")
    assert report.sections[0].title == "No runs"
    assert report.warnings == ("there is no history yet: the recorder has written nothing",)


@pytest.mark.parametrize(
    ("period", "seconds"), [("hour", 3600), ("Last week", 604800), ("90m", 5400), ("2 d", 172800), ("365d", 31536000)]
)
def test_periods_are_words_or_times(period: str, seconds: int) -> None:
    assert seconds_of(period) == seconds


@pytest.mark.parametrize("period", ["", "0h", "366d", "soon", "-1d"])
def test_other_periods_are_refused_with_what_is_possible(period: str) -> None:
    with pytest.raises(InvalidArgument, match="period: expected one of hour, day, week, month, year"):
        seconds_of(period)

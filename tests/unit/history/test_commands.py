"""The history on the command line: shapes, exit codes, what is said when there is nothing."""

import csv
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from celery_nexus.errors import Invalid, NotFound, Refused
from celery_nexus.history.query.history import History
from celery_nexus.history.store.schema import lock_path
from celery_nexus.history.store.store import Store
from config.settings import settings
from nexus_tui.cli import cli
from nexus_tui.cli.times import parse_moment, parse_seconds

NOW = time.time()
HOSTILE = "=cmd|'/C calc'!A0"


def life(number: int, end: str = "task-succeeded") -> list[dict[str, Any]]:
    base = {"uuid": f"run-{number:03d}", "hostname": f"{'ai' if number % 2 else 'mail'}@h"}
    at = NOW - 7200 + number
    sent = {"name": "ask" if number % 2 else "mail", "queue": "ai" if number % 2 else "email", "kwargs": {"n": number}}
    return [
        base | sent | {"type": "task-sent", "timestamp": at, "priority": 5, "args": [HOSTILE]},
        base | {"type": "task-started", "timestamp": at + 1},
        base | {"type": end, "timestamp": at + 3, "runtime": 2.0, "exception": f"ValueError({HOSTILE!r})"},
    ]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NEXUS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NEXUS_REDIS_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


@pytest.fixture
def filled(home: Path) -> Path:
    home.mkdir()
    store = Store(home / "history.db")
    store.write([e for n in range(20) for e in life(n, "task-failed" if n in {3, 4, 5} else "task-succeeded")])
    store.close()
    return home


def nexus(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, standalone_mode=False)


def said(*arguments: str) -> str:
    result = nexus(*arguments)
    assert result.exception is None, result.exception
    return result.stdout


def rows(*arguments: str) -> Any:
    return json.loads(said(*arguments, "--json"))


def test_an_empty_history_says_what_to_do(home: Path) -> None:
    nothing = "nothing is recorded: no recorder ever ran; start it: nexus-tui restart recorder\n"
    assert (said("tasks"), said("failures")) == (nothing, nothing)
    assert "--since 30d looks further back" in said("stats")
    assert rows("failures") == rows("stats") == []
    assert isinstance(nexus("history", "verify").exception, NotFound)


def test_a_history_without_runs_says_how_to_submit_one(home: Path) -> None:
    home.mkdir()
    Store(home / "history.db").close()
    lock_path(home / "history.db").touch()
    assert said("tasks") == "no runs yet; submit one: nexus-tui submit --list\n"


def test_of_another_broker_nothing_is_recorded_before_somebody_looks(home: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    monkeypatch.setattr("celery_nexus.broker.read.survey.Survey.look", lambda survey, budget_s: survey.layouts)
    monkeypatch.setattr("celery_nexus.broker.reading.refuse_cluster", lambda client, url: None)
    result = nexus("tasks", "--broker", "redis://127.0.0.1:1/3")
    assert result.stdout.startswith("nothing was recorded of this broker yet. nexus-tui --broker URL records")
    listed = nexus("tasks", "--broker", "redis://127.0.0.1:1/3", "--json")
    assert json.loads(listed.stdout) == []
    assert "nothing was recorded" in listed.stderr


def test_failures_are_grouped_with_an_example(filled: Path) -> None:
    [group] = rows("failures")
    assert (group["type"], group["count"], group["tasks"]) == ("ValueError", 3, ["ask", "mail"])
    assert (group["example_id"], group["worker"]) == ("run-005", "ai@h")
    assert group["first_at"] < group["last_at"] < datetime.now(UTC).isoformat()
    assert rows("failures", "task:mail")[0]["count"] == 1
    assert said("failures", "task:nothing") == "no run failed since 24h that matches; --since 30d looks further back\n"
    assert said("failures", "--since", "1h").startswith("no run failed since 1h")


def test_stats_by_task_queue_both_and_window(filled: Path) -> None:
    by_task = {row["task"]: row for row in rows("stats")}
    assert (by_task["ask"]["succeeded"], by_task["ask"]["failed"], by_task["ask"]["success_rate"]) == (8, 2, 0.8)
    assert by_task["mail"]["ran_s"]["p99"] == pytest.approx(2.0, rel=0.02)
    assert by_task["mail"]["waited_s"]["p50"] == pytest.approx(1.0, rel=0.02)
    assert {(row["task"], row["queue"]) for row in rows("stats", "--by", "queue")} == {(None, "ai"), (None, "email")}
    assert [row["queue"] for row in rows("stats", "ask", "--by", "both")] == ["ai"]
    windows = rows("stats", "ask", "--every", "1h", "--since", "4h")
    assert sum(row["count"] for row in windows) == 10
    assert windows[0]["from"].endswith(":00:00+00:00")
    assert isinstance(nexus("stats", "ask", "--by", "queue").exception, Invalid)
    assert isinstance(nexus("stats", "--every", "1s").exception, Invalid)
    assert isinstance(nexus("stats", "--since", "yesterday").exception, Invalid)
    assert isinstance(nexus("stats", "--every", "1m", "--since", "30d").exception, Invalid)


def test_an_export_to_csv_has_no_formula_and_comes_back(filled: Path, tmp_path: Path) -> None:
    told = rows("export", "runs.csv")
    assert (told["runs"], told["format"]) == (20, "csv")
    with (tmp_path / "runs.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["id"] for row in table] == [f"run-{number:03d}" for number in reversed(range(20))]
    assert not [cell for row in table for cell in row.values() if cell[:1] in tuple("=+-@")]
    (filled / "history.db").unlink()
    assert rows("history", "import", "runs.csv", "--yes")[0]["message"] == "20 taken, 0 known already"
    assert rows("history", "import", "runs.csv", "--yes")[0]["message"] == "0 taken, 20 known already"
    with History(filled / "history.db") as history:
        run = history.find("run-004")[0]
        assert (run.state, run.error, run.kwargs, run.args) == (
            "FAILURE",
            f"ValueError: {HOSTILE}",
            {"n": 4},
            [HOSTILE],
        )
    assert rows("history", "verify")["whole"] is True


def test_an_export_to_jsonl_is_what_tasks_says(filled: Path, tmp_path: Path) -> None:
    said("export", "queue:ai", "state:failure", "runs.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    listed = rows("tasks", "queue:ai state:failure")
    assert [line["id"] for line in lines] == ["run-005", "run-003"]
    assert all(row[name] == line[name] for row, line in zip(listed, lines, strict=True) for name in line)
    assert [json.loads(line) for line in said("export", "queue:ai", "state:failure", "-").splitlines()] == lines


def test_an_export_to_a_workbook_and_to_parquet(filled: Path, tmp_path: Path) -> None:
    said("export", "runs.xlsx", "--columns", "id,args,ran_s")
    sheet = openpyxl.load_workbook(tmp_path / "runs.xlsx").active
    assert sheet is not None
    cells = list(sheet.iter_rows(values_only=True))
    assert cells[0] == ("id", "args", "ran_s")
    assert cells[1] == ("run-019", json.dumps([HOSTILE]), 2)
    assert {cell.data_type for row in sheet.iter_rows(min_row=2) for cell in row} == {"s", "n"}
    said("export", "state:failure", "runs.parquet")
    table = pq.read_table(tmp_path / "runs.parquet")
    assert table.column("id").to_pylist() == ["run-005", "run-004", "run-003"]
    assert table.column("priority").to_pylist() == [5, 5, 5]


def test_an_export_replaces_nothing_unasked_and_leaves_nothing_half_done(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text("mine")
    assert isinstance(nexus("export", "runs.csv").exception, Refused)
    assert isinstance(nexus("export", "state:nonsense", "runs.csv", "--force").exception, Invalid)
    assert (tmp_path / "runs.csv").read_text() == "mine"
    assert isinstance(nexus("export", "/dev/null", "--format", "csv", "--force").exception, Refused)
    assert isinstance(nexus("export", "none/runs.csv").exception, NotFound)
    assert isinstance(nexus("export", "runs.txt").exception, Invalid)
    assert isinstance(nexus("export", "runs.csv", "--columns", "nonsense").exception, Invalid)
    said("export", "runs.csv", "--force")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "runs.csv"]
    assert (tmp_path / "runs.csv").read_text().startswith("id,")


def test_what_is_no_export_is_not_imported(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "flower.db").write_bytes(b"\x80\x05\x95\0\0pickle")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    (tmp_path / "runs.jsonl").write_text('{"id": 3}\nnonsense\n')
    assert "never read" in str(nexus("history", "import", "flower.db", "--yes").exception)
    assert isinstance(nexus("history", "import", "table.csv", "--yes").exception, Invalid)
    assert isinstance(nexus("history", "import", "none.csv", "--yes").exception, NotFound)
    assert isinstance(nexus("history", "import", "--yes").exception, Invalid)
    assert rows("history", "import", "runs.jsonl", "--yes")[0]["message"].endswith("2 were no runs")


def test_nothing_is_changed_read_only_or_without_a_yes(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_text("")
    assert isinstance(nexus("--read-only", "history", "compact", "--yes").exception, Refused)
    assert isinstance(nexus("history", "compact").exception, Refused)
    assert isinstance(nexus("history", "import", "runs.jsonl").exception, Refused)


def test_the_care_of_the_file(filled: Path) -> None:
    told = rows("history", "status")
    assert (told["runs"], told["bad_events"], told["gaps"]) == (20, 0, [])
    assert told["path"] == str(filled / "history.db")
    assert rows("history", "compact", "--yes")[0]["done"] is True
    store = Store(filled / "history.db")
    store.connection.execute("delete from minute")
    store.close()
    faulty = nexus("history", "verify", "--json")
    assert faulty.return_value == 1
    assert json.loads(faulty.stdout)["problems"] == [
        "17 runs that ended in SUCCESS are missing in the aggregates",
        "3 runs that ended in FAILURE are missing in the aggregates",
    ]


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1.5h", 5400), ("7d", 604_800), ("2w", 1_209_600)])
def test_spans_of_time(text: str, seconds: float) -> None:
    assert parse_seconds(text, "--since") == seconds
    assert parse_moment(text, "--since", 1e9) == 1e9 - seconds


@pytest.mark.parametrize("text", ["", "0s", "-1h", "1y", "h", "1e3s", "99999999999d", "2030-13-01", "now"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(Invalid):
        parse_moment(text, "--since")


def test_a_run_with_many_arguments_fits_on_a_screen(home: Path) -> None:
    home.mkdir()
    store = Store(home / "history.db")
    store.write([life(1)[0] | {"kwargs": {"to": ["reader"] * 200}}, *life(1)[1:]])
    store.close()
    lines = nexus("task", "run-001").output.splitlines()
    assert max(map(len, lines)) < 700
    kwargs = next(line for line in lines if line.startswith("kwargs"))
    assert kwargs.endswith("… 1,408 more characters: --json shows them")
    assert json.loads(nexus("task", "run-001", "--json").output)["kwargs"] == {"to": ["reader"] * 200}

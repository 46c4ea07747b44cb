"""Rows of a view as CSV and JSON, and the files that they are written to."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nexus_tui.screens.tables.cells import MESSAGE_COLUMNS, message_cells
from nexus_tui.view_export import write_csv, write_export, write_json
from tests.tui import fakes

NOW = datetime(2026, 3, 14, 10, 42, 7, tzinfo=UTC)


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_csv_has_heads_and_the_cells_as_they_are_shown() -> None:
    text = write_csv(MESSAGE_COLUMNS, message_cells, [fakes.a_message(0, "q", kwargs={"to": 'a "b", c'})])
    assert rows_of(text) == [
        ["#", "PRI", "TASK", "ID", "AGE", "ARGUMENTS"],
        ["0", "5", "workers.email_tasks.send_email", "000003e8", "2 m", 'to="a \\"b\\", c"'],
    ]


@pytest.mark.parametrize("task", ["=cmd()", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(task: str) -> None:
    [_, row] = rows_of(write_csv(MESSAGE_COLUMNS, message_cells, [fakes.a_message(0, "q", task=task)]))
    assert row[2][0] not in "=+-@\t\r"


def test_no_cell_has_what_a_terminal_would_obey() -> None:
    text = write_csv(MESSAGE_COLUMNS, message_cells, [fakes.a_message(0, "q", task="\x1b]0;x\x07\u202e")])
    assert not set(text) & {"\x1b", "\x07", "\u202e"}


def test_json_has_all_fields_with_secrets_masked() -> None:
    [row] = json.loads(write_json([fakes.a_run(1, kwargs={"password": "s3cret", "to": "x"})]))
    assert (row["id"], row["state"], row["kwargs"]["to"]) == (fakes.run_id(1), "SUCCESS", "x")
    assert "s3cret" not in str(row)


def test_a_file_is_never_written_over_and_read_by_its_owner_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = (write_export("queues", "csv", text, NOW) for text in ("a", "b"))
    assert (first.read_text(), second.read_text()) == ("a", "b")
    assert first.parent == tmp_path
    assert first.stat().st_mode & 0o777 == 0o600


def test_where_the_working_directory_is_gone_it_goes_to_the_users_own_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    gone.rmdir()
    assert write_export("queues", "csv", "a", NOW).parent == tmp_path / "cache" / "nexus" / "exports"

"""Values of a row that can be copied, and where copies go."""

from __future__ import annotations

from pathlib import Path

import pytest

from nexus_tui.screens.dialogs.values import list_values
from nexus_tui.terminal.clipboard import keep_copy
from tests.tui import fakes


def test_values_of_result_and_arguments_come_first_each_with_its_path() -> None:
    run = fakes.a_run(1, args=[7, ["x"]], kwargs={"to": "ada@example.org"}, result={"path": "out/a.pdf", "pages": 3})
    assert list_values(run)[:6] == [
        ("result.path", "out/a.pdf"),
        ("result.pages", "3"),
        ("kwargs.to", "ada@example.org"),
        ("args.0", "7"),
        ("args.1.0", "x"),
        ("id", fakes.run_id(1)),
    ]


def test_secrets_are_masked() -> None:
    run = fakes.a_run(1, kwargs={"password": "s3cret"})
    assert "s3cret" not in str(list_values(run))


def test_a_copy_is_kept_in_a_file_that_only_its_owner_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "nexus" / "copied"
    assert keep_copy("line\nline") == path
    assert path.read_text() == "line\nline"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_can_not_be_written_keeps_no_copy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "nexus").write_text("a file where the folder belongs")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert keep_copy("x") is None

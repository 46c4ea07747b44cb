"""The end of a log, whose beginning was left out, tells no rest of a secret."""

from __future__ import annotations

from pathlib import Path

from celery_nexus.stack.log_file import read_log_end

KEY_END = "-----END RSA PRIVATE KEY-----"


def test_the_rest_of_a_private_key_is_masked(tmp_path: Path) -> None:
    rest = "\n".join(["canary" * 10] * 20)
    (tmp_path / "log").write_text(
        f"-----BEGIN RSA PRIVATE KEY-----\n{'y' * 400}\n{rest}\n{KEY_END}\n{'z' * 15_500}\nlast"
    )
    found = read_log_end(tmp_path / "log", 30)
    assert "canary" not in "\n".join(found)
    assert found[-1] == "last"


def test_the_rest_of_a_line_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"password={'canary' * 4_000}\nlast")
    assert read_log_end(tmp_path / "log", 3) == ["last"]


def test_a_short_log_is_shown_whole(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("one\ntwo\x1b[2J\npassword=hunter2\n")
    assert read_log_end(tmp_path / "log", 10) == ["one", "two␛[2J", "password=***"]

"""Logs of all programs as one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from celery_nexus.errors import SourceError
from celery_nexus.rows.logs import Level, LogLine
from celery_nexus.rows.workers import Program
from celery_nexus.stack.logs import find_lines, merge, parse_lines, read_logs

AT = datetime(2026, 3, 14, 10, 42, 7).astimezone()


def program(path: Path, name: str = "beat") -> Program:
    return Program(name, "RUNNING", log=str(path))


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("text", "milliseconds", "level"),
    [
        ("[2026-03-14 10:42:07,123: WARNING/MainProcess] low", 123, "WARNING"),
        ("2026-03-14 10:42:07,123 ERROR lost", 123, "ERROR"),
        ("2026-03-14T10:42:07.1 CRITICAL lost", 100, "ERROR"),
        ("2026-03-14 10:42:07 started", 0, "INFO"),
        ("7:M 14 Mar 2026 10:42:07.123 # low memory", 123, "WARNING"),
        ("7:C 14 Mar 2026 10:42:07.123 * Ready", 123, "INFO"),
    ],
)
def test_time_and_level_are_read_as_celery_python_and_redis_write_them(
    text: str, milliseconds: int, level: Level
) -> None:
    expected = LogLine(AT.replace(microsecond=milliseconds * 1000), "beat", level, text)
    assert list(parse_lines("beat", [text])) == [expected]


def test_the_lines_of_a_traceback_are_as_the_line_before_them() -> None:
    lines = ["2026-03-14 10:42:07,000 ERROR failed", "Traceback (most recent call last):", "ValueError: INFO"]
    assert [(line.at, line.level) for line in parse_lines("beat", lines)] == [(AT, "ERROR")] * 3


@pytest.mark.parametrize("text", ["", "2026-99-99 10:42:07 no date", "[bracket", "12:M 99 Foo 2026"])
def test_a_line_without_a_time_has_none(text: str) -> None:
    assert [line.at for line in parse_lines("beat", [text])] == [None]


def test_merged_lines_are_in_order_of_time_and_keep_their_own_order() -> None:
    one = list(parse_lines("a", ["2026-03-14 10:42:07 a1", "a2", "2026-03-14 10:42:09 a3"]))
    other = list(parse_lines("b", ["no time", "2026-03-14 10:42:08 b1"]))
    assert [line.text[-2:] for line in merge([one, other])] == ["me", "a1", "a2", "b1", "a3"]


def test_the_last_lines_of_all_logs_are_read_from_a_level_on_with_a_word(tmp_path: Path) -> None:
    one = write(tmp_path / "a", "2026-03-14 10:42:07 INFO Apple", "2026-03-14 10:42:09 ERROR apple", "pear")
    other = write(tmp_path / "b", "2026-03-14 10:42:08 WARNING APPLE")
    programs = [program(one, "a"), program(other, "b")]
    assert [line.text[-5:] for line in read_logs(programs, 10)] == ["Apple", "APPLE", "apple", "pear"]
    assert [line.program for line in read_logs(programs, 10, "WARNING", "apple")] == ["b", "a"]
    assert [line.text for line in read_logs(programs, 1)] == ["pear"]


def test_a_log_that_is_not_there_yet_is_empty_and_one_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    assert read_logs([program(tmp_path / "none")], 10) == []
    with pytest.raises(SourceError, match=f"the log {tmp_path} can't be read: Is a directory"):
        read_logs([program(tmp_path)], 10)


def test_secrets_and_control_characters_are_not_shown(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "redis://:hunter2@host/0 \x1b[31m", "id-1 password=hunter2 \x07")
    texts = [line.text for line in (*read_logs([program(path)], 10), *find_lines([program(path)], "id-1", 10))]
    assert len(texts) == 3
    assert not [text for text in texts if "hunter2" in text or "\x1b" in text or "\x07" in text]


def test_whole_logs_are_looked_through_with_what_was_set_aside_first(tmp_path: Path) -> None:
    write(tmp_path / "a.log.10", "oldest id-1")
    write(tmp_path / "a.log.2", "older id-1", "other")
    write(tmp_path / "a.log", "new id-1", "id-2")
    found = find_lines([program(tmp_path / "a.log")], "id-1", 10)
    assert [line.text for line in found] == ["oldest id-1", "older id-1", "new id-1"]
    assert [line.text for line in find_lines([program(tmp_path / "a.log")], "id-1", 2)] == ["older id-1", "new id-1"]


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"id-1 " + b"x" * 200_000 + b"\nid-1 end\n")
    found = find_lines([program(tmp_path / "a.log")], "id-1", 10)
    assert [len(line.text) for line in found] == [10_013, 8]  # cut, and said how much is missing

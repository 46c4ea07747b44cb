"""Windows of merged logs, and the search through whole files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from celery_nexus.rows.workers import Program
from celery_nexus.stack import log_search, log_window
from celery_nexus.stack.log_search import find_next, find_previous
from celery_nexus.stack.log_window import find_end, find_time, read_after, read_before

AT = datetime(2026, 3, 14, 10, 0, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few lines fill a block."""
    monkeypatch.setattr(log_window, "BLOCK_BYTES", 400)
    monkeypatch.setattr(log_search, "CHUNK_BYTES", 100)


def line(second: float, text: str) -> str:
    return f"{(AT + timedelta(seconds=second)).astimezone():%Y-%m-%d %H:%M:%S},000 INFO {text}\n"


def program(folder: Path, name: str, *lines: str) -> Program:
    path = folder / f"{name}.log"
    path.write_text("".join(lines))
    return Program(name, "RUNNING", log=str(path))


def two(folder: Path) -> list[Program]:
    """One program that writes each second, and one that writes each tenth."""
    busy = program(folder, "busy", *(line(second, f"busy {second}") for second in range(100)))
    calm = program(folder, "calm", *(line(second + 0.5, f"calm {second}") for second in range(0, 100, 10)))
    return [busy, calm]


def texts(window: log_window.LogWindow) -> list[str]:
    return [" ".join(row.text.split()[-2:]) for row in window.lines]


def expected() -> list[str]:
    found: list[str] = []
    for second in range(100):
        found += [f"busy {second}", *([] if second % 10 else [f"calm {second}"])]
    return found


def test_the_windows_of_logs_join_without_a_gap_backwards(tmp_path: Path) -> None:
    programs = two(tmp_path)
    window = read_before(programs, find_end(programs))
    found = texts(window)
    assert found[-1] == "busy 99"
    while not window.is_first:
        window = read_before(programs, window.begin)
        found = [*texts(window), *found]
    assert found == expected()


def test_the_windows_of_logs_join_without_a_gap_forwards(tmp_path: Path) -> None:
    programs = two(tmp_path)
    window = read_after(programs, {"busy": 0, "calm": 0})
    found = texts(window)
    while window.end != find_end(programs):
        window = read_after(programs, window.end)
        found += texts(window)
    assert found == expected()


def test_a_moment_is_found_in_a_file_without_reading_it(tmp_path: Path) -> None:
    busy, _ = two(tmp_path)
    path = Path(busy.log)
    for second in (0, 1, 42, 99):
        offset = find_time(busy, AT + timedelta(seconds=second))
        assert path.read_bytes()[offset:].split(b"\n")[0].endswith(f"busy {second}".encode())
    assert find_time(busy, AT + timedelta(hours=1)) == path.stat().st_size


def test_a_word_is_found_backwards_and_forwards_through_all_files(tmp_path: Path) -> None:
    programs = two(tmp_path)
    match = find_previous(programs, "CALM 5", find_end(programs))
    assert match is not None
    assert (match.program, match.at) == ("calm", AT + timedelta(seconds=50))
    assert texts(read_before(programs, match.after))[-1] == "calm 50"
    before = find_previous(programs, "0", match.place)
    assert before is not None
    assert before.program == "busy"
    after = find_next(programs, "calm", match.after)
    assert after is not None
    assert texts(read_before(programs, after.after))[-1] == "calm 60"
    assert find_previous(programs, "nowhere", find_end(programs)) is None
    assert find_next(programs, "calm 5", match.after) is None


def test_a_search_that_is_no_longer_wanted_ends(tmp_path: Path) -> None:
    programs = two(tmp_path)
    assert find_previous(programs, "busy 0", find_end(programs), lambda: False) is None


def test_lines_without_a_time_stay_behind_the_line_before_them(tmp_path: Path) -> None:
    log = program(tmp_path, "one", line(1, "failed"), "Traceback (most recent call last):\n", line(2, "went on"))
    other = program(tmp_path, "other", line(1.5, "between"))
    assert [row.text[-10:].strip() for row in read_before([log, other], find_end([log, other])).lines] == [
        "NFO failed", "all last):", "FO between", "FO went on",
    ]  # fmt: skip


def test_a_line_longer_than_a_block_is_shown_in_pieces_and_nothing_is_lost(tmp_path: Path) -> None:
    log = program(tmp_path, "one", line(1, "x" * 1000), line(2, "after"))
    window = read_before([log], find_end([log]))
    found = [row.text for row in window.lines]
    while not window.is_first:
        window = read_before([log], window.begin)
        found = [*(row.text for row in window.lines), *found]
    assert found[-1].endswith("after")
    assert "".join(found).count("x") == 1000


def test_a_secret_is_masked_in_a_window(tmp_path: Path) -> None:
    log = program(tmp_path, "one", line(1, "connect to redis://:hunter2secret@web1:6379/0"))
    assert "hunter2secret" not in texts(read_before([log], find_end([log])))[0]
    assert "hunter2secret" not in read_before([log], find_end([log])).lines[0].text


def test_a_log_that_is_not_there_is_empty() -> None:
    gone = Program("gone", "STOPPED", log="/nowhere/gone.log")
    assert read_before([gone], find_end([gone])).lines == ()

"""What is looked at of merged logs: from the end back, what is new, and around what was searched for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from celery_nexus.rows.logs import LogLine
from celery_nexus.rows.workers import Program
from celery_nexus.stack import log_view, log_window
from celery_nexus.stack.log_view import LogView, find_line, follow, look_back, look_on, open_end, search


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few lines be enough, and fill a block."""
    monkeypatch.setattr(log_window, "BLOCK_BYTES", 400)
    monkeypatch.setattr(log_view, "ENOUGH_LINES", 10)


def write(path: Path, first: int, last: int) -> None:
    with path.open("a") as file:
        for number in range(first, last):
            level = "ERROR" if number % 50 == 0 else "INFO"
            file.write(f"2026-03-14 10:{number // 60:02}:{number % 60:02},000 {level} line {number}\n")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A program that wrote two hundred lines."""
    write(tmp_path / "one.log", 0, 200)
    return Program("one", "RUNNING", log=str(tmp_path / "one.log"))


def numbers(view: LogView) -> list[int]:
    return [int(line.text.rsplit(" ", 1)[1]) for line in view.lines]


def everything(_line: LogLine) -> bool:
    return True


def errors(line: LogLine) -> bool:
    return line.level == "ERROR"


def test_the_end_is_shown_first_and_looking_back_adds_in_front(program: Program) -> None:
    view = open_end([program], everything)
    assert numbers(view)[-1] == 199
    earlier = look_back(view)
    assert numbers(earlier) == list(range(numbers(earlier)[0], 200))
    assert view.first - earlier.first == numbers(view)[0] - numbers(earlier)[0] > 0


def test_what_is_written_later_is_added_behind(program: Program) -> None:
    view = open_end([program], everything)
    assert follow(view) is view
    write(Path(program.log), 200, 230)
    later = follow(view)
    assert numbers(later) == list(range(numbers(view)[0], 230))
    assert later.first == view.first
    assert later.is_at_end


def test_a_log_that_was_set_aside_is_opened_anew(program: Program) -> None:
    view = open_end([program], everything)
    Path(program.log).write_text("")
    write(Path(program.log), 0, 3)
    assert numbers(follow(view)) == [0, 1, 2]


@pytest.mark.parametrize(("keep", "expected"), [(errors, [0, 50, 100, 150]), (everything, list(range(200)))])
def test_unwanted_lines_are_left_out_on_the_whole_way_back(
    program: Program, keep: Callable[[LogLine], bool], expected: list[int]
) -> None:
    view = open_end([program], keep)
    while not view.is_first:
        view = look_back(view)
    assert numbers(view) == expected


def test_a_search_looks_around_what_it_found_and_goes_on_in_both_directions(program: Program) -> None:
    found = search(open_end([program], everything), "LINE 100", -1, None)
    assert found is not None
    view, match = found
    place = find_line(view, "LINE 100", match)
    assert place is not None
    assert numbers(view)[place] == 100
    assert numbers(view)[-1] > 100
    assert not view.is_at_end
    assert search(view, "line 100", 1, match) is None
    later = search(view, "line 10", 1, match)
    assert later is not None
    assert later[1].at.minute * 60 + later[1].at.second == 101
    on = look_on(view)
    assert numbers(on) == list(range(numbers(on)[0], numbers(on)[-1] + 1))
    assert numbers(on)[-1] > numbers(view)[-1]


def test_only_so_many_windows_are_kept_and_the_numbers_of_lines_stay(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_view, "MOST_WINDOWS", 3)
    view = open_end([program], everything)
    first = view.first - numbers(view)[0]
    for start in range(200, 300, 10):
        write(Path(program.log), start, start + 10)
        view = follow(view)
    assert len(view.windows) <= 3
    assert numbers(view)[-1] == 299
    assert view.first - numbers(view)[0] == first

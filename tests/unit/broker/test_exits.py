"""What supervisord's log says of programs that end by themselves."""

from __future__ import annotations

import time

import pytest

from celery_nexus.rows.workers import Program
from celery_nexus.stack.exits import Exits, last_error, parse_exits

NOW = 1_750_000_000.0


def line(ago_s: float, words: str) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(NOW - ago_s)) + f",123 {words}\n"


def test_exits_of_the_last_ten_minutes_count_each_program_for_itself() -> None:
    log = "".join(
        (
            line(700, "WARN exited: beat (exit status 1; not expected)"),
            line(500, "WARN exited: beat (exit status 1; not expected)"),
            line(400, "INFO exited: beat (exit status 0; expected)"),
            line(300, "WARN exited: email (terminated by SIGKILL; not expected)"),
            line(200, "INFO spawned: 'beat' with pid 12"),
            line(100, "WARN exited: beat (terminated by SIGSEGV (core dumped); not expected)"),
        )
    )
    assert parse_exits(log, NOW) == {
        "beat": Exits(3, "terminated by SIGSEGV (core dumped)"),
        "email": Exits(1, "terminated by SIGKILL"),
    }


def test_what_an_operator_stops_is_no_exit() -> None:
    log = line(5, "INFO waiting for beat to stop") + line(4, "INFO stopped: beat (exit status 0)")
    assert parse_exits(log, NOW) == {}


def test_a_line_cut_at_its_beginning_is_passed_over() -> None:
    assert parse_exits(line(5, "WARN exited: beat (exit status 1; not expected)")[8:], NOW) == {}


@pytest.mark.parametrize(
    ("log", "error"),
    [
        ("Traceback\n  File\nValueError: no such thing\n", "ValueError: no such thing"),
        ("ERROR: can't bind\ncleaning up\n\n", "ERROR: can't bind"),
        ("all is well\n", "all is well"),
        ("\n\n", ""),
    ],
)
def test_the_last_error_of_a_log_is_named(log: str, error: str) -> None:
    assert last_error(log) == error


@pytest.mark.parametrize(
    ("program", "is_looping"),
    [
        (Program("beat", "RUNNING", 7, 3.0), False),
        (Program("beat", "RUNNING", 7, 3.0, exits=2, last_exit="exit status 1"), False),
        (Program("beat", "RUNNING", 7, 3.0, exits=3, last_exit="exit status 1"), True),
        (Program("beat", "BACKOFF"), True),
        (Program("beat", "FATAL"), True),
        (Program("beat", "STOPPED"), False),
    ],
)
def test_a_program_that_keeps_ending_is_looping(program: Program, is_looping: bool) -> None:
    assert program.is_looping is is_looping

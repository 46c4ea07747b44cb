"""What the pane beside a list says of the row under its cursor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from celery_nexus.rows.broker import Message, QueueStats
from celery_nexus.rows.history import ErrorGroup
from celery_nexus.rows.runs import Progress, Run
from celery_nexus.rows.slo import SloStatus, SloWindow
from nexus_tui.screens.panes.details import (
    describe_arguments,
    describe_failures,
    describe_message,
    describe_queue,
    describe_run,
)
from nexus_tui.widgets.charts.glyphs import life_bar
from nexus_tui.widgets.lines import Line

NOW = datetime(2026, 3, 14, 10, 42, 7, tzinfo=UTC)


def texts(lines: list[Line]) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in lines]


def run(**changed: object) -> Run:
    known = {"id": "9f31", "task": "ai.chat", "state": "SUCCESS", "sent_at": NOW - timedelta(seconds=8), **changed}
    return Run(**known)  # pyright: ignore[reportArgumentType]


def message(**changed: object) -> Message:
    known = {"id": "9f31", "task": "ai.chat", "queue": "ai", "priority": 4, "position": 2, "age_s": 41.0, **changed}
    return Message(**{"args": [], "kwargs": {}, **known})  # pyright: ignore[reportArgumentType]


def test_a_failed_run_is_told_with_its_error_place_and_arguments() -> None:
    failed = run(
        state="FAILURE", queue="ai_queue", priority=5, worker="ai@web1", retries=3, waited_s=2.0, ran_s=6.0,
        error="RateLimited: wait 20 s", place="llm.py in ask", kwargs={"prompt": "Say hello"},
    )  # fmt: skip
    assert texts(describe_run(failed, NOW)) == [
        " ✗ FAILURE  ai_queue · priority 5 · ai@web1 · retried 3 ×",
        " life         ├────┤▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓  sent 10:41:59 · waited 2.0 s · ran 6.0 s",
        " error        RateLimited: wait 20 s",
        " at           llm.py in ask",
        " prompt       Say hello",
        " id           9f31",
    ]


def test_only_the_beginning_of_a_long_error_is_told() -> None:
    lines = texts(describe_run(run(state="FAILURE", error="E: 1\n2\n3\n4\n5\n6"), NOW))
    assert [line.strip() for line in lines[2:7]] == ["error        E: 1", "2", "3", "4", "arguments    ?"]


def test_a_run_that_goes_on_is_told_with_its_progress_and_the_time_until_now() -> None:
    going = run(state="STARTED", started_at=NOW - timedelta(seconds=6), waited_s=2.0, progress=Progress(3, 4, "pages"))
    lines = texts(describe_run(going, NOW))
    assert lines[1].endswith("waited 2.0 s · ran 6.0 s")
    assert lines[2] == " progress     ███████████████░░░░░  3/4 pages"


def test_a_result_is_told_of_a_success_alone() -> None:
    assert ' result       {"pages": 3}' in texts(describe_run(run(result={"pages": 3}), NOW))
    assert not [line for line in texts(describe_run(run(state="STARTED"), NOW)) if "result" in line]


def test_text_from_outside_is_made_safe() -> None:
    lines = texts(describe_run(run(state="FAILURE", error="E: \x1b]52;c;x\x07", kwargs={"\x1b[2J": "\x9b"}), NOW))
    assert not [line for line in lines if any(sign in line for sign in "\x1b\x07\x9b")]


@pytest.mark.parametrize(
    ("args", "kwargs", "told"),
    [
        ([1, "two", None], {}, [" #1           1", " #2           two", " #3           null"]),
        ([], {"to": ["a", "b"]}, [' to           ["a", "b"]']),
        ("(1, 'two')", "{}", [" arguments    (1, 'two')"]),
        ([], {}, [" arguments    none"]),
        (None, None, [" arguments    ?"]),
    ],
)
def test_arguments_are_listed_one_a_line(args: object, kwargs: object, told: list[str]) -> None:
    assert texts(describe_arguments(args, kwargs)) == told


def test_a_message_is_told_with_its_place_and_who_sent_it() -> None:
    waiting = message(kwargs={"to": "ada"}, headers={"origin": "gen7@web1", "root_id": "77ab", "lang": "py"})
    assert texts(describe_message(waiting)) == [
        " ai.chat",
        " waits        priority 4 · place 2 · waits since 41 s",
        " to           ada",
        " origin       gen7@web1",
        " root         77ab",
        " id           9f31",
    ]


def test_a_queue_is_told_with_who_takes_from_it_and_what_is_next() -> None:
    queue = QueueStats("ai", 2, (0,) * 10, in_flight=1, delayed=0, in_per_s=1.5, out_per_s=0.5, consumers=("ai@web1",))
    assert texts(describe_queue(queue, [message(), message(priority=5)])) == [
        " taken by     ai@web1",
        " moves        1.5/s in, 0.5/s out (rates of 15 s) · 1 in flight, 0 delayed",
        " next         4 ai.chat  9f31  41 s",
        "              5 ai.chat  9f31  41 s",
    ]


def test_a_queue_that_nobody_takes_from_says_so() -> None:
    queue = QueueStats("ai", 2, (0,) * 10, consumers=())
    lines = texts(describe_queue(queue, None))
    assert lines[0] == " taken by     nobody"
    assert lines[-1] == " trouble      no consumer  w says why"


def test_an_empty_queue_says_that_nothing_waits() -> None:
    assert texts(describe_queue(QueueStats("ai", 0, (0,) * 10), []))[-1] == " next         nothing waits"


def test_failures_are_told_in_full() -> None:
    at = NOW.timestamp()
    group = ErrorGroup(
        "E", "llm.py in ask", 3, at - 3600, at - 60, "E: first\nsecond", ("a.b", "c.d"), "9f31", (0, 1, 2)
    )
    assert texts(describe_failures(group, NOW)) == [
        " seen         3 ×, the last 1 m ago, the first 1.0 h ago",
        " over time    ▁▄█",
        " tasks        a.b, c.d",
        " at           llm.py in ask",
        " latest       9f31",
        "",
        " E: first",
        " second",
    ]


@pytest.mark.parametrize(
    ("waited", "ran", "drawn"),
    [
        (0, 0, "········"),
        (4, 4, "├──┤▓▓▓▓"),
        (0, 3, "▓▓▓▓▓▓▓▓"),
        (3, 0, "├──────┤"),
        (0.001, 9, "─▓▓▓▓▓▓▓"),
        (9, 0.001, "├─────┤▓"),
    ],
)
def test_a_life_is_drawn_by_the_shares_of_wait_and_work(waited: float, ran: float, drawn: str) -> None:
    assert "".join(text for text, _ in life_bar(waited, ran, 8, "good")) == drawn


def test_a_queue_with_a_service_level_says_how_far_it_is_kept() -> None:
    slo = SloStatus(30, 0.99, SloWindow.count(10, 9, 0.99), SloWindow.count(100, 95, 0.99))
    line = describe_queue(QueueStats("mail", 0, (0,) * 10, slo=slo), ())[2]
    assert texts([line]) == [" slo          90.0 % of 1 h, 95.0 % of 6 h within 30 s; target 99 %, burn 10.0× 5.0×"]
    assert line[-1][1] == "bad"

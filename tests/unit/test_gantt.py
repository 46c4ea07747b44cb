"""A run's life in bars: what it waited, each try, the pauses between them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from nexus_tui.screens.panes.life import MOST_BARS, Step, bars_of
from nexus_tui.widgets.charts.gantt import Bar, draw_gantt, draw_gauge

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def step(second: float, word: str, detail: str = "") -> Step:
    return Step(BEGIN + timedelta(seconds=second), word, "plain", detail)


def told(*steps: Step, now: float = 100) -> list[tuple[str, float, float, str]]:
    start = BEGIN.timestamp()
    bars = bars_of(steps, BEGIN + timedelta(seconds=now))
    return [(bar.name, bar.start - start, bar.end - start, bar.words) for bar in bars]


def text(line: tuple[tuple[str, str], ...]) -> str:
    return "".join(part for part, _ in line)


def test_a_run_that_was_tried_twice_waits_runs_pauses_and_runs() -> None:
    steps = (
        step(0, "sent"), step(1, "received"), step(2, "started"), step(5, "retried", "RateLimited: wait"),
        step(6, "received"), step(15, "started"), step(16, "succeeded"),
    )  # fmt: skip
    assert told(*steps) == [
        ("wait", 0, 2, "2.0 s"),
        ("try 1", 2, 5, "3.0 s ↻ RateLimited"),
        ("pause", 5, 15, "10 s"),
        ("try 2", 15, 16, "1.0 s ✓"),
    ]


def test_what_goes_on_ends_now_and_is_open() -> None:
    (wait, run) = bars_of((step(0, "sent"), step(4, "started")), BEGIN + timedelta(seconds=10))
    assert (run.end - wait.start, wait.is_open, run.is_open) == (10, False, True)


def test_a_run_that_was_revoked_before_it_began_only_waited() -> None:
    assert told(step(0, "sent"), step(3, "revoked")) == [("wait", 0, 3, "3.0 s")]


def test_of_many_tries_the_first_and_the_last_are_drawn() -> None:
    steps = [step(0, "sent")]
    for number in range(50):
        steps += [step(10 * number + 1, "started"), step(10 * number + 2, "retried")]
    names = [name for name, *_ in told(*steps, now=600)]
    assert len(names) == MOST_BARS
    assert (names[0], names[1], names[-2]) == ("wait", "try 1", "try 50")


def test_bars_lie_on_one_scale() -> None:
    bars = [Bar("wait", 0, 10, "─", "dim", "10 s"), Bar("try 1", 10, 20, "▓", "good", "10 s ✓")]
    axis, wait, run = (text(line) for line in draw_gantt(bars, 52, lambda at: f"{at:g}"))
    assert axis.split() == ["0", "10", "20"]
    assert wait.index("├") == 10
    assert run.index("▓") == wait.index("┤") + 1


def test_a_moment_is_a_cell() -> None:
    (_, wait, run) = draw_gantt([Bar("a", 0, 0, "▓", "good", ""), Bar("b", 0, 9, "▓", "good", "")], 52, str)
    assert text(wait).count("▓") == 1
    assert text(run).count("▓") > 10


def test_there_are_no_bars_without_room() -> None:
    assert draw_gantt([Bar("a", 0, 1, "▓", "good", "")], 30, str) == []


def test_a_gauge_has_marks_on_the_scale_of_the_greatest() -> None:
    assert text(draw_gauge(5, [(10, "┼"), (2.5, "┴")], 8, "good")) == "▕██┴█───┼▏"


def test_a_gauge_of_nothing_is_empty() -> None:
    assert text(draw_gauge(0, [], 4, "good")) == "▕────▏"

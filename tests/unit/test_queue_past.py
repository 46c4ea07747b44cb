"""The chart of a queue stands where there is room for it."""

from __future__ import annotations

from datetime import UTC, datetime

from celery_nexus.rows.history import Slice
from nexus_tui.screens.tables.queue_past import add_chart
from nexus_tui.widgets.lines import Line

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WORDS: list[Line] = [((" taken by nobody", "plain"),)]
BUSY = [Slice(NOW.timestamp() - 60 * n, 9, 5, 1, 0, 0) for n in range(60, 0, -1)]


def text(lines: list[Line]) -> list[str]:
    return ["".join(part for part, _ in line) for line in lines]


def test_on_a_wide_pane_the_chart_stands_beside_the_words() -> None:
    first, *_, last = text(add_chart(WORDS, BUSY, 160, 10, NOW))
    assert first.startswith(" taken by nobody") and first.endswith("a minute · 1h")
    assert "━ sent" in last and "━ ended" in last


def test_on_a_narrow_and_tall_one_below_them() -> None:
    lines = text(add_chart(WORDS, BUSY, 70, 30, NOW))
    assert lines[0] == " taken by nobody"
    assert "━ sent" in lines[-1]


def test_without_room_there_are_the_words_alone() -> None:
    assert add_chart(WORDS, BUSY, 70, 6, NOW) == WORDS


def test_where_nothing_happened_there_is_no_chart() -> None:
    idle = [Slice(NOW.timestamp(), 0, 0, 0, 0, 0)] * 60
    assert add_chart(WORDS, idle, 120, 10, NOW) == WORDS


def test_publishers_that_tell_nothing_have_no_curve() -> None:
    silent = [Slice(NOW.timestamp(), 0, 3, 0, 0, 0)] * 60
    assert "sent" not in text(add_chart(WORDS, silent, 120, 10, NOW))[-1]

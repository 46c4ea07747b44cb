"""Heat maps and histograms."""

from __future__ import annotations

import pytest

from nexus_tui.widgets.charts.glyphs import ASCII
from nexus_tui.widgets.charts.heat import HeatRow, draw_heat
from nexus_tui.widgets.charts.histogram import HistogramBar, draw_histogram
from nexus_tui.widgets.lines import Line, width_of


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


def shades(*values: float | None, room: int) -> str:
    line, *_ = draw_heat([HeatRow("q", values, "1 s")], 26 + room, 2)
    return text(line)[17 : 17 + room]


@pytest.mark.parametrize(
    ("value", "shade"),
    [(None, " "), (0, "·"), (0.9, "·"), (1, "░"), (9, "░"), (10, "▒"), (60, "▓"), (600, "█"), (9e9, "█")],
)
def test_a_shade_says_how_long(value: float | None, shade: str) -> None:
    assert shades(value, room=1) == shade


def test_a_cell_has_the_greatest_value_of_its_time() -> None:
    assert shades(0, 700, 0, 0, 20, None, room=3) == "█·▒"


def test_few_values_are_stretched_over_the_cells() -> None:
    assert shades(0, 20, room=4) == "··▒▒"


def test_what_the_shades_mean_is_below_them() -> None:
    lines = draw_heat([HeatRow("q", [1], "1 s")], 80, 5)
    assert text(lines[-1]).split() == ["·", "<1", "s", "░", "<10", "s", "▒", "<1", "m", "▓", "<10", "m", "█", "more"]
    assert len(lines) == 5


def test_trouble_is_told_by_its_look_too() -> None:
    line, *_ = draw_heat([HeatRow("q", [5, 700], "")], 28, 2)
    assert [look for part, look in line if part in ("░", "█")] == ["plain", "bad"]


def test_more_rows_than_lines_are_left_out() -> None:
    lines = draw_heat([HeatRow(str(n), [1], "") for n in range(9)], 40, 4)
    assert [text(line)[1] for line in lines[:3]] == ["0", "1", "2"]


def test_the_fullest_bar_goes_to_the_edge_and_the_least_is_seen() -> None:
    bars = [HistogramBar("< 1 s", 1000, "plain"), HistogramBar("more", 1, "warn"), HistogramBar("never", 0, "warn")]
    full, least, none = (text(line) for line in draw_histogram(bars, 40, 9))
    assert full == "   < 1 s ████████████████████████ 1,000"[:40].ljust(40)
    assert least.startswith("    more ▏ 1")
    assert none.startswith("   never  0")


def test_bars_are_as_wide_as_their_room() -> None:
    lines = draw_histogram([HistogramBar("a", 7, "plain"), HistogramBar("b", 123_456, "plain")], 33, 9)
    assert {width_of(line) for line in lines} == {33}


def test_without_utf8_shades_are_told_apart() -> None:
    assert "".join(shade.translate(ASCII) for shade in " ·░▒▓█") == " .-:%#"

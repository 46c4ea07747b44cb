"""Curves drawn in braille."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from celery_nexus.rows.marks import Mark
from nexus_tui.widgets.charts.chart import ChartMark, Curve, draw_chart, place_marks
from nexus_tui.widgets.charts.glyphs import ASCII


def drawn(*curves: Curve, width: int = 13, height: int = 2) -> list[str]:
    lines = draw_chart(curves, width, height, lambda value: f"{value:g}", "then", "now")
    return ["".join(text for text, _ in line) for line in lines]


def test_a_rising_curve_goes_from_the_lower_left_to_the_upper_right() -> None:
    plot, below = drawn(Curve([0, 1, 2, 3], "n", "good"), width=11)
    assert plot == "       3│⡠⠊"
    assert below.startswith("         then")
    assert below.endswith("now")


def test_the_scale_begins_at_zero_and_is_labelled_at_both_ends() -> None:
    lines = drawn(Curve([40, 40], "n", "good"), height=4)
    assert [line[:9] for line in lines[:3]] == ["      40│", "        │", "       0│"]
    assert lines[0][9:] == "⠉⠉⠉⠉"


def test_what_is_not_known_leaves_a_gap() -> None:
    plot, _ = drawn(Curve([1, None, None, 1], "n", "good"))
    assert plot == "       1│⠁  ⠈"


def test_the_later_curve_has_the_colour_where_two_meet() -> None:
    first, second = Curve([1, 1], "one", "good"), Curve([1, 1], "other", "bad")
    line = draw_chart([first, second], 13, 2, str, "", "")[0]
    assert line[-1] == ("⠉⠉⠉⠉", "bad")


def test_curves_share_one_scale() -> None:
    plot, _ = drawn(Curve([8, 8], "one", "good"), Curve([0, 0], "other", "bad"))
    assert plot == "       8│⣉⣉⣉⣉"


def test_the_legend_names_the_curves() -> None:
    below = drawn(Curve([1], "p95", "good"), Curve([1], "p50", "bad"), width=60)[-1]
    assert below.split() == ["then", "━", "p95", "━", "p50", "now"]


@pytest.mark.parametrize("values", [[], [None], [0, 0]])
def test_nothing_to_show_is_drawn_as_nothing_or_as_zero(values: list[float | None]) -> None:
    plot = drawn(Curve(values, "n", "good"))[0]
    assert plot[:9] == "       0│"
    assert set(plot[9:]) <= {" ", "⣀"}


def test_there_is_no_chart_without_room_for_one() -> None:
    assert drawn(Curve([1], "n", "good"), width=9) == []
    assert drawn(Curve([1], "n", "good"), height=1) == []


@pytest.mark.parametrize(("dots", "sign"), [("⠀", " "), ("⠉", "'"), ("⠒", "'"), ("⣀", "."), ("⠤", "."), ("⣿", ":")])
def test_without_utf8_dots_are_signs_of_the_upper_or_lower_half(dots: str, sign: str) -> None:
    assert dots.translate(ASCII) == sign


def test_what_still_goes_on_is_drawn_dim_and_named_at_its_end() -> None:
    lines = draw_chart([Curve([1, 1, 1], "n", "good")], 60, 2, str, "then", "now", is_open=True)
    *_, done, going_on = lines[0]
    assert (done[1], going_on[1]) == ("good", "dim")
    assert (len(done[0]), len(going_on[0])) == (25, 26)
    assert lines[1][-1] == ("now so far", "dim")


def marked(*marks: ChartMark, width: int = 29, height: int = 3) -> list[str]:
    curve = Curve([0] * 10, "n", "good")
    lines = draw_chart([curve], width, height, lambda value: f"{value:g}", "then", "now", marks=marks)
    return ["".join(text for text, _ in line)[9:] for line in lines[:-1]]


def test_a_mark_is_a_thin_line_with_its_name() -> None:
    assert marked(ChartMark(0.5, "v2.4")) == ["          ┊v2.4     ", "⣀" * 20]


def test_two_marks_side_by_side_share_the_room() -> None:
    assert marked(ChartMark(0.0, "v1"), ChartMark(0.3, "a longer name than there is room for"))[0] == (
        "┊v1   ┊a longer nam…"
    )


def test_a_name_without_room_is_left_out() -> None:
    assert marked(ChartMark(0.9, "v2.4.1"), ChartMark(1.0, "v3"))[0] == "                 ┊ ┊"


def test_marks_beyond_the_ends_are_left_out() -> None:
    marks = [Mark(datetime.fromtimestamp(at, UTC), str(at), "jo") for at in (5, 10, 15, 20, 25)]
    assert place_marks(marks, 10, 20) == [ChartMark(0.0, "10"), ChartMark(0.5, "15"), ChartMark(1.0, "20")]

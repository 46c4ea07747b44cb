"""Bars over one scale of time, a line each, and a gauge of one duration against others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nexus_tui.widgets.lines import Line, fit, width_of

NAME_CELLS = 9
"""Cells left of the bars."""

LEAST_CELLS = 20
"""Width of the scale below which no bars are drawn."""

WORDS_SHARE = 3
"""One of how many cells is kept for the words behind the last bar."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time.

    Attributes:
        name: Words left of it.
        start: Its begin, in seconds on any scale.
        end: Its end on the same scale.
        fill: The character that it is made of.
        look: Role of the theme that it is drawn in.
        words: What stands behind it: how long, how it ended.
        is_open: Whether it goes on.
    """

    name: str
    start: float
    end: float
    fill: str
    look: str
    words: str
    is_open: bool = False


def draw_gantt(bars: Sequence[Bar], width: int, spell: Callable[[float], str]) -> list[Line]:
    """Draw bars below each other, and times above them; nothing without room or bars.

    Args:
        bars: In the order of their lines.
        width: Cells of a line.
        spell: Writes a point of the scale.
    """
    room = width - NAME_CELLS - (width - NAME_CELLS) // WORDS_SHARE - 2
    if not bars or room < LEAST_CELLS:
        return []
    first, last = min(bar.start for bar in bars), max(bar.end for bar in bars)
    span = max(last - first, 1e-9)
    return [_axis(first, last, room, spell), *(_line(bar, first, span, room, width) for bar in bars)]


def _axis(first: float, last: float, room: int, spell: Callable[[float], str]) -> Line:
    since, until = spell(first), spell(last)
    middle = spell((first + last) / 2)
    text = since.ljust(room // 2 - len(middle) // 2) + middle
    if len(since) + len(middle) + len(until) + 4 > room:
        text = since
    return ((" " * (NAME_CELLS + 1), "plain"), (text.ljust(max(room - len(until), 0)) + until, "dim"))


def _line(bar: Bar, first: float, span: float, room: int, width: int) -> Line:
    begin = min(round((bar.start - first) / span * room), room - 1)
    cells = max(round((bar.end - first) / span * room) - begin, 1)
    drawn = bar.fill * cells
    if len(drawn) > 1 and bar.fill == "─":
        drawn = f"├{'─' * (cells - 2)}┤"
    line: Line = (
        (f" {bar.name:<{NAME_CELLS}}", "dim"),
        (" " * begin, "plain"),
        (drawn, bar.look),
        ("…" if bar.is_open else "", bar.look),
        (f" {bar.words}", bar.look if bar.look == "bad" else "plain"),
    )
    return fit(line, width) if width_of(line) > width else line


def draw_gauge(value: float, marks: Sequence[tuple[float, str]], width: int, look: str) -> Line:
    """Draw a duration as a bar from zero, with marks on its scale: ``▕████─┼──┼▏``.

    Args:
        value: The duration.
        marks: Other durations, each with its character.
        width: Cells between the edges.
        look: Role of the bar.
    """
    top = max([value, *(mark for mark, _ in marks)], default=0.0) or 1.0
    full = min(round(value / top * width), width)
    cells = [("█", look)] * full + [("─", "rule")] * (width - full)
    for mark, sign in marks:
        cells[min(int(mark / top * width), width - 1)] = (sign, "strong")
    return (("▕", "rule"), *cells, ("▏", "rule"))

"""Histogram: a line for each bar, with its bounds, its share and its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nexus_tui.widgets.lines import Line, fit

LABEL_CELLS = 8
"""Cells left of the bars."""

_EIGHTHS = "▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class HistogramBar:
    """One bar: the words left of it, how many, and the role that it is drawn in."""

    label: str
    count: int
    look: str


def draw_histogram(bars: Sequence[HistogramBar], width: int, height: int) -> list[Line]:
    """Draw bars from the left, the fullest to the edge; where there is too little height the last are left out.

    Args:
        bars: In the order of their lines.
        width: Cells of a line.
        height: Lines.
    """
    digits = max((len(f"{bar.count:,}") for bar in bars), default=1)
    room = width - LABEL_CELLS - digits - 3
    top = max((bar.count for bar in bars), default=0)
    if room < 1:
        return []
    return [_line(bar, room, top, width) for bar in bars[:height]]


def _line(bar: HistogramBar, room: int, top: int, width: int) -> Line:
    eighths = -(-bar.count * room * 8 // top) if top else 0
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + (_EIGHTHS[rest - 1] if rest else "")
    return fit(((f"{bar.label:>{LABEL_CELLS}} ", "dim"), (drawn, bar.look), (f" {bar.count:,}", "plain")), width)

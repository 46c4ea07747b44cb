"""Heat map: a row of shades for each name, durations over time from short to long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nexus_tui.widgets.lines import Line, LineView, Span, fit
from nexus_tui.widgets.panel import title_line

NAME_CELLS = 16
"""Cells left of the shades, for names."""

LAST_CELLS = 8
"""Cells right of the shades, for the greatest value."""

SHADES: tuple[tuple[float, str, str, str], ...] = (
    (1.0, "·", "dim", "<1 s"),
    (10.0, "░", "plain", "<10 s"),
    (60.0, "▒", "plain", "<1 m"),
    (600.0, "▓", "warn", "<10 m"),
    (float("inf"), "█", "bad", "more"),
)
"""Bounds in seconds below which a shade stands, the shade, its role, and its words in the legend."""


@dataclass(frozen=True, slots=True)
class HeatRow:
    """Values at equal distances, oldest first; None where nothing is known.

    Attributes:
        name: Words left of them, safe for the screen.
        last: Words right of them.
    """

    name: str
    values: Sequence[float | None]
    last: str


class HeatMap(LineView):
    """A panel of rows of shades under a title."""

    def __init__(self, title: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = title
        self._rows: Sequence[HeatRow] | None = None
        self._stale = ""

    def show(self, rows: Sequence[HeatRow], *, stale: str = "") -> None:
        """Draw other rows, of which as many as there is room for are seen."""
        self._rows, self._stale = rows, stale
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw the title, the rows, and what the shades mean."""
        hidden = max(len(self._rows or ()) - (height - 2), 0)
        title = title_line(self._title, width, self._stale, f"and {hidden:,} more" if hidden else "")
        if not self._rows:
            return [title, ((" …" if self._rows is None else " No run ended", "dim"),)]
        return [title, *draw_heat(self._rows, width, height - 1)]


def draw_heat(rows: Sequence[HeatRow], width: int, height: int) -> list[Line]:
    """Draw rows of shades, and a legend below them.

    Args:
        rows: Of equally many values.
        width: Cells of a line.
        height: Lines, the legend included.
    """
    room = width - NAME_CELLS - LAST_CELLS - 2
    if room < 1 or height < 2:
        return []
    lines = [_row(row, room) for row in rows[: height - 1]]
    blank: Sequence[Line] = [()] * (height - 1 - len(lines))
    return [*lines, *blank, _legend(width)]


def _row(row: HeatRow, room: int) -> Line:
    name = fit(((row.name, "plain"),), NAME_CELLS)
    last = fit(((row.last, "dim"),), LAST_CELLS, right=True)
    return ((" ", "plain"), *name, *_shades(row.values, room), (" ", "plain"), *last)


def _shades(values: Sequence[float | None], room: int) -> list[Span]:
    """Draw the greatest value of each cell's time; neighbours of one shade are one span."""
    spans: list[Span] = []
    for cell in range(room):
        first = cell * len(values) // room
        part = values[first : max((cell + 1) * len(values) // room, first + 1)]
        text, look = _shade(max((value for value in part if value is not None), default=None))
        if spans and spans[-1][1] == look:
            spans[-1] = (spans[-1][0] + text, look)
        else:
            spans.append((text, look))
    return spans


def _shade(value: float | None) -> Span:
    if value is None:
        return " ", "dim"
    return next((shade, look) for bound, shade, look, _ in SHADES if value < bound)


def _legend(width: int) -> Line:
    spans: list[Span] = [(" " * (NAME_CELLS + 1), "plain")]
    for _, shade, look, words in SHADES:
        spans += [(shade, look), (f" {words}  ", "dim")]
    return fit(tuple(spans), width)

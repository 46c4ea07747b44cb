"""Lines over time drawn in braille: two by four dots a cell, a scale at the left, times below."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from celery_nexus.rows.marks import Mark
from celery_nexus.rows.text import safe_text
from nexus_tui.widgets.lines import Line, LineView, Span
from nexus_tui.widgets.panel import title_line

SCALE_CELLS = 8
"""Cells left of the plot: the greatest value above, zero below."""

GOING_ON = "so far"
"""Words after the end of a chart whose last value is not whole yet."""

MARK = "┊"
SHORTEST_NAME = 3
"""Cells from which a name that is cut still says something."""

_EMPTY: Span = (" ", "plain")
_BLANK = 0x2800
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of a braille character by column and row of its dots."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Values at equal distances, oldest first; None where nothing is known, which leaves a gap.

    Attributes:
        name: Its word in the legend.
        look: Role of the theme that it is drawn in.
    """

    values: Sequence[float | None]
    name: str
    look: str


@dataclass(frozen=True, slots=True)
class ChartMark:
    """A moment with a name.

    Attributes:
        share: Its place, from 0 at the left end to 1 at the right one.
        label: Its name.
    """

    share: float
    label: str


def place_marks(marks: Iterable[Mark], since: float, until: float) -> list[ChartMark]:
    """Place marks between the times of the first and the last value; those outside are left out."""
    span = max(until - since, 1e-9)
    placed = (ChartMark((mark.at.timestamp() - since) / span, safe_text(mark.label)) for mark in marks)
    return [mark for mark in placed if 0 <= mark.share <= 1]


class Chart(LineView):
    """A panel of curves under a title."""

    def __init__(self, title: str, spell: Callable[[float], str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = title
        self._spell = spell
        self._curves: Sequence[Curve] = ()
        self._ends = ("", "")
        self._is_open = False
        self._marks: Sequence[ChartMark] = ()
        self._stale = ""

    def show(
        self,
        curves: Sequence[Curve],
        since: str,
        until: str,
        *,
        stale: str = "",
        is_open: bool = False,
        marks: Sequence[ChartMark] = (),
    ) -> None:
        """Draw other curves; ``since`` and ``until`` name their ends, the rest is as for :func:`draw_chart`."""
        self._curves, self._ends, self._is_open, self._stale = curves, (since, until), is_open, stale
        self._marks = marks
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw the title and the curves."""
        title = title_line(self._title, width, self._stale)
        if not any(curve.values for curve in self._curves):
            return [title, ((" …", "dim"),)]
        ends, is_open = self._ends, self._is_open
        chart = draw_chart(self._curves, width, height - 1, self._spell, *ends, is_open=is_open, marks=self._marks)
        return [title, *chart]


def draw_chart(
    curves: Sequence[Curve],
    width: int,
    height: int,
    spell: Callable[[float], str],
    since: str,
    until: str,
    *,
    is_open: bool = False,
    marks: Sequence[ChartMark] = (),
) -> list[Line]:
    """Draw curves on one scale that begins at zero; where two meet in a cell the later one has its colour.

    Args:
        curves: Of equally many values.
        width: Cells, the scale included.
        height: Lines: the plot, times and legend.
        spell: Writes a value of the scale.
        since: What the left end is called.
        until: What the right end is called.
        is_open: Whether the last value is of a time that still goes on: it is drawn dim, and its end says so.
        marks: Moments with a name: a thin line each where no curve is, with as much of the name as there is room for.
    """
    columns, rows = width - SCALE_CELLS - 1, height - 1
    top = max((value for curve in curves for value in curve.values if value is not None), default=0.0)
    if columns < 1 or rows < 1:
        return []
    dots: dict[tuple[int, int], int] = {}
    looks: dict[tuple[int, int], str] = {}
    for curve in curves:
        closed = _column(len(curve.values) - 2, len(curve.values), 2 * columns) if is_open else 2 * columns
        for x, y in _points(curve.values, 2 * columns, 4 * rows, top):
            cell = (x // 2, rows - 1 - y // 4)
            dots[cell] = dots.get(cell, 0) | _DOTS[x % 2][3 - y % 4]
            looks[cell] = curve.look if x <= closed else "dim"
    behind = _mark_cells(marks, columns, rows, dots)
    lines: list[Line] = []
    for row in range(rows):
        label = spell(top) if top and not row else "0" if row == rows - 1 else ""
        plot = [
            (chr(_BLANK | dots[cell]), looks[cell]) if (cell := (column, row)) in dots else behind.get(cell, _EMPTY)
            for column in range(columns)
        ]
        lines.append(((f"{label:>{SCALE_CELLS}}", "dim"), ("│", "rule"), *_joined(plot)))
    return [*lines, _below(curves, columns, since, f"{until} {GOING_ON}" if is_open else until)]


def _mark_cells(
    marks: Sequence[ChartMark], columns: int, rows: int, dots: Container[tuple[int, int]]
) -> dict[tuple[int, int], Span]:
    """Draw marks: lines from top to bottom, and names beside them in the first line that has room."""
    places = [(round(mark.share * (columns - 1)), mark.label) for mark in marks]
    cells: dict[tuple[int, int], Span] = {(x, row): (MARK, "rule") for x, _ in places for row in range(rows)}
    for x, label in places:
        widths = [
            0 if (x, row) in dots else len(list(_free(range(x + 1, columns), row, dots, cells))) for row in range(rows)
        ]
        room = max(widths, default=0)
        text = label if len(label) <= room else f"{label[: room - 1]}…" if room > SHORTEST_NAME else ""
        for place, letter in enumerate(text):
            cells[x + 1 + place, widths.index(room)] = (letter, "dim")
    return cells


def _free(
    columns: Iterable[int], row: int, dots: Container[tuple[int, int]], cells: Container[tuple[int, int]]
) -> Iterator[int]:
    """Yield the columns up to the first that is taken."""
    return takewhile(lambda column: (column, row) not in dots and (column, row) not in cells, columns)


def _column(index: int, count: int, width: int) -> int:
    """Place a value among others, in columns of dots."""
    return index * (width - 1) // max(count - 1, 1)


def _points(values: Sequence[float | None], width: int, height: int, top: float) -> list[tuple[int, int]]:
    """Give the dots of a curve: its values, and the way between neighbours that are both known."""
    found: list[tuple[int, int]] = []
    before: tuple[int, int] | None = None
    for index, value in enumerate(values):
        if value is None:
            before = None
            continue
        x = _column(index, len(values), width)
        y = round(value / top * (height - 1)) if top else 0
        found += _way(before, (x, y)) if before else [(x, y)]
        before = (x, y)
    return found


def _way(one: tuple[int, int], other: tuple[int, int]) -> list[tuple[int, int]]:
    steps = max(abs(other[0] - one[0]), abs(other[1] - one[1]), 1)
    return [
        (one[0] + (other[0] - one[0]) * step // steps, one[1] + round((other[1] - one[1]) * step / steps))
        for step in range(1, steps + 1)
    ]


def _joined(cells: Sequence[Span]) -> Line:
    """Join neighbours of one look."""
    joined: list[Span] = []
    for text, look in cells:
        if joined and joined[-1][1] == look:
            joined[-1] = (joined[-1][0] + text, look)
        else:
            joined.append((text, look))
    return tuple(joined)


def _below(curves: Sequence[Curve], columns: int, since: str, until: str) -> Line:
    legend: list[Span] = []
    for curve in curves:
        legend += [("  ━ ", curve.look), (curve.name, "dim")]
    used = len(since) + len(until) + sum(len(text) for text, _ in legend)
    return (
        (" " * (SCALE_CELLS + 1), "dim"),
        (since, "dim"),
        *legend,
        (" " * max(columns - used, 1), "dim"),
        (until, "dim"),
    )

"""Bars of what is to come in the next day, a quarter of an hour each, with the hours below."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from nexus_tui.widgets.charts.glyphs import EIGHTHS
from nexus_tui.widgets.lines import Line, LineView
from nexus_tui.widgets.panel import title_line

SCALE_CELLS = 8
LABEL_HOURS = 3
_HOUR = timedelta(hours=1)


class DayBars(LineView):
    """A panel of bars under a title."""

    def __init__(self, title: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = title
        self._counts: Sequence[int] = ()
        self._since = datetime.min
        self._stale: str = ""
        self._note: str = ""

    def show(self, counts: Sequence[int], since: datetime, *, note: str = "", stale: str = "") -> None:
        """Draw other counts; the first of them is that of the quarter of an hour that began at ``since`` (aware)."""
        shown = (counts, since, note, stale)
        if shown != (self._counts, self._since, self._note, self._stale):
            self._counts, self._since, self._note, self._stale = shown
            self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw title, bars and hours."""
        title = title_line(self._title, width, self._stale, self._note)
        if not self._counts:
            return [title, ((" …", "dim"),)]
        return [title, *draw_bars(self._counts, self._since, width, height - 1)]


def draw_bars(counts: Sequence[int], since: datetime, width: int, height: int) -> list[Line]:
    """Draw bars on a scale that begins at zero, and below them the hours of the operator's clock.

    Args:
        counts: Of one quarter of an hour each.
        since: When the first began (aware).
        width: Cells, the scale included.
        height: Lines, the hours included.
    """
    columns, rows, top = width - SCALE_CELLS - 1, height - 1, max(counts, default=0)
    if columns < 1 or rows < 1:
        return []
    places = [column * len(counts) // columns for column in range(columns)]
    lines: list[Line] = []
    for row in range(rows):
        label = f"{top:,}" if not row else "0" if row == rows - 1 else ""
        floor = 8 * (rows - 1 - row)
        bars = "".join(_bar(counts[place], top, rows, floor) for place in places)
        lines.append(((f"{label:>{SCALE_CELLS}}", "dim"), ("│", "rule"), (bars, "accent")))
    return [*lines, ((" " * (SCALE_CELLS + 1), "dim"), (_hours(places, since), "dim"))]


def _bar(count: int, top: int, rows: int, floor: int) -> str:
    eighths = -(-count * 8 * rows // top) if top else 0
    return EIGHTHS[max(0, min(8, eighths - floor))]


def _hours(places: Sequence[int], since: datetime) -> str:
    """Write every third hour where it begins."""
    line = [" "] * len(places)
    for column, place in enumerate(places):
        begin = (since + place * _HOUR / 4).astimezone()
        is_first = not column or places[column - 1] != place
        if is_first and not begin.minute and not begin.hour % LABEL_HOURS and column + 5 <= len(line):
            line[column : column + 5] = f"{begin:%H:%M}"
    return "".join(line)

"""A task's times over time as curves, and how they are spread as histograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from celery_nexus.rows.history import Share, TrendPoint
from celery_nexus.rows.marks import Mark
from celery_nexus.rows.text import duration, short_clock
from nexus_tui.widgets.charts.chart import Curve, draw_chart, place_marks
from nexus_tui.widgets.charts.histogram import HistogramBar, draw_histogram
from nexus_tui.widgets.lines import BLANK, Line, put_beside

BESIDE_CELLS = 100
"""Width from which histograms stand beside the curves."""

CHART_LINES = 14
"""Most lines of curves that have histograms below them."""


@dataclass(frozen=True, slots=True)
class TaskPast:
    """How long a task's runs took.

    Attributes:
        points: Over time.
        ran: By how long they ran.
        waited: By how long they waited.
        marks: Moments of that time that were marked.
    """

    points: Sequence[TrendPoint]
    ran: Sequence[Share]
    waited: Sequence[Share]
    marks: Sequence[Mark] = ()


def draw_past(past: TaskPast, width: int, height: int, now: datetime) -> list[Line]:
    """Draw curves, with histograms beside or below them as there is room."""
    if width >= BESIDE_CELLS:
        left = width * 3 // 5
        right = width - left - 2
        beside = _histogram("ran", past.ran, right, height)
        return put_beside(_curves(past, left, height, now), [((" ", "plain"), *line) for line in beside], left)
    if height <= CHART_LINES:
        return _curves(past, width, height, now)
    rest = (height - CHART_LINES - 1) // 2
    below = [_histogram(words, shares, width, rest) for words, shares in (("ran", past.ran), ("waited", past.waited))]
    return [*_curves(past, width, CHART_LINES, now), BLANK, *below[0], BLANK, *below[1]]


def _curves(past: TaskPast, width: int, height: int, now: datetime) -> list[Line]:
    points = past.points
    since, until = (short_clock(datetime.fromtimestamp(points[end].at, UTC), now) for end in (0, -1))
    marks = place_marks(past.marks, points[0].at, points[-1].at)
    return draw_chart(curves_of(points), width, height, duration, since, until, is_open=True, marks=marks)


def curves_of(points: Sequence[TrendPoint]) -> list[Curve]:
    """Make curves of the times that runs took: the 95th percentile, and the median before it."""
    slow, middle = ([point.ran_s and point.ran_s[place] for point in points] for place in (1, 0))
    return [Curve(slow, "p95", "warn"), Curve(middle, "p50", "accent")]


def _histogram(words: str, shares: Sequence[Share], width: int, height: int) -> list[Line]:
    if not shares or height < 2:
        return []
    total = sum(share.count for share in shares)
    bars = [HistogramBar(_label(share), share.count, "accent" if share.most_s else "warn") for share in shares]
    head: Line = ((f" {words} · {total:,} run{'' if total == 1 else 's'}", "dim"),)
    return [head, *draw_histogram(bars, width, height - 1)]


def _label(share: Share) -> str:
    return f"≥ {_bound(share.least_s)}" if share.most_s is None else f"< {_bound(share.most_s)}"


def _bound(seconds: float) -> str:
    """Write a bound, all of which are round: ``300 ms``, ``3 s``, ``10 m``, ``1 h``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} m" if seconds < 3600 else f"{seconds / 3600:.0f} h"

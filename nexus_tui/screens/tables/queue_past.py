"""The last hour of a queue: what was sent to it and what ended, beside or below what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from celery_nexus.rows.broker import Message
from celery_nexus.rows.history import Slice
from celery_nexus.rows.text import short_clock
from nexus_tui.widgets.charts.chart import Curve, draw_chart
from nexus_tui.widgets.lines import BLANK, Line, put_beside

BESIDE_CELLS = 150
"""Width from which the chart stands beside the words."""

LEAST_LINES = 7
"""Height below which no chart is drawn."""

MOST_LINES = 14
"""Most lines of a chart below the words."""


@dataclass(frozen=True, slots=True)
class QueueMore:
    """What has to be read about a queue.

    Attributes:
        coming: What is next to run.
        slices: What was sent to it, and what ended, in each minute of the last hour.
    """

    coming: Sequence[Message]
    slices: Sequence[Slice]


def add_chart(words: Sequence[Line], slices: Sequence[Slice], width: int, height: int, now: datetime) -> list[Line]:
    """Put a chart where there is room: right of words, or below them; none where nothing happened."""
    curves = _curves(slices)
    if not curves:
        return list(words)
    since, until = (short_clock(datetime.fromtimestamp(slices[end].at, UTC), now) for end in (0, -1))

    def draw(cells: int, lines: int) -> list[Line]:
        head: Line = ((" a minute · 1h", "dim"),)
        chart = draw_chart(curves, cells, lines - 1, lambda value: f"{value:,.0f}", since, until, is_open=True)
        return [head, *chart]

    if width >= BESIDE_CELLS and height >= LEAST_LINES:
        left = width // 2
        return put_beside(words, draw(width - left, height), left)
    room = height - len(words) - 1
    return [*words, BLANK, *draw(width, min(room, MOST_LINES))] if room >= LEAST_LINES else list(words)


def _curves(slices: Sequence[Slice]) -> list[Curve]:
    """Make curves of what ended, and of what was sent, where its publishers tell that."""
    sent = [float(one.sent) for one in slices]
    ended = [float(one.succeeded + one.failed + one.revoked) for one in slices]
    told = ((sent, "sent", "accent"), (ended, "ended", "good"))
    return [Curve(values, name, look) for values, name, look in told if any(values)]

"""Stats view: outcomes, waiting and running times by task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from textual import on
from textual.widget import Widget

from celery_nexus.filters.table import Field, Kind
from celery_nexus.rows import moment
from celery_nexus.rows.history import TaskStats
from celery_nexus.rows.text import UNKNOWN, duration, number, safe_text
from nexus_tui.screens.bases.arranging import ArrangedScreen
from nexus_tui.screens.bases.beside import ReadingListScreen
from nexus_tui.screens.bases.past import SPANS, PastScreen
from nexus_tui.screens.tables.cells import Cells, short_task, text_or_unknown
from nexus_tui.screens.tables.task_past import TaskPast, draw_past
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.tables.arrangement import Arrangement
from nexus_tui.widgets.tables.columns import Column
from nexus_tui.widgets.tables.table import Table

TREND_SLICES_S = {"1h": 60, "24h": 1200, "7d": 3 * 3600, "30d": 12 * 3600}
"""Length of a point of a task's curve, by span: some sixty points."""


def _ran(place: int) -> Callable[[TaskStats], float | None]:
    return lambda row: row.ran_s and row.ran_s[place]


def _waited(place: int) -> Callable[[TaskStats], float | None]:
    return lambda row: row.waited_s and row.waited_s[place]


COLUMNS = (
    Column("TASK", 22, flex=2, field=Field("task")),
    Column("ENDED", 9, right=True, field=Field("ended", Kind.NUMBER, lambda row: row.count)),
    Column("FAILED", 15, right=True, field=Field("failed", Kind.NUMBER)),
    Column("RUN P50", 8, right=True, field=Field("p50", Kind.DURATION, _ran(0))),
    Column("P95", 8, right=True, field=Field("p95", Kind.DURATION, _ran(1))),
    Column("P99", 8, right=True, field=Field("p99", Kind.DURATION, _ran(2))),
    Column("WAIT P50", 8, right=True, field=Field("wait50", Kind.DURATION, _waited(0))),
    Column("P95", 8, right=True, field=Field("wait95", Kind.DURATION, _waited(1))),
    Column("RETRIES", 8, right=True, field=Field("retries", Kind.NUMBER, lambda row: row.retried)),
    Column("REVOKED", 8, right=True, field=Field("revoked", Kind.NUMBER)),
    Column("SENT", 9, right=True, field=Field("sent", Kind.NUMBER)),
)


class StatsScreen(ArrangedScreen, ReadingListScreen, PastScreen):
    """Counts and times by task, the most frequent first, and one task's times over time; Enter shows the runs."""

    view = "stats"
    more_source = "history"
    nothing = "Nothing ended in the last {span}: t looks further back"

    def body(self) -> Iterable[Widget]:
        """Make the table."""
        nothing = self.nothing.format(span=self.span)
        table = Table(
            COLUMNS,
            stats_cells,
            lambda row: row.task,
            title="Stats",
            empty=nothing,
            arrangement=Arrangement(COLUMNS),
            id="rows",
        )
        yield from self.list_and_detail(table)

    def draw(self, now: datetime) -> None:
        """Show the figures, and the times of the task under the cursor."""
        super().draw(now)
        self.show_detail(now)

    def describe(self, item: Any, now: datetime) -> tuple[str, Sequence[Line]]:
        """Draw how the times of a task went."""
        title = f"{safe_text(short_task(item.task) or UNKNOWN)} · seconds from start to end"
        size = self.query_one("#detail").size
        past: TaskPast | None = self.more(f"{self.span} {item.task}")
        if past is None or not past.points:
            return title, [((" Reading …" if past is None else " Nothing is known", "dim"),)]
        return title, draw_past(past, size.width, size.height - 1, now)

    def read_more(self, key: str) -> TaskPast:
        """Read how a task's times went, and how they are spread."""
        span, _, task = key.partition(" ")
        history, since = self.host.sources.history, moment.now().timestamp() - SPANS[span]
        points = tuple(history.trend(since, TREND_SLICES_S[span], task))
        return TaskPast(points, *history.histogram(since, task), tuple(history.marks(since)))

    def rows_since(self, since: float) -> Sequence[TaskStats]:
        """Read the aggregates."""
        return self.host.sources.history.stats(since)

    def name_of_selected(self) -> str:
        """Return the task's name."""
        row = self.read_selection()
        return row.task if row else ""

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        task: str = event.item.task
        self.host.obey(f'tasks age:<{self.span} task:"{task}"' if '"' not in task and task != "?" else "tasks")


def stats_cells(row: TaskStats) -> Cells:
    """Draw a task."""
    ran, waited = row.ran_s or (None, None, None), row.waited_s or (None, None, None)
    percent = 100 * (row.failure_rate or 0)
    rate = "" if not row.failed else "< 0.1 %" if percent < 0.1 else f"{percent:.1f} %"
    return (
        text_or_unknown(short_task(row.task)),
        ((number(row.count), "strong" if row.count else "dim"),),
        ((number(row.failed), "bad" if row.failed else "dim"), (rate.rjust(8), "bad" if row.failed else "dim")),
        *(_time(value) for value in ran),
        *(_time(value) for value in waited[:2]),
        ((number(row.retried), "warn" if row.retried else "dim"),),
        ((number(row.revoked), "plain" if row.revoked else "dim"),),
        ((number(row.sent), "dim"),),
    )


def _time(seconds: float | None) -> Line:
    return (("–" if seconds is None else duration(seconds), "dim" if seconds is None else "plain"),)

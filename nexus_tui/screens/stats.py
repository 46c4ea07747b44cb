"""Stats view: outcomes, waiting and running times by task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on
from textual.widget import Widget

from celery_nexus.rows.history import TaskStats
from celery_nexus.rows.text import duration, number
from nexus_tui.screens.past import PastScreen
from nexus_tui.screens.tables.cells import Cells, short_task, text_or_unknown
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.table import Column, Table

COLUMNS = (
    Column("TASK", 22, flex=2),
    Column("ENDED", 9, right=True),
    Column("FAILED", 15, right=True),
    Column("RUN P50", 8, right=True),
    Column("P95", 8, right=True),
    Column("P99", 8, right=True),
    Column("WAIT P50", 8, right=True),
    Column("P95", 8, right=True),
    Column("RETRIES", 8, right=True),
    Column("REVOKED", 8, right=True),
    Column("SENT", 9, right=True),
)


class StatsScreen(PastScreen):
    """Counts and times by task, the most frequent first; Enter shows the runs."""

    view = "stats"
    nothing = "Nothing ended in the last {span}: t looks further back"

    def body(self) -> Iterable[Widget]:
        """Make the table."""
        nothing = self.nothing.format(span=self.span)
        yield Table(COLUMNS, stats_cells, lambda row: row.task, title="Stats", empty=nothing, id="rows")

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

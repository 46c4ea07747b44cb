"""Pulse view: queues, workers, running and failed runs on one screen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget

from celery_nexus.errors import SourceError
from celery_nexus.rows import moment
from celery_nexus.rows.alerts import OpenAlert
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.history import QueueWaits, Slice
from celery_nexus.rows.marks import Mark
from celery_nexus.rows.runs import Run
from celery_nexus.rows.text import UNKNOWN, age, duration, safe_text, short_clock
from celery_nexus.rows.workers import Worker
from nexus_tui.screens.bases.arranging import ArrangedScreen
from nexus_tui.screens.bases.past import SPANS
from nexus_tui.screens.bases.reading import ReadingScreen, require_present
from nexus_tui.screens.tables import cells, worker_cells
from nexus_tui.screens.tables.groups import FAILURE_COLUMNS, FailureGroup, failure_cells, failure_groups
from nexus_tui.screens.tables.needs import (
    NEED_COLUMNS,
    Need,
    find_needs,
    join_alerts,
    need_cells,
    need_of_letters,
    weigh_queue,
    weigh_worker,
)
from nexus_tui.threads.poller import Feed
from nexus_tui.widgets.charts.chart import Chart, Curve, place_marks
from nexus_tui.widgets.charts.heat import HeatMap, HeatRow
from nexus_tui.widgets.tables.arrangement import Arrangement
from nexus_tui.widgets.tables.table import Table

NOTHING_RUNS = "Nothing runs: press n to submit a task"


ENDED_SPAN = "1h"
"""Over which time the chart shows what ended."""

MOST_LETTERS = 100
"""Dead letters, the newest, whose reasons are counted."""


@dataclass(frozen=True, slots=True)
class _Past:
    slices: tuple[Slice, ...]
    waits: tuple[QueueWaits, ...]
    marks: tuple[Mark, ...]


class PulseScreen(ArrangedScreen, ReadingScreen[_Past]):
    """What needs you, what ended in the last hour, queues, workers, what runs and what failed; Tab goes on."""

    view = "pulse"
    source = "history"
    interval_s = 5.0
    calm_s = 5.0
    AUTO_FOCUS = "#queues"
    _others: Feed[tuple[tuple[Need, ...], tuple[OpenAlert, ...]]] | None = None

    DEFAULT_CSS = """
    PulseScreen #needs { display: none; height: 4; }
    PulseScreen.-troubled #needs { display: block; }
    PulseScreen.-tall #needs { height: 6; }
    PulseScreen #charts { display: none; height: 8; }
    PulseScreen.-tall #charts { display: block; }
    PulseScreen.-tall.-wide #charts { height: 12; }
    PulseScreen #ended { width: 1fr; }
    PulseScreen #waits { width: 1fr; margin-left: 1; }
    PulseScreen #queues { height: 8; }
    PulseScreen #middle { height: 1fr; min-height: 4; }
    PulseScreen #workers { width: 1fr; margin-right: 1; }
    PulseScreen #running { width: 1fr; }
    PulseScreen #failures { height: 25%; min-height: 4; }
    PulseScreen.-tall #failures { height: 6; }
    """

    def body(self) -> Iterable[Widget]:
        """Make the panels."""
        yield Table(
            NEED_COLUMNS,
            need_cells,
            lambda need: f"{need.verdict} {need.name}",
            title="Needs you",
            empty="Nothing needs you",
            arrangement=Arrangement(NEED_COLUMNS),
            id="needs",
        )
        with Horizontal(id="charts"):
            yield Chart(f"Ended a minute · {ENDED_SPAN}", lambda value: f"{value:,.0f}", id="ended")
            yield HeatMap(f"Wait p95 by queue · {ENDED_SPAN}", id="waits")
        yield Table(
            cells.QUEUE_COLUMNS,
            cells.queue_cells,
            lambda queue: queue.name,
            title="Queues",
            empty="No queues known yet",
            arrangement=Arrangement(cells.QUEUE_COLUMNS, weigh_queue, cells.QUEUE_FIELDS),
            id="queues",
        )
        with Horizontal(id="middle"):
            yield Table(
                worker_cells.PULSE_WORKER_COLUMNS,
                worker_cells.pulse_worker_cells,
                lambda worker: worker.name,
                title="Workers",
                empty="No worker answers"
                if self.host.sources.is_foreign
                else "No workers: start them with nexus-tui up",
                arrangement=Arrangement(worker_cells.PULSE_WORKER_COLUMNS, weigh_worker, worker_cells.WORKER_FIELDS),
                id="workers",
            )
            yield Table(
                cells.RUNNING_COLUMNS,
                cells.pulse_run_cells,
                lambda run: run.id,
                title="Running",
                empty=NOTHING_RUNS,
                follows=True,
                ageing=True,
                arrangement=Arrangement(cells.RUNNING_COLUMNS, more=cells.RUNNING_FIELDS),
                id="running",
            )
        yield Table(
            FAILURE_COLUMNS,
            failure_cells,
            lambda group: group.id,
            title="Failures",
            empty="No failures",
            follows=True,
            ageing=True,
            arrangement=Arrangement(FAILURE_COLUMNS),
            id="failures",
        )

    def draw(self, now: datetime) -> None:
        """Show the snapshot in every panel."""
        snapshot, recent, troubles = self.host.snapshot, self.host.recent, self.host.troubles
        queues, workers = snapshot.queues.value, snapshot.workers.value
        self._fill("#queues", queues, troubles.broker, cells.RATES_NOTE)
        silence = troubles.workers or troubles.programs
        self._fill("#workers", workers, silence)
        others = self._others.reading.value if self._others else None
        letters, alerts = others or ((), ())
        needs = join_alerts((*letters, *find_needs(queues or (), workers or ())), alerts, now)
        self.set_class(bool(needs), "-troubled")
        self._fill("#needs", needs, troubles.broker, "⏎ why")
        known = recent.version >= 0
        self.query_one("#running", Table).empty = self.explain_no_runs(NOTHING_RUNS)
        self._fill("#running", recent.running if known else None, troubles.history, whole=recent.running_total)
        groups = failure_groups(recent.failures, are_all=recent.failures_total in ("", f"{len(recent.failures):,}"))
        newest = f"newest {len(recent.failures):,} of {recent.failures_total}" if recent.failures else ""
        self._fill("#failures", groups if known else None, troubles.history, newest)
        self._draw_past(now)

    def read_selection(self) -> Any:
        """Return the item under the cursor of the panel in focus."""
        return self.focused.aimed_item if isinstance(self.focused, Table) else None

    def run_of_selected(self) -> str:
        """Return the id of the run under the cursor, or of a failure's newest."""
        item = self.read_selection()
        return item.newest.id if isinstance(item, FailureGroup) else item.id if isinstance(item, Run) else ""

    def action_logs(self) -> None:
        """Show what the programs wrote about the run under the cursor, or what the worker's program wrote."""
        item = self.read_selection()
        if isinstance(item, Worker) and item.program:
            self.host.open_logs(program=item.program)
        else:
            super().action_logs()

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        item = event.item
        if isinstance(item, QueueStats):
            self.host.obey(f"queue {item.name}")
        elif isinstance(item, Worker):
            self.host.obey(f"worker {item.name}")
        elif isinstance(item, Need):
            if item.opens:
                self.host.obey(item.opens)
            else:
                self.action_why()
        elif isinstance(item, FailureGroup):
            self.host.open_run(item.newest.id)
        elif isinstance(item, Run):
            self.host.open_run(item.id)

    def draw_read(self) -> None:
        """Draw what ended, and what needs somebody."""
        if not self.host.frozen:
            self.redraw_now()

    def _draw_past(self, now: datetime) -> None:
        past = self.value
        if past is None or not self.query_one("#charts").display:
            return
        chart, slices = self.query_one("#ended", Chart), past.slices
        if slices:
            ended = Curve([float(one.succeeded + one.failed) for one in slices], "ended", "good")
            failed = Curve([float(one.failed) for one in slices], "failed", "bad")
            since, until = (short_clock(datetime.fromtimestamp(slices[end].at, UTC), now) for end in (0, -1))
            placed = place_marks(past.marks, slices[0].at, slices[-1].at)
            stale = self.host.troubles.history
            chart.show([ended, failed], since, until, stale=stale, is_open=True, marks=placed)

        rows = [HeatRow(safe_text(row.queue or UNKNOWN), row.p95_s, _spell_wait(row.worst_s)) for row in past.waits]
        self.query_one("#waits", HeatMap).show(rows, stale=self.host.troubles.history)

    def on_mount(self) -> None:
        """Begin to read what else needs somebody."""
        self._others = Feed(
            "broker", self._read_others, lambda: self.post_message(self.Changed()), interval_s=5.0, calm_s=10.0
        )
        self._others.start()

    def on_unmount(self) -> None:
        """Stop reading it."""
        if self._others:
            self._others.stop()

    def own_feeds(self) -> Iterable[Feed[Any]]:
        """Return both feeds."""
        yield from super().own_feeds()
        if self._others:
            yield self._others

    def _read_others(self) -> tuple[tuple[Need, ...], tuple[OpenAlert, ...]]:
        from celery_nexus.alerts.source import AlertSource

        require_present(self.host)
        sources = self.host.sources
        count = sources.dead_letters.count()
        needs = need_of_letters(count, sources.dead_letters.list(MOST_LETTERS) if count else (), moment.now())
        try:
            return needs, AlertSource.open(sources).list_open()
        except SourceError as error:
            return (*needs, Need("alerts", "can't be read", str(error), is_bad=False, opens="alerts")), ()

    def read(self) -> _Past:
        """Read what ended in each minute, and how long it had waited; the last minute still goes on."""
        history, since = self.host.sources.history, moment.now().timestamp() - SPANS[ENDED_SPAN]
        return _Past(tuple(history.chart(since)), tuple(history.waits(since)), tuple(history.marks(since)))

    def _fill(self, selector: str, rows: Any, stale: str, note: str = "", whole: str = "") -> None:
        table = self.query_one(selector, Table)
        if rows is not None:
            table.fill(rows)
        table.say(stale=stale, note=note, whole=whole)


def _spell_wait(seconds: float) -> str:
    return duration(seconds) if seconds < 60 else age(seconds)

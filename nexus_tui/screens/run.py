"""View of one run: its times, arguments, result or error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from textual.widget import Widget

from celery_nexus.errors import NotFound, SourceError
from celery_nexus.rows import moment
from celery_nexus.rows.catalog import TaskType
from celery_nexus.rows.history import TaskStats
from celery_nexus.rows.runs import Run
from celery_nexus.rows.text import UNKNOWN, clock, duration, pretty, safe_lines, safe_text, short_id
from celery_nexus.rows.workflows import Workflow
from celery_nexus.workflows.source import read_recorded_workflow
from celery_nexus.workflows.words import summarize
from nexus_tui.screens.bases.operations import RunOperations
from nexus_tui.screens.bases.past import SPANS
from nexus_tui.screens.bases.reading import ReadingScreen
from nexus_tui.screens.panes.life import Step, bars_of, steps_of
from nexus_tui.screens.tables import cells
from nexus_tui.screens.tables.workflow_cells import is_worth_a_strip, strip
from nexus_tui.widgets.charts.gantt import NAME_CELLS, draw_gantt, draw_gauge
from nexus_tui.widgets.charts.glyphs import progress_bar
from nexus_tui.widgets.lines import BLANK, Line, width_of
from nexus_tui.widgets.reader import Reader
from nexus_tui.widgets.tables.sight import Row

USUAL_SPAN = "7d"
"""Over which time the usual duration of a task is taken."""

GAUGE_CELLS = 24
"""Cells of the bar that compares a run with others of its task."""


@dataclass(frozen=True, slots=True)
class _Life:
    run: Run | None
    steps: tuple[Step, ...]
    workflow: Workflow | None = None
    usual: TaskStats | None = None
    kind: TaskType | None = None


class RunScreen(RunOperations, ReadingScreen[_Life]):
    """A run's facts, timeline, arguments, result or traceback."""

    view = "tasks"
    source = "history"
    interval_s = 0.4
    calm_s = 0.8

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id
        self._read_at: int | None = None
        self._workflow: Workflow | None = None
        self._usual: tuple[TaskStats | None, TaskType | None] | None = None

    def body(self) -> Iterable[Widget]:
        """Make the page."""
        yield Reader("Run", id="page")

    @property
    def path(self) -> str:
        """Name the run."""
        run = self._run
        return f"{short_id(self.run_id)} {safe_text(cells.short_task(run.task) or '') if run else ''}".strip()

    def on_mount(self) -> None:
        """Give the keys to the page."""
        self.focus_body()

    def focus_body(self) -> None:
        """Give the keys to the page."""
        self.query_one(Reader).focus()

    def run_rows(self) -> list[Row]:
        """Return this run."""
        run = self._run
        return [Row(run.id if run else self.run_id, run)]

    def read_selection(self) -> Any:
        """Return the run."""
        return self._run

    def draw(self, now: datetime) -> None:
        """Write the page."""
        reader, life = self.query_one(Reader), self.value
        if life is None:
            lines: list[Line] = [((" Reading …", "dim"),)]
        elif life.run is None:
            lines = [((f" The history knows no run {safe_text(self.run_id, 80)} yet.", "warn"),)]
        else:
            lines = page(life.run, life, now, reader.size.width)
        reader.show(lines, stale=self.trouble(now) or self.host.troubles.history)

    @property
    def _run(self) -> Run | None:
        life = self.value
        return life.run if life else None

    def read(self) -> _Life:
        """Read the run; one that the history does not know yet as a message."""
        history = self.host.sources.history
        try:
            run = history.run(self.run_id)
        except NotFound:
            run = self._waiting()
            return _Life(run, tuple(steps_of(run, ())) if run else ())
        steps = tuple(steps_of(run, history.life(run.id)))
        return _Life(run, steps, self._read_workflow(run), *self._read_usual(run))

    def _read_usual(self, run: Run) -> tuple[TaskStats | None, TaskType | None]:
        """Read once how long its task takes elsewhere, and its limits."""
        if self._usual is None:
            since, sources = moment.now().timestamp() - SPANS[USUAL_SPAN], self.host.sources
            usual = next((row for row in sources.history.stats(since) if row.task == run.task), None)
            try:
                kind = next((row for row in sources.catalog.task_types() if row.name == run.task), None)
            except SourceError:  # of somebody else's application the limits may not be known
                kind = None
            self._usual = (usual, kind)
        return self._usual

    def _read_workflow(self, run: Run) -> Workflow | None:
        """Read what the history knows of the workflow, when anything of it has changed."""
        version = self.host.sources.history.version()
        if self._read_at != version:
            self._read_at, self._workflow = version, read_recorded_workflow(self.host.sources, run.id)
        return self._workflow

    def _waiting(self) -> Run | None:
        """Find the run as a message: the history may be a moment behind."""
        message = self.host.sources.broker.find(self.run_id)
        if message is None:
            return None
        sent = None if message.age_s is None else moment.now() - timedelta(seconds=round(message.age_s))
        return Run(
            id=message.id,
            task=message.task or None,
            state="PENDING",
            queue=message.queue,
            priority=message.priority,
            sent_at=sent,
            waited_s=message.age_s,
            args=message.args,
            kwargs=message.kwargs,
        )


def page(run: Run, life: _Life, now: datetime, width: int) -> list[Line]:
    """Write a run as lines: facts, its workflow, its life in bars and steps, then what went in and what came out."""
    return [
        *_facts(run, now),
        *_workflow_block(life.workflow),
        *_life_block(run, life, now, width),
        *_timeline(life.steps),
        *_block("Arguments", _arguments(run)),
        *_ending(run),
    ]


def _life_block(run: Run, life: _Life, now: datetime, width: int) -> list[Line]:
    """Draw what it waited and ran, against its limits and what its task usually takes."""
    bars = draw_gantt(bars_of(life.steps, now), width - 2, lambda at: clock(datetime.fromtimestamp(at, UTC), now))
    usual = _usual_lines(run, life, now, width)
    return [BLANK, *bars, *usual] if bars or usual else []


def _usual_lines(run: Run, life: _Life, now: datetime, width: int) -> list[Line]:
    kind, times = life.kind, life.usual.ran_s if life.usual is not None else None
    limits = [
        f"{name} {duration(limit)}"
        for name, limit in (("soft", kind and kind.soft_time_limit_s), ("hard", kind and kind.time_limit_s))
        if limit
    ]
    told = f"{', '.join(limits)} · " if limits else ""
    ran = (now - run.started_at).total_seconds() if run.state == "STARTED" and run.started_at else run.ran_s
    if times is None:
        return [((f" {'limits':<{NAME_CELLS}} ", "dim"), (", ".join(limits), "plain"))] if limits else []
    middle, slow, _ = times
    words = f"{told}p50 {duration(middle)}, p95 {duration(slow)} of {USUAL_SPAN} "
    start: Line = ((f" {'usual':<{NAME_CELLS}} ", "dim"), (words, "plain"))
    if ran is None:
        return [start]
    is_over = bool(kind and kind.soft_time_limit_s and ran >= kind.soft_time_limit_s)
    look = "bad" if is_over else "warn" if ran > slow else "good"
    times_slow = f" {ran / slow:.1f} × p95" if slow and ran > slow else ""
    gauge: Line = (*draw_gauge(ran, ((middle, "┴"), (slow, "┼")), GAUGE_CELLS, look), (times_slow, look))
    if width_of(start) + width_of(gauge) < width:
        return [(*start, *gauge)]
    return [start, ((" " * (NAME_CELLS + 2), "plain"), *gauge)]


def _facts(run: Run, now: datetime) -> list[Line]:
    unknown = ((UNKNOWN, "dim"),)
    rows: list[tuple[str, Line]] = [
        ("state", cells.state_cell(run.state)),
        ("task", cells.text_or_unknown(run.task, "strong")),
        ("id", cells.text(run.id)),
        ("queue", cells.text_or_unknown(run.queue)),
        ("priority", unknown if run.priority is None else ((f"{run.priority}", "plain"), (" (0 is first)", "dim"))),
        ("worker", cells.text(run.worker or "none yet", "plain" if run.worker else "dim")),
        ("waited", ((duration(run.waited_s), "plain"),)),
        ("ran", ((cells.describe_runtime(run, now), "plain"),)),
        ("retries", ((str(run.retries), "warn" if run.retries else "plain"),)),
    ]
    if run.progress:
        total = UNKNOWN if run.progress.total is None else f"{run.progress.total:,}"
        words = f" {run.progress.done:,}/{total} {safe_text(run.progress.note)}"
        rows.append(("progress", (*progress_bar(run.progress.done, run.progress.total, 20), (words, "plain"))))
    if run.parent_id:
        rows.append(("published by", cells.text(run.parent_id)))
    return [((f" {name:<13}", "dim"), *value) for name, value in rows]


def _timeline(steps: Sequence[Step]) -> list[Line]:
    lines: list[Line] = [BLANK, ((" Timeline", "accent"),)]
    before: datetime | None = None
    for step in steps:
        since = "" if before is None else f"+{duration((step.at - before).total_seconds())}"
        lines.append(
            (
                (f"   {clock(step.at):<20}", "dim"),
                (f"{since:>12}  ", "dim"),
                (f"{step.word:<11}", step.look),
                (step.detail, "dim"),
            )
        )
        before = step.at
    return lines if steps else [*lines, (("   nothing is known yet", "dim"),)]


def _workflow_block(workflow: Workflow | None) -> list[Line]:
    if workflow is None or not is_worth_a_strip(workflow):
        return []
    return [
        BLANK,
        ((" Workflow", "accent"), (f" · {summarize(workflow)} · x opens it", "dim")),
        *strip(workflow),
    ]


def _arguments(run: Run) -> list[str]:
    lines: list[str] = []
    if run.args not in (None, [], (), "()", "[]"):
        lines += pretty(run.args)
    if run.kwargs not in (None, {}, "{}"):
        lines += pretty(run.kwargs)
    if run.args is None and run.kwargs is None:
        return [UNKNOWN]
    return lines or ["none"]


def _ending(run: Run) -> list[Line]:
    if run.error or run.traceback:
        error = _block("Error", safe_lines(run.error or UNKNOWN), "bad")
        return error + (_block("Traceback", safe_lines(run.traceback)) if run.traceback else [])
    if run.state == "SUCCESS":
        return _block("Result", pretty(run.result))
    return []


def _block(title: str, lines: Sequence[str], look: str = "plain") -> list[Line]:
    return [BLANK, ((f" {title}", "accent"),), *((("   ", "plain"), (line, look)) for line in lines)]

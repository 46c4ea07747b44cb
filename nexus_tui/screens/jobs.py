"""Jobs: the actions that were confirmed, how far they are, and what became of each target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from celery_nexus.filters.table import Field, Kind
from celery_nexus.rows.outcomes import TargetOutcome
from celery_nexus.rows.text import clock, duration, number, rate, safe_text, short_clock
from nexus_tui.jobs import Job, State, write_results
from nexus_tui.screens.bases.arranging import ArrangedScreen
from nexus_tui.screens.bases.base import NexusScreen
from nexus_tui.screens.bases.beside import ListScreen
from nexus_tui.screens.panes.details import tell_fact
from nexus_tui.screens.tables.cells import Cells, text
from nexus_tui.widgets.charts.glyphs import progress_bar
from nexus_tui.widgets.lines import BLANK, Line
from nexus_tui.widgets.reader import Reader
from nexus_tui.widgets.tables.arrangement import Arrangement
from nexus_tui.widgets.tables.columns import Column
from nexus_tui.widgets.tables.table import Table

DRAW_EVERY_S = 0.5
MOST_TARGETS = 200
"""Targets that the pane beside the list has; Enter shows all."""

_BAR = 10
_LOOKS: dict[State, tuple[str, str]] = {
    "counting": ("◌", "accent"),
    "asking": ("?", "warn"),
    "working": ("▶", "accent"),
    "cancelling": ("◌", "warn"),
    "done": ("✓", "good"),
    "partly done": ("▲", "warn"),
    "cancelled": ("⊘", "warn"),
    "failed": ("✗", "bad"),
}

COLUMNS = (
    Column("STATE", 13, field=Field("state", Kind.NAME)),
    Column("WHAT", 14, flex=1, field=Field("what", Kind.NAME, lambda job: job.action.label)),
    Column("PROGRESS", 24, field=Field("targets", Kind.NUMBER, lambda job: job.steps.total)),
    Column("REST", 11, right=True),
    Column("RATE", 7, right=True),
    Column("SINCE", 11, right=True),
    Column("OUTCOME", 20, flex=2, field=Field("outcome", Kind.TEXT, lambda job: describe_outcome(job))),
    Column("COMMAND", 24, flex=2, field=Field("command")),
)


class JobKeys(NexusScreen):
    """A screen on which jobs can be cancelled, and what became of them copied."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "cancel", "cancel"),
    ]

    @property
    def job(self) -> Job | None:
        """The job that a key is about."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Keep up with what is at work."""
        self.set_interval(DRAW_EVERY_S, self._draw_work)

    def action_cancel(self) -> None:
        """Let a job end after the step at hand; what was done stays done."""
        if self.job is None or not self.job.is_at_work:
            self.host.tell("It has ended: nothing is left to cancel" if self.job else "No job is under the cursor")
            return
        self.job.cancel()
        self.host.tell("Ends after the step at hand; what was done stays done")
        self.redraw_now()

    def action_copy(self) -> None:
        """Copy what became of each target, a line each."""
        if self.job is not None:
            self.host.copy(write_results(self.job), f"{number(len(self.job.rows))} results")

    def action_raw(self) -> None:
        """Show the results as JSON."""
        if self.job is not None:
            from nexus_tui.screens.dialogs.raw import RawScreen

            fields = {"command": self.job.command, "state": self.job.state, "targets": self.job.rows}
            self.app.push_screen(RawScreen(self.job.action.label, fields))

    def action_why(self) -> None:
        """Say what it waits for."""
        if self.job is not None:
            self.host.tell(self.job.steps.note or self.job.problem or self.job.state)

    def _draw_work(self) -> None:
        if self.is_current and any(job.is_at_work for job in self.host.jobs) and not self.host.frozen:
            self.redraw_now()


class JobsScreen(ArrangedScreen, ListScreen, JobKeys):
    """What was asked for since the dashboard was opened, the latest first; Enter shows every target."""

    def body(self) -> Iterable[Widget]:
        """Make the table."""
        nothing = "Nothing was changed from here yet: every change is a job while it works, and stays with its results"
        table = Table(
            COLUMNS,
            job_cells,
            lambda job: job.id,
            title="Jobs",
            empty=nothing,
            ageing=True,
            arrangement=Arrangement(COLUMNS),
            id="rows",
        )
        yield from self.list_and_detail(table)

    @property
    def path(self) -> str:
        """Say how many are at work."""
        return f"jobs · {sum(job.is_at_work for job in self.host.jobs)} at work"

    @property
    def job(self) -> Job | None:
        """The job under the cursor."""
        return self.query_one("#rows", Table).aimed_item

    def draw(self, now: datetime) -> None:
        """Show the jobs."""
        self.query_one("#rows", Table).fill(tuple(self.host.jobs))
        self.show_detail(now)

    def describe(self, item: Any, now: datetime) -> tuple[str, Sequence[Line]]:
        """Tell of the job under the cursor."""
        return safe_text(item.action.label), describe_job(item, now, MOST_TARGETS)

    def read_selection(self) -> Any:
        """Return the job under the cursor."""
        return self.job

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        self.app.push_screen(JobScreen(event.item))


class JobScreen(JobKeys):
    """All of one job: its command, how far it is, and what became of each target."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def body(self) -> Iterable[Widget]:
        """Make the page."""
        yield Reader("Job", id="page")

    @property
    def job(self) -> Job | None:
        """The job."""
        return self._job

    @property
    def path(self) -> str:
        """Name it."""
        return f"jobs ▸ {safe_text(self._job.action.label)}"

    def on_mount(self) -> None:
        """Give the keys to the page."""
        self.focus_body()

    def focus_body(self) -> None:
        """Give the keys to the page."""
        self.query_one(Reader).focus()

    def draw(self, now: datetime) -> None:
        """Write the page."""
        self.query_one(Reader).show(describe_job(self._job, now))


def job_cells(job: Job) -> Cells:
    """Draw a job."""
    sign, look = _LOOKS[job.state]
    steps = job.steps
    rest = f"~{duration(steps.rest_s)}" if job.is_at_work and steps.rest_s is not None else ""
    return (
        ((f"{sign} {job.state}", look),),
        text(job.action.label),
        (*progress_bar(steps.done, steps.total, _BAR), (f" {job.progress_words}", "plain")) if steps.total else (),
        ((rest if job.is_at_work else f"took {duration(job.took_s)}", "plain" if job.is_at_work else "dim"),),
        ((f"{rate(steps.rate_per_s)}/s" if job.is_at_work and steps.rate_per_s else "", "dim"),),
        ((short_clock(job.since, job.until or job.since), "dim"),),
        text(describe_outcome(job), "plain" if job.outcome is None or job.outcome.done else "warn"),
        text(job.command, "dim"),
    )


def describe_outcome(job: Job) -> str:
    """Say what came of it, or what it waits for."""
    return job.outcome.message if job.outcome else job.problem or job.steps.note


def describe_job(job: Job, now: datetime, most: int | None = None) -> list[Line]:
    """Say what is done, how far it is, and what became of each target, what was not done first.

    Args:
        job: The job.
        now: The present.
        most: At most so many targets; None: all.
    """
    sign, look = _LOOKS[job.state]
    ended = "" if job.until is None else f" to {clock(job.until, now)}"
    lines = [
        tell_fact("state", ((f"{sign} {job.state}", look), (f"  {job.progress_words}", "plain"))),
        tell_fact("when", ((f"{clock(job.since, now)}{ended}, {duration(job.took_s)}", "plain"),)),
        tell_fact("command", text(job.command)),
    ]
    if job.steps.note and job.is_at_work:
        lines.append(tell_fact("waits", ((safe_text(job.steps.note), "plain"),)))
    if job.problem:
        lines.append(tell_fact("problem", text(job.problem, "bad")))
    if job.outcome is not None and job.outcome.undo:
        lines.append(tell_fact("undo", text(f"U, or nexus-tui undo {job.outcome.undo}")))
    return [*lines, *_targets(job, most)]


def _targets(job: Job, most: int | None) -> Iterator[Line]:
    rows = sorted(job.rows, key=lambda row: row.done)
    if not rows:
        return
    failed = sum(not row.done for row in rows)
    rest = f", {number(failed)} not done" if failed else ""
    told = (f"{number(len(rows) - failed)} done{rest}", "warn" if failed else "plain")
    yield tell_fact("targets", (told, ("  c copies them", "dim")))
    yield BLANK
    yield from map(_target, rows[:most])
    if most is not None and most < len(rows):
        yield ((f"   and {number(len(rows) - most)} more: Enter", "dim"),)


def _target(row: TargetOutcome) -> Line:
    sign = ("✓", "good") if row.done else ("✗", "warn")
    return ((" ", "plain"), sign, (f" {safe_text(row.target)}  ", "plain"), (safe_text(row.message), "dim"))

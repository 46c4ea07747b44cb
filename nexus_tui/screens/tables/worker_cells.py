"""Columns and cells of workers, their children and programs."""

from __future__ import annotations

from celery_nexus.filters.table import Field, Kind
from celery_nexus.rows.text import UNKNOWN, age, number, percent, safe_text, short_id, size
from celery_nexus.rows.workers import LOOP_EXITS, Child, Program, Worker
from nexus_tui.screens.tables.cells import Cells, short_task, text, text_or_unknown
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.tables.columns import Column

WORKER_LOOKS = {
    "healthy": ("●", "good"),
    "busy": ("●", "accent"),
    "full": ("●", "accent"),
    "draining": ("◌", "dim"),
    "paused": ("∥", "warn"),
    "starting": ("◌", "warn"),
    "silent": ("▲", "warn"),
    "stopped": ("○", "dim"),
    "crash-looping": ("✗", "bad"),
    "deaf": ("✗", "bad"),
    "twin": ("✗", "bad"),
    "over memory": ("▲", "warn"),
    "hoarding": ("▲", "warn"),
    "starved": ("▲", "warn"),
    "unknown": ("?", "warn"),
}

NO_CPU = 2

_NAME = Field("worker", Kind.NAME, lambda row: row.name)
_VERDICT = Field("verdict", Kind.TEXT)
_ACTIVE = Field("active", Kind.NUMBER)
_CPU = Field("cpu", Kind.NUMBER, lambda row: row.cpu_percent)
_MEMORY = Field("memory", Kind.SIZE, lambda row: row.rss_bytes)
_UP = Field("up", Kind.DURATION, lambda row: row.uptime_s)

WORKER_COLUMNS = (
    Column("WORKER", 20, flex=1, field=_NAME),
    Column("VERDICT", 15, field=_VERDICT),
    Column("ACTIVE", 6, right=True, field=_ACTIVE),
    Column("CPU", 5, right=True, field=_CPU),
    Column("MEMORY", 7, right=True, field=_MEMORY),
    Column("UP", 6, right=True, field=_UP),
    Column("HOLDS", 5, right=True, field=Field("holds", Kind.NUMBER, lambda row: row.reserved)),
    Column("DONE", 8, right=True, field=Field("done", Kind.NUMBER, lambda row: row.processed)),
    Column("WHY", 26, flex=3, field=Field("why", Kind.TEXT, lambda row: row.reason)),
    Column("PROGRAM", 16, field=Field("program", Kind.TEXT)),
    Column("POOL", 9, field=Field("pool", Kind.NAME)),
)

WORKER_FIELDS = (
    Field("queue", Kind.NAME, lambda row: row.queues, is_shown=False),
    Field("task", Kind.TEXT, lambda row: tuple(child.task for child in row.children), is_shown=False),
    Field("id", Kind.NAME, lambda row: tuple(child.run_id for child in row.children), is_shown=False),
)
"""Fields of workers without a column: what they take, and what they run."""

PULSE_WORKER_COLUMNS = (
    Column("WORKER", 14, flex=1, field=_NAME),
    Column("VERDICT", 15, field=_VERDICT),
    Column("BUSY", 5, right=True, field=_ACTIVE),
    Column("CPU", 5, right=True, field=_CPU),
    Column("MEMORY", 7, right=True, field=_MEMORY),
    Column("UP", 7, right=True, field=_UP),
)

CHILD_COLUMNS = (
    Column("CHILD", 8, right=True, field=Field("pid", Kind.NUMBER)),
    Column("RUNS", 24, flex=1, field=Field("task")),
    Column("ID", 8, field=Field("id", Kind.NAME, lambda row: row.run_id)),
    Column("FOR", 9, right=True, field=Field("runtime", Kind.DURATION, lambda row: row.ran_s)),
    Column("CPU", 5, right=True, field=_CPU),
    Column("MEMORY", 7, right=True, field=_MEMORY),
)


def verdict_cell(worker: Worker) -> Line:
    """Draw a verdict: sign and word."""
    sign, look = WORKER_LOOKS.get(worker.verdict, ("?", "warn"))
    return ((f"{sign} {safe_text(worker.verdict, 20)}", look),)


def pulse_worker_cells(worker: Worker) -> Cells:
    """Draw a worker of Pulse."""
    return (
        text(worker.name),
        verdict_cell(worker),
        ((_busy(worker), "plain"),),
        ((_cpu(worker.cpu_percent), "plain"),),
        ((size(worker.rss_bytes), "plain"),),
        ((age(worker.uptime_s), "dim"),),
    )


def worker_cells(worker: Worker) -> Cells:
    """Draw a worker of the Workers view."""
    return (
        *pulse_worker_cells(worker),
        ((number(worker.reserved), "dim"),),
        ((number(worker.processed), "plain"),),
        text(worker.reason, "dim"),
        text(worker.program or "by hand", "plain" if worker.program else "dim"),
        text_or_unknown(worker.pool, "dim"),
    )


def child_cells(child: Child) -> Cells:
    """Draw a child process and what it runs."""
    return (
        ((str(child.pid), "plain"),),
        text(
            short_task(child.task) or ("idle" if child.run_id is None else UNKNOWN), "plain" if child.run_id else "dim"
        ),
        ((short_id(child.run_id or ""), "plain"),),
        (("" if child.run_id is None else age(child.ran_s), "plain"),),
        ((_cpu(child.cpu_percent), "plain"),),
        ((size(child.rss_bytes), "plain"),),
    )


PROGRAM_LOOKS = {
    "RUNNING": ("●", "good"),
    "STARTING": ("◌", "warn"),
    "STOPPING": ("◌", "warn"),
    "STOPPED": ("○", "dim"),
    "EXITED": ("○", "dim"),
    "BACKOFF": ("▲", "warn"),
    "FATAL": ("✗", "bad"),
}

PROGRAM_COLUMNS = (
    Column("PROGRAM", 20, field=Field("program", Kind.TEXT, lambda row: row.name)),
    Column("STATE", 12, field=Field("state", Kind.NAME)),
    Column("PID", 8, right=True, field=Field("pid", Kind.NUMBER)),
    Column("UP", 8, right=True, field=_UP),
    Column("SUPERVISOR SAYS", 20, flex=1, field=Field("says", Kind.TEXT, lambda row: row.description)),
)


def program_cells(program: Program) -> Cells:
    """Draw a Supervisor program."""
    sign, look = PROGRAM_LOOKS.get(program.state, ("?", "warn"))
    return (
        text(program.name),
        ((f"{sign} {safe_text(program.state, 20)}", look),),
        (("–" if program.pid is None else str(program.pid), "dim"),),
        (("–" if program.uptime_s is None else age(program.uptime_s), "dim"),),
        words_of(program) if program.state != "RUNNING" or program.exits >= LOOP_EXITS else (),
    )


def words_of(program: Program) -> Line:
    """Draw what Supervisor says of a program."""
    return text(program.summary, "bad") if program.exits >= LOOP_EXITS else text(program.description, "dim")


def _cpu(value: float | None) -> str:
    """Write CPU use; what is next to nothing does not flicker."""
    return f"<{NO_CPU} %" if value is not None and value < NO_CPU else percent(value)


def _busy(worker: Worker) -> str:
    if worker.active is None:
        return UNKNOWN
    return f"{worker.active}/{UNKNOWN if worker.concurrency is None else worker.concurrency}"

"""Columns and cells of a schedule's entries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from celery_nexus.filters.table import Field, Kind
from celery_nexus.rows import moment
from celery_nexus.rows.schedule import ScheduleEntry
from celery_nexus.rows.text import UNKNOWN, age, number, short_clock
from nexus_tui.screens.tables.cells import RUN_LOOKS, Cells, short_task, text, text_or_unknown
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.tables.arrangement import HEALTHY
from nexus_tui.widgets.tables.columns import Column

HOURS = 24

ENTRY_COLUMNS = (
    Column("ENTRY", 23, flex=2, field=Field("entry", Kind.NAME, lambda entry: entry.name)),
    Column("DUE", 9, right=True, field=Field("due", Kind.DURATION, lambda entry: _until(entry))),
    Column("AT", 11, right=True),
    Column("LAST", 9, right=True, field=Field("last", Kind.DURATION, lambda entry: _since(entry))),
    Column("RUNS", 5, field=Field("state", Kind.NAME, lambda entry: tuple(run.state for run in entry.outcomes[:1]))),
    Column("MISSED", 6, right=True, field=Field("missed", Kind.NUMBER, lambda entry: _count_missed(entry))),
    Column("now   +6 h  +12 h +18 h", HOURS),
    Column("WHEN", 21, flex=2, field=Field("when", Kind.TEXT, lambda entry: entry.spec)),
    Column("TASK", 20, flex=1, field=Field("task")),
    Column("QUEUE", 16, field=Field("queue", Kind.NAME)),
    Column("KEPT IN", 18, field=Field("source", Kind.NAME)),
)

ENTRY_FIELDS = (
    Field("problem", is_shown=False),
    Field("enabled", Kind.NAME, lambda entry: "yes" if entry.is_enabled else "no", is_shown=False),
)
"""Fields of entries without a column."""

_TICKS = ((0, "·"), (1, "▂"), (4, "▃"), (12, "▄"), (60, "▆"))
"""Signs of an hour by how often an entry is due in it, at most; a full block for more."""


def weigh_entry(entry: ScheduleEntry) -> int:
    """Return how bad it is: 0 when beat does not send it as it should, 1 when runs failed or are missing, else 2."""
    if entry.problem or entry.late_s is not None or entry.is_doubled:
        return 0
    return 1 if _count_missed(entry) or is_failing(entry) else HEALTHY


def is_failing(entry: ScheduleEntry) -> bool:
    """Tell whether the latest run that ended failed."""
    return next((run.state for run in entry.outcomes if run.state in ("SUCCESS", "FAILURE")), "") == "FAILURE"


def entry_cells(entry: ScheduleEntry, day: Sequence[int], now: datetime) -> Cells:
    """Draw an entry; ``day`` are its runs to come in each quarter of an hour, empty when they are not known."""
    missed = _count_missed(entry)
    return (
        (entry_sign(entry), *text(entry.name, "plain" if entry.is_enabled else "dim")),
        (describe_due(entry, now),),
        ((short_clock(entry.next_at, now) if entry.next_at else "–", "plain"),),
        ((f"{age((now - entry.last_at).total_seconds())} ago" if entry.last_at else UNKNOWN, "dim"),),
        tuple(RUN_LOOKS.get(run.state, ("·", "dim")) for run in reversed(entry.outcomes)) or (("–", "dim"),),
        ((number(missed), "warn" if missed else "dim"),),
        draw_ticks(day),
        text(entry.spec),
        text_or_unknown(short_task(entry.task) or None, "dim"),
        text_or_unknown(entry.queue, "dim"),
        text(entry.source, "dim"),
    )


def entry_sign(entry: ScheduleEntry) -> tuple[str, str]:
    """Return the sign of its state."""
    weight = weigh_entry(entry)
    if weight < HEALTHY:
        return ("▲ ", "warn") if weight else ("✗ ", "bad")
    return ("● ", "good") if entry.is_enabled else ("∥ ", "warn")


def describe_due(entry: ScheduleEntry, now: datetime) -> tuple[str, str]:
    """Say when it is sent next, in few words: ``in 41 m``, ``late 3 m``, ``paused``."""
    if not entry.is_enabled:
        return "paused", "warn"
    if entry.late_s is not None:
        return f"late {age(entry.late_s)}", "bad"
    if entry.next_at is None:
        return entry.next_words(now), "dim"
    return (f"in {age((entry.next_at - now).total_seconds())}" if entry.next_at > now else "now"), "accent"


def draw_ticks(day: Sequence[int]) -> Line:
    """Draw in which of the next hours an entry is due, and how often."""
    if not day:
        return ((UNKNOWN, "dim"),)
    slices = len(day) // HOURS
    counts = [sum(day[hour * slices : (hour + 1) * slices]) for hour in range(HOURS)]
    return tuple((_tick(count), "accent" if count else "dim") for count in counts)


def _count_missed(entry: ScheduleEntry) -> int | None:
    return None if entry.missed is None or entry.missed.unknown else entry.missed.count


def _until(entry: ScheduleEntry) -> float | None:
    return None if entry.next_at is None else (entry.next_at - moment.now()).total_seconds()


def _since(entry: ScheduleEntry) -> float | None:
    return None if entry.last_at is None else (moment.now() - entry.last_at).total_seconds()


def _tick(count: int) -> str:
    return next((sign for most, sign in _TICKS if count <= most), "█")

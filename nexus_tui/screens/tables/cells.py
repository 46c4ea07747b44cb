"""Columns and cells of queues, messages and runs."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, cast

from celery_nexus.filters.table import Field, Kind
from celery_nexus.rows import moment
from celery_nexus.rows.broker import Message, QueueStats
from celery_nexus.rows.runs import Run
from celery_nexus.rows.text import (
    UNKNOWN,
    age,
    compact,
    duration,
    number,
    rate,
    safe_text,
    short_clock,
    short_id,
)
from nexus_tui.screens.tables.queue_looks import spec_of
from nexus_tui.widgets.charts.glyphs import priority_bars, progress_bar, spark
from nexus_tui.widgets.lines import Line, Span
from nexus_tui.widgets.tables.columns import Column

Cells = tuple[Line, ...]

RUN_LOOKS = {
    "PENDING": ("○", "dim"),
    "RECEIVED": ("◌", "plain"),
    "STARTED": ("▶", "accent"),
    "SUCCESS": ("✓", "good"),
    "FAILURE": ("✗", "bad"),
    "RETRY": ("↻", "warn"),
    "REVOKED": ("⊘", "dim"),
    "REJECTED": ("⊘", "warn"),
}
"""Sign and look of each state; the state is always written beside them."""

_SPARK = 11


def text(value: object, look: str = "plain") -> Line:
    """Make a cell of outside text."""
    return ((safe_text(value), look),) if value not in (None, "") else (("", look),)


def text_or_unknown(value: object, look: str = "plain") -> Line:
    """Make a cell of outside text, ``?`` when it is not known."""
    return text(UNKNOWN if value is None else value, "dim" if value is None else look)


# Queues


def _count_consumers(queue: QueueStats) -> int | None:
    return None if queue.consumers is None else len(queue.consumers)


QUEUE_COLUMNS = (
    Column("QUEUE", 23, flex=1, field=Field("queue", Kind.NAME, lambda row: row.name)),
    Column("WAITING", 8, right=True, field=Field("waiting", Kind.NUMBER)),
    Column("PRIORITY 0…9", 12),
    Column("FLIGHT", 6, right=True, field=Field("flight", Kind.NUMBER, lambda row: row.in_flight)),
    Column("OLDEST", 7, right=True, field=Field("oldest", Kind.DURATION, lambda row: row.oldest_age_s)),
    Column("IN/S", 6, right=True, field=Field("in", Kind.NUMBER, lambda row: row.in_per_s)),
    Column("OUT/S", 6, right=True, field=Field("out", Kind.NUMBER, lambda row: row.out_per_s)),
    Column("DRAINS", 7, right=True, field=Field("drains", Kind.DURATION, lambda row: row.drains_in_s)),
    Column("DELAYED", 7, right=True, field=Field("delayed", Kind.NUMBER)),
    Column("CONSUMERS", 9, right=True, field=Field("consumers", Kind.NUMBER, _count_consumers)),
    Column("5 MIN", _SPARK),
)

QUEUE_FIELDS = (
    Field("worker", Kind.NAME, lambda row: row.consumers, is_shown=False),
    Field("verdict", Kind.TEXT, lambda row: "paused" if row.paused else row.verdict),
)
"""Fields of queues without a column of their own: who takes from one, and what is wrong with it."""


RATES_NOTE = "rates of 15 s"
"""Note on the period over which a queue's rates are taken."""


def queue_chip(name: str | None) -> Span:
    """Draw the chip of a queue in its declared colour; other hues say a state."""
    spec = spec_of(name)
    return ("▎", spec.colour) if spec else (" ", "plain")


def queue_verdict(queue: QueueStats) -> tuple[str, str]:
    """Sign and look: ``∥`` paused, ``▲`` over its alert thresholds or in trouble, ``●`` fine."""
    spec = spec_of(queue.name)
    if queue.paused:
        return "∥", "warn"
    nobody = queue.consumers == () and queue.waiting > 0
    late = spec is not None and (queue.waiting > spec.alert.waiting or (queue.oldest_age_s or 0) > spec.alert.oldest_s)
    if nobody or late or queue.verdict:
        return "▲", "warn"
    return ("●", "good") if queue.consumers else ("○", "dim")


def queue_cells(queue: QueueStats) -> Cells:
    """Draw a queue."""
    sign, look = queue_verdict(queue)
    oldest = "–" if not queue.waiting else ("≥ " if queue.oldest_is_at_least else "") + age(queue.oldest_age_s)
    drains = "paused" if queue.paused else "–" if not queue.waiting else age(queue.drains_in_s)
    busy = "plain" if queue.waiting else "dim"
    return (
        (
            (f"{sign} ", look),
            queue_chip(queue.name),
            (safe_text(queue.name), "plain"),
            (f" {queue.verdict}" if queue.verdict and not queue.paused else "", "warn"),
            (" (undeclared)" if queue.declared is False else "", "dim"),
        ),
        ((number(queue.waiting), "strong" if queue.waiting else "dim"),),
        priority_bars(queue.by_priority, busy),
        ((number(queue.in_flight), "plain" if queue.in_flight else "dim"),),
        ((oldest, busy),),
        ((rate(queue.in_per_s), "plain" if queue.in_per_s else "dim"),),
        ((rate(queue.out_per_s), "plain" if queue.out_per_s else "dim"),),
        ((drains, busy),),
        ((number(queue.delayed), "plain" if queue.delayed else "dim"),),
        ((UNKNOWN if queue.consumers is None else f"{len(queue.consumers)}", "plain" if queue.consumers else "warn"),),
        spark(queue.history, _SPARK, "plain"),
    )


# Messages

MESSAGE_COLUMNS = (
    Column("#", 6, right=True),
    Column("PRI", 3, right=True),
    Column("TASK", 26, flex=1),
    Column("ID", 8),
    Column("AGE", 7, right=True),
    Column("ARGUMENTS", 20, flex=3),
)


def message_cells(message: Message) -> Cells:
    """Draw a waiting message, in run order."""
    return (
        ((number(message.position), "dim"),),
        ((str(message.priority), "accent"),),
        text(message.task or message.problem or UNKNOWN, "plain" if message.task else "warn"),
        ((short_id(message.id), "plain"),),
        ((age(message.age_s), "plain"),),
        _arguments(message.args, message.kwargs, message.problem),
    )


# Runs

RUN_COLUMNS = (
    Column("STATE", 10),
    Column("TASK", 20, flex=2),
    Column("ID", 8),
    Column("SENT", 11, right=True),
    Column("ARGUMENTS OR ERROR", 20, flex=3),
    Column("RAN", 9, right=True),
    Column("WAITED", 9, right=True),
    Column("TRY", 3, right=True),
    Column("PRI", 3, right=True),
    Column("QUEUE", 21),
    Column("WORKER", 14, flex=1),
)

RUNNING_COLUMNS = (
    Column("RUNNING", 18, flex=1, field=Field("task")),
    Column("ID", 8, field=Field("id", Kind.NAME)),
    Column("FOR", 9, right=True, field=Field("runtime", Kind.DURATION, lambda run: run.ran_s)),
    Column("PROGRESS", 10),
    Column("", 12, flex=1),
)

RUNNING_FIELDS = (Field("queue", Kind.NAME, is_shown=False), Field("worker", Kind.NAME, is_shown=False))
"""Fields of running runs without a column."""


def state_cell(state: str) -> Line:
    """Draw a state: sign and word."""
    sign, look = RUN_LOOKS.get(state, ("?", "warn"))
    return ((f"{sign} {safe_text(state, 20)}", look),)


def run_cells(run: Run) -> Cells:
    """Draw a run of the Tasks view."""
    now = moment.now()
    return (
        state_cell(run.state),
        text_or_unknown(short_task(run.task)),
        ((short_id(run.id), "plain"),),
        ((short_clock(run.sent_at or run.received_at, now), "dim"),),
        text(run.error, "bad") if run.error else _arguments(run.args, run.kwargs, ""),
        ((describe_runtime(run, now), "plain"),),
        ((duration(run.waited_s) if run.waited_s is not None else "–", "dim"),),
        ((str(run.retries) if run.retries else "–", "warn" if run.retries else "dim"),),
        ((UNKNOWN if run.priority is None else str(run.priority), "plain"),),
        text_or_unknown(run.queue),
        text(run.worker or "–", "plain" if run.worker else "dim"),
    )


def pulse_run_cells(run: Run) -> Cells:
    """Draw a run of Pulse's list of what runs now."""
    progress = run.progress
    return (
        text_or_unknown(short_task(run.task)),
        ((short_id(run.id), "dim"),),
        ((describe_runtime(run, moment.now()), "plain"),),
        progress_bar(progress.done, progress.total) if progress else (("", "dim"),),
        text(_progress_words(run), "dim"),
    )


def describe_runtime(run: Run, now: datetime) -> str:
    """Write how long a run took, or has taken until now; ``–`` when it has not started."""
    if run.state == "STARTED" and run.started_at is not None:
        seconds = (now - run.started_at).total_seconds()
        return duration(float(int(seconds))) if seconds >= 1 else "0 s"
    return "–" if run.ran_s is None else duration(run.ran_s)


def short_task(name: str | None) -> str | None:
    """Shorten ``workers.file_tasks.process_pdf`` to ``file_tasks.process_pdf``."""
    return name.removeprefix("workers.") if name else name


def _progress_words(run: Run) -> str:
    if run.progress is None:
        return ""
    done = number(run.progress.done)
    total = "" if run.progress.total is None else f"/{number(run.progress.total)}"
    return f"{done}{total} {run.progress.note}".strip()


def _arguments(args: object, kwargs: object, problem: str) -> Line:
    if problem:
        return text(problem, "warn")
    return ((arguments(args, kwargs), "dim"),)


def arguments(args: object, kwargs: object) -> str:
    """Write arguments on one safe line; empty when there are none."""
    parts: list[str] = []
    if args not in (None, [], (), "()", "[]"):
        parts.append(compact(args))
    if isinstance(kwargs, dict):
        named = cast("dict[Any, Any]", kwargs)
        parts += (
            safe_text(f"{name}={json.dumps(value, ensure_ascii=False, default=str)}") for name, value in named.items()
        )
    elif kwargs not in (None, "{}"):
        parts.append(compact(kwargs))
    return safe_text(" ".join(parts))


def span(value: str, look: str = "plain") -> Span:
    """Make a span of outside text."""
    return safe_text(value), look

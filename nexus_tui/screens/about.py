"""Summaries of an action's targets in its question: task, state, age and arguments, as on the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from celery_nexus.rows import moment
from celery_nexus.rows.broker import Message, QueueStats
from celery_nexus.rows.runs import Run
from celery_nexus.rows.text import UNKNOWN, age, number, safe_text, short_id
from celery_nexus.rows.workers import Program, Worker
from nexus_tui.screens.tables import cells, worker_cells
from nexus_tui.widgets.lines import Line, Span
from nexus_tui.widgets.tables.sight import Row

MOST_NAMED = 3
_LONGEST = 300


def describe_targets(rows: Sequence[Row]) -> list[Line]:
    """Describe runs or messages: the first few one by one, the others by their states."""
    now = moment.now()
    lines = [line for row in rows[:MOST_NAMED] for line in describe_one(row, now, is_alone=len(rows) == 1)]
    rest = Counter(_state(row.item) for row in rows[MOST_NAMED:])
    if rest:
        told = ", ".join(f"{count:,} {state}" for state, count in rest.most_common())
        lines.append(((f"and {rest.total():,} more: {told}", "plain"),))
    return lines


def describe_one(row: Row, now: datetime, *, is_alone: bool = True) -> list[Line]:
    """Describe a run or a message."""
    item = row.item
    start: list[Span] = [] if is_alone else [(f"{short_id(row.id)}  ", "dim")]
    if isinstance(item, Run):
        life = (*cells.state_cell(item.state), (f" · {_times(item, now)}", "dim"))
        return _lines(start, cells.text_or_unknown(cells.short_task(item.task), "strong"), life, item.args, item.kwargs)
    if isinstance(item, Message):
        kind = "before its time" if item.is_delayed else f"waits at place {item.position:,}, priority {item.priority}"
        sent = f" · sent {age(item.age_s)} ago"
        task = cells.text(item.task or item.problem or UNKNOWN, "strong" if item.task else "warn")
        return _lines(start, task, ((kind, "accent"), (sent, "dim")), item.args, item.kwargs)
    return [(*start, ("not read yet: its task, state and age are not known here", "dim"))]


def describe_queue(queue: QueueStats | None) -> list[Line]:
    """Describe a queue."""
    if queue is None:
        return []
    oldest = f", the oldest for {age(queue.oldest_age_s)}" if queue.waiting else ""
    takers = UNKNOWN if queue.consumers is None else f"{len(queue.consumers)}"
    words = f"{number(queue.waiting)} wait{oldest} · {number(queue.in_flight)} in flight · {takers} consumers"
    return [((words + (" · paused" if queue.paused else ""), "plain"),)]


def describe_worker(worker: Worker) -> Line:
    """Describe a worker."""
    work = f"  {number(worker.active)} active, {number(worker.reserved)} held · {safe_text(worker.reason, 200)}"
    return (*cells.text(f"{worker.name}  ", "strong"), *worker_cells.verdict_cell(worker), (work, "dim"))


def describe_program(program: Program) -> Line:
    """Describe a program."""
    _, state, *_ = worker_cells.program_cells(program)
    since = f"  for {age(program.uptime_s)}" if program.uptime_s is not None else ""
    return (*cells.text(f"{program.name}  ", "strong"), *state, (since, "dim"))


def _lines(start: list[Span], task: Line, life: Line, args: Any, kwargs: Any) -> list[Line]:
    told = cells.arguments(args, kwargs)
    words = ((safe_text(told, _LONGEST), "plain"),) if told else (("without arguments", "dim"),)
    return [(*start, *task, ("  ", "plain"), *life), ((" " * sum(len(text) for text, _ in start), "plain"), *words)]


def _times(run: Run, now: datetime) -> str:
    sent = run.sent_at or run.received_at
    told = f"sent {age((now - sent).total_seconds())} ago" if sent else f"sent {UNKNOWN}"
    if run.state == "STARTED" and run.started_at:
        return f"{told}, runs for {cells.describe_runtime(run, now)}"
    return told


def _state(item: Any) -> str:
    return item.state if isinstance(item, Run) else "waiting" if isinstance(item, Message) else "not read yet"

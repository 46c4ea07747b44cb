"""Details of a row in the pane beside its list: of a run, a message, a queue, a group of failures, a task's figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

from celery_nexus.rows.broker import Message, QueueStats
from celery_nexus.rows.history import ErrorGroup
from celery_nexus.rows.runs import Run
from celery_nexus.rows.text import (
    UNKNOWN,
    age,
    clock,
    compact,
    duration,
    number,
    rate,
    safe_lines,
    safe_text,
    short_clock,
    short_id,
)
from nexus_tui.screens.tables import cells
from nexus_tui.widgets.charts.glyphs import life_bar, progress_bar, spark
from nexus_tui.widgets.lines import BLANK, Line, pad

MOST_ERROR_LINES = 4
LIFE_CELLS = 24
_NAME = 12
"""Cells for names of facts and arguments."""


def describe_run(run: Run, now: datetime) -> list[Line]:
    """Say what ran where and how long, why it failed, and with what."""
    where = [safe_text(run.queue) if run.queue else "", safe_text(run.worker or "no worker yet")]
    if run.priority is not None:
        where.insert(1, f"priority {run.priority}")
    if run.retries:
        where.append(f"retried {run.retries} ×")
    lines: list[Line] = [
        (
            (" ", "plain"),
            *cells.state_cell(run.state),
            ("  ", "plain"),
            (" · ".join(filter(None, where)), "plain"),
        ),
        _life(run, now),
    ]
    if run.progress:
        total = UNKNOWN if run.progress.total is None else number(run.progress.total)
        words = f"  {number(run.progress.done)}/{total} {safe_text(run.progress.note)}"
        lines.append(
            tell_fact("progress", (*progress_bar(run.progress.done, run.progress.total, 20), (words, "plain")))
        )
    if run.verdict:
        lines.append(tell_fact("verdict", cells.text(run.verdict, "warn")))
    if run.error:
        lines += _tell_facts("error", list(safe_lines(run.error))[:MOST_ERROR_LINES], "bad")
    if run.place:
        lines.append(tell_fact("at", cells.text(run.place, "dim")))
    lines += describe_arguments(run.args, run.kwargs)
    if run.state == "SUCCESS":
        lines += _tell_facts("result", [compact(run.result) or "none"])
    return [*lines, tell_fact("id", cells.text(run.id, "dim"))]


def describe_message(message: Message) -> list[Line]:
    """Say what waits, since when, and what it will run with."""
    task = cells.text(message.task or UNKNOWN, "strong" if message.task else "warn")
    lines: list[Line] = [((" ", "plain"), *task)]
    place = f"priority {message.priority} · place {number(message.position)} · waits since {age(message.age_s)}"
    lines.append(tell_fact("waits", ((place, "plain"),)))
    if message.eta:
        lines.append(tell_fact("not before", ((clock(message.eta), "plain"),)))
    if message.problem:
        lines += _tell_facts("problem", safe_lines(message.problem), "warn")
    lines += describe_arguments(message.args, message.kwargs)
    told = ((name, message.headers.get(name)) for name in ("origin", "root_id", "parent_id", "group"))
    lines += [tell_fact(name.removesuffix("_id"), cells.text(value)) for name, value in told if value]
    return [*lines, tell_fact("id", cells.text(message.id, "dim"))]


def describe_queue(queue: QueueStats, coming: Sequence[Message] | None) -> list[Line]:
    """Say who takes from a queue, how fast, and what is next to run; ``coming`` is None while it is read."""
    consumers = "nobody is known to" if queue.consumers is None else ", ".join(map(safe_text, queue.consumers))
    look = "plain" if queue.consumers else "warn"
    rates = f"{rate(queue.in_per_s)}/s in, {rate(queue.out_per_s)}/s out"
    held = f"{number(queue.in_flight)} in flight, {number(queue.delayed)} delayed"
    if queue.next_due_at:
        held += f", the first until {clock(queue.next_due_at)}"
    lines = [
        tell_fact("taken by", ((consumers or "nobody", look),)),
        tell_fact("moves", ((f"{rates} ({cells.RATES_NOTE}) · {held}", "plain"),)),
    ]
    if queue.slo is not None and queue.slo.six_hours.share is not None:
        lines.append(tell_fact("slo", ((queue.slo.words, "bad" if queue.slo.is_kept is False else "plain"),)))
    if queue.flag:
        lines.append(tell_fact("trouble", ((queue.flag, "warn"), ("  w says why", "dim"))))
    if coming is None:
        return lines
    if not coming:
        return [*lines, tell_fact("next", (("nothing waits", "dim"),))]
    return [*lines, *(_next(message, "next" if not index else "") for index, message in enumerate(coming))]


def describe_failures(group: ErrorGroup, now: datetime) -> list[Line]:
    """Say what went wrong in full, where, and in which tasks."""
    at = now.timestamp()
    seen = f"{number(group.count)} ×, the last {age(at - group.last_at)} ago, the first {age(at - group.first_at)} ago"
    tasks = ", ".join(safe_text(cells.short_task(task) or UNKNOWN) for task in group.tasks)
    new = [tell_fact("new", ((f"since {safe_text(group.new_since)}", "warn"),))] if group.new_since else []
    return [
        tell_fact("seen", ((seen, "plain"),)),
        *new,
        tell_fact("over time", spark(group.per_slice, len(group.per_slice), "bad")),
        tell_fact("tasks", ((tasks, "plain"),)),
        tell_fact("at", cells.text(group.place or UNKNOWN, "dim")),
        tell_fact("latest", ((safe_text(group.latest_id), "dim"),)),
        BLANK,
        *(((" ", "plain"), (line, "bad")) for line in safe_lines(group.message)),
    ]


def describe_arguments(args: Any, kwargs: Any) -> list[Line]:
    """List arguments, one a line; what is only known as text stays as it is."""
    lines: list[Line] = []
    if isinstance(args, list | tuple):
        values = cast("Sequence[Any]", args)
        lines += [tell_fact(f"#{place}", ((_value(value), "plain"),)) for place, value in enumerate(values, 1)]
    elif args not in (None, "()", "[]"):
        lines.append(tell_fact("arguments", ((compact(args), "plain"),)))
    if isinstance(kwargs, dict):
        named = cast("dict[Any, Any]", kwargs)
        lines += [tell_fact(str(name), ((_value(value), "plain"),)) for name, value in named.items()]
    elif kwargs not in (None, "{}"):
        lines.append(tell_fact("arguments", ((compact(kwargs), "plain"),)))
    if args is None and kwargs is None:
        return [tell_fact("arguments", ((UNKNOWN, "dim"),))]
    return lines or [tell_fact("arguments", (("none", "dim"),))]


def tell_fact(name: str, value: Line) -> Line:
    """Write a fact: its name, and what is known of it, safe for the screen."""
    return ((f" {pad(safe_text(name, _NAME), _NAME)} ", "dim"), *value)


def _value(value: Any) -> str:
    return "null" if value is None else compact(value)


def _life(run: Run, now: datetime) -> Line:
    """Draw the wait and the run on one line, with their times."""
    waited, ran = run.waited_s, run.ran_s
    if run.state == "STARTED" and run.started_at is not None:
        ran = (now - run.started_at).total_seconds()
    sent = run.sent_at or run.received_at
    words = [
        f"sent {short_clock(sent, now)}" if sent else "",
        "" if waited is None else f"waited {duration(waited)}",
        "" if ran is None else f"ran {cells.describe_runtime(run, now)}",
    ]
    bar = life_bar(waited or 0.0, ran or 0.0, LIFE_CELLS, cells.RUN_LOOKS.get(run.state, ("", "plain"))[1])
    return tell_fact("life", (*bar, (f"  {' · '.join(filter(None, words))}", "plain")))


def _next(message: Message, name: str) -> Line:
    return tell_fact(
        name,
        (
            (f"{message.priority} ", "accent"),
            *cells.text(cells.short_task(message.task) or message.problem or UNKNOWN),
            (f"  {short_id(message.id)}  {age(message.age_s)}  ", "dim"),
            (cells.arguments(message.args, message.kwargs), "plain"),
        ),
    )


def _tell_facts(name: str, values: Iterable[str], look: str = "plain") -> list[Line]:
    return [tell_fact("" if index else name, ((value, look),)) for index, value in enumerate(values)]

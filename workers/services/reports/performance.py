"""Report on the performance of tasks: counts, failures, waits, busiest hours, slowest runs, error groups."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from celery_nexus.exports.cells import clean
from celery_nexus.history.query.figures import chart, failures, find_busiest_hours, find_slowest, stats
from celery_nexus.history.query.history import History
from celery_nexus.rows.history import ErrorGroup, Slice, TaskStats
from celery_nexus.rows.runs import Run
from workers.services.reports.content import Cell, Chart, Grid, Report, Section
from workers.services.reports.periods import seconds_of

BUSIEST = 24
SLOWEST = 20
GROUPS = 50
SLICES = 48
"""Points of the chart over time."""

_COUNTS = ("sent", "succeeded", "failed", "revoked", "retried")
_PERCENTILES = ("p50", "p95", "p99")
_STATS = (
    *_COUNTS,
    "failure_percent",
    *(f"waited_{name}_s" for name in _PERCENTILES),
    *(f"ran_{name}_s" for name in _PERCENTILES),
)


def performance(path: Path, period: str, title: str = "", until: float | None = None) -> Report:
    """Make the report of a period that ends now, or at ``until`` (seconds since the epoch).

    Raises:
        InvalidArgument: The period can't be understood.
        HistoryError: The history can't be read.
    """
    span = seconds_of(period)
    end = time.time() if until is None else until
    start = end - span
    with History(path) as history:
        by_task = stats(history, start, end)
        by_queue = stats(history, start, end, by_queue=True)
        hours = find_busiest_hours(history, start, end)
        slow = find_slowest(history, start, end, limit=SLOWEST)
        errors = failures(history, start, end, limit=GROUPS)
        over_time = chart(history, start, end, max(60, span // SLICES // 60 * 60))
        exists = history.exists
    tasks = _stats_grid(by_task)
    sections = (
        Section("Tasks", "Percentiles are within 2 %.", tasks, _charts(by_task, over_time)),
        Section("Tasks by queue", "", _stats_grid(by_queue, with_queue=True)),
        Section("Busiest hours", "Hours (UTC) with the most ended runs.", _hours_grid(hours)),
        Section("Slowest runs", "From start to end.", _slowest_grid(slow)),
        Section("Errors", "Failures of one type at one place, the most frequent first.", _errors_grid(errors)),
    )
    totals = {name: sum(int(getattr(row, name)) for row in by_task) for name in _COUNTS}
    return Report(
        title=clean(title).strip() or "Task performance",
        kind="performance",
        figures=_figures(start, end, totals),
        sections=sections if by_task or slow else (Section("No runs", "The history holds no runs of this period."),),
        main=tasks,
        stats={
            **totals,
            "from": _moment(start),
            "to": _moment(end),
            "tasks": tasks.as_json(),
            "queues": _stats_grid(by_queue, with_queue=True).as_json(),
            "busiest_hours": _hours_grid(hours).as_json(),
            "slowest": _slowest_grid(slow).as_json(),
            "errors": _errors_grid(errors).as_json(),
        },
        warnings=() if exists else ("there is no history yet: the recorder has written nothing",),
    )


def _figures(start: float, end: float, totals: dict[str, int]) -> tuple[tuple[str, Cell], ...]:
    ended = totals["succeeded"] + totals["failed"]
    rate = round(100 * totals["failed"] / ended, 2) if ended else None
    named: list[tuple[str, Cell]] = [(name.capitalize(), totals[name]) for name in _COUNTS]
    return (("From", _moment(start)), ("To", _moment(end)), *named, ("Failure rate in percent", rate))


def _stats_grid(rows: list[TaskStats], *, with_queue: bool = False) -> Grid:
    names = ("task", *(("queue",) if with_queue else ()), *_STATS)
    return Grid(names, tuple(_stats_row(row, with_queue) for row in rows))


def _stats_row(row: TaskStats, with_queue: bool) -> tuple[Cell, ...]:
    rate = None if row.failure_rate is None else round(100 * row.failure_rate, 2)
    waited, ran = (
        tuple(round(value, 4) for value in triple) if triple else (None, None, None)
        for triple in (row.waited_s, row.ran_s)
    )
    names: tuple[Cell, ...] = (clean(row.task), clean(row.queue) or "?") if with_queue else (clean(row.task),)
    return (*names, row.sent, row.succeeded, row.failed, row.revoked, row.retried, rate, *waited, *ran)


def _hours_grid(hours: list[Slice]) -> Grid:
    rows = tuple((_moment(hour.at), *(getattr(hour, name) for name in _COUNTS)) for hour in hours[:BUSIEST])
    return Grid(("hour", *_COUNTS), rows)


def _slowest_grid(runs: list[Run]) -> Grid:
    rows = tuple(
        (
            run.id,
            clean(run.task or "?"),
            run.state,
            clean(run.worker or "?"),
            _rounded(run.ran_s),
            _rounded(run.waited_s),
        )
        for run in runs
    )
    return Grid(("id", "task", "state", "worker", "ran_s", "waited_s"), rows)


def _errors_grid(groups: list[ErrorGroup]) -> Grid:
    rows = tuple(
        (
            clean(group.type),
            clean(group.place),
            group.count,
            _moment(group.first_at),
            _moment(group.last_at),
            clean(", ".join(group.tasks)),
            clean(group.message)[:300],
            group.latest_id,
        )
        for group in groups
    )
    return Grid(("type", "place", "count", "first_at", "last_at", "tasks", "message", "latest_id"), rows)


def _charts(rows: list[TaskStats], over_time: list[Slice]) -> tuple[Chart, ...]:
    top = [row for row in rows if row.count][:12]
    if not top:
        return ()
    labels = tuple(clean(row.task).rpartition(".")[2] for row in top)
    counts = tuple(
        (name, tuple(float(getattr(row, name)) for row in top)) for name in ("succeeded", "failed", "revoked")
    )
    medians = tuple(row.ran_s[0] if row.ran_s else None for row in top)
    moments = tuple(_moment(part.at)[5:16].replace("T", " ") for part in over_time)
    flow: list[tuple[str, tuple[float | None, ...]]] = [
        (name, tuple(float(getattr(part, name)) for part in over_time)) for name in ("succeeded", "failed")
    ]
    return (
        Chart("Ended runs", "bar", labels, counts),
        Chart("Median run time in seconds", "bar", labels, (("seconds", medians),)),
        Chart("Ended runs over time (UTC)", "line", moments, tuple(flow)),
    )


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _rounded(value: Any) -> float | None:
    return None if value is None else round(float(value), 4)

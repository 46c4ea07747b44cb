"""Figures of the history: failures, stats; and care of its file: status, verify, compact, import."""

from __future__ import annotations

import signal
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from celery_nexus.errors import Invalid, NotFound
from celery_nexus.rows.text import age, clock, duration, number, safe_text
from nexus_tui.cli.changes import change_commands
from nexus_tui.cli.listings import recorded
from nexus_tui.cli.listings.archive import archive
from nexus_tui.cli.listings.live import print_levels
from nexus_tui.cli.output import print_fields, print_json, print_table
from nexus_tui.cli.shared import Target, add_common_options
from nexus_tui.cli.times import parse_moment, parse_seconds
from nexus_tui.documents import describe_failures, describe_history, describe_stats, write_time

if TYPE_CHECKING:
    from celery_nexus.rows.history import ErrorGroup
    from celery_nexus.runs.source import HistorySource

MAX_WINDOWS = 400
_since = click.option("--since", default="24h", show_default=True, metavar="T", help="30m, 24h, 7d … or a time.")
_until = click.option("--until", metavar="T", help="Until then; now when left out.")


@click.command()
@click.argument(
    "filter_text", metavar="[FILTER]", nargs=-1, help="What runs have to match: state:failure queue:ai task:*pdf* …"
)
@_since
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="Groups to show.")
@click.option("--new", is_flag=True, help="Only what was not seen before the last mark of this time (nexus-tui marks).")
@add_common_options
def failures(target: Target, filter_text: tuple[str, ...], since: str, limit: int, new: bool, as_json: bool) -> None:
    """Group failed runs that match FILTER by type and place of their exception, the largest group first."""
    history = target.sources().history
    text, start = " ".join(filter_text), parse_moment(since, "--since")
    rows = history.failures(start, text, limit)
    if new:
        rows = _new_ones(history, rows, start, since)
    recorded.warn(history)
    if as_json:
        print_json([_group_json(history, row) for row in rows])
        return
    now = time.time()
    print_table(
        ("count", "new since", "first", "last", "type", "place", "tasks", "latest", "says"),
        [
            (
                row.count,
                row.new_since or "–",
                f"{age(now - row.first_at)} ago",
                f"{age(now - row.last_at)} ago",
                row.type,
                row.place or "–",
                ", ".join(row.tasks[:3]) + (" …" if len(row.tasks) > 3 else ""),
                row.latest_id,
                _cut(row.message, 100),
            )
            for row in rows
        ],
        empty=_no_failures(history, text, since),
    )


@click.command()
@click.argument("task", required=False, metavar="[TASK]", help="A full name, or the unique end of one.")
@_since
@_until
@click.option("--by", type=click.Choice(("task", "queue", "both")), default="task", show_default=True, help="Rows.")
@click.option("--every", metavar="SPAN", help="One row for each such time: 1h, 1d …, to whole minutes.")
@add_common_options
def stats(
    target: Target, task: str | None, since: str, until: str | None, by: str, every: str | None, as_json: bool
) -> None:
    """Count what became of runs and how long they waited and ran (p50, p95, p99 within 2 %), by TASK or queue."""
    from celery_nexus.alerts.levels import ServiceLevels

    if task is not None and by == "queue":
        raise Invalid("TASK and --by queue exclude each other; --by both shows a task's queues")
    sources = target.sources()
    history = sources.history
    levels = ServiceLevels(sources).read() if not every else {}
    rows: list[dict[str, Any]] = []
    for start, end in _windows(since, until, every):
        found = history.stats(start, by in ("queue", "both"), end, by in ("task", "both"))
        window = {"from": write_time(start), "to": write_time(end)} if every else {}
        rows += [window | describe_stats(row) for row in found]
    if task is not None:
        rows = _of_task(rows, task)
    if by == "queue" and levels:
        rows = [row | {"slo": levels.get(row["queue"])} for row in rows]
    recorded.warn(history)
    if as_json:
        print_json(rows)
        return
    names = ("from", *(("task",) if by != "queue" else ()), *(("queue",) if by != "task" else ()))[not every :]
    print_table(
        (*names, "sent", "ended", "ok", "failed", "revoked", "retried", "success", "wait p50", "p95", "p99", "run p50",
         "p95", "p99"),
        [tuple(row[name] or "–" for name in names) + _stats_cells(row) for row in rows],
        empty=f"nothing ended in this time; --since 30d looks further back. {recorded.explain_empty_list(history)}",
    )  # fmt: skip
    print_levels(levels)


@click.group(name="history")
def history_group() -> None:
    """Care for the history's file."""


@history_group.command()
@add_common_options
def status(target: Target, as_json: bool) -> None:
    """Say where the history is, what it holds and how fresh it is."""
    history = target.sources().history
    fields = describe_history(history)
    if as_json:
        print_json(fields)
        return
    gaps: list[dict[str, Any]] = fields["gaps"]
    fields |= {"bytes": number(fields["bytes"]), "runs": number(fields["runs"]), "gaps": len(gaps)}
    fields["lag_s"] = "nobody ever recorded" if fields["lag_s"] is None else f"{age(fields['lag_s'])}"
    print_fields([(name, "–" if value is None else value) for name, value in fields.items()])
    for gap in gaps:
        missed = "?" if gap["missed"] is None else f"{gap['missed']:,}"
        noticed_s = time.time() - datetime.fromisoformat(gap["at"]).timestamp()
        click.echo(f"  gap noticed {age(noticed_s)} ago: {missed} events; {safe_text(gap['reason'])}")


@history_group.command()
@add_common_options
def verify(target: Target, as_json: bool) -> None:
    """Check the file (SQLite's integrity check) and compare the counts of runs and aggregates; exits 1 on a fault."""
    from celery_nexus.runs.file import HistoryFile

    found = HistoryFile(target.sources().history.path).verify()
    if as_json:
        print_json({"whole": not found.problems, "runs": found.runs, "ended": found.ended, "counted": found.counted,
                    "problems": found.problems})  # fmt: skip
    elif found.problems:
        click.echo("\n".join(f"✗ {safe_text(problem)}" for problem in found.problems))
    else:
        click.echo(f"✓ whole: {found.runs:,} runs, {found.ended:,} ended, {found.counted:,} ends counted")
    if found.problems:
        raise click.exceptions.Exit(1)


@history_group.command()
@add_common_options
def record(target: Target, as_json: bool) -> None:
    """Record another application (--broker URL) until Ctrl+C, as the dashboard does while it is open."""
    from celery_nexus.runs.recording import is_recorded, start_recorder

    sources = target.sources()
    if sources.recording is None:
        raise Invalid(
            f"this application has a recorder of its own: {sources.recorder_command}. Give --broker URL of another one"
        )
    origin = sources.recording.origin
    if is_recorded(origin.path):
        raise Invalid(f"a recorder writes {origin.path} already")
    child = start_recorder(origin, listening=sources.recording.listening())
    if not as_json:
        click.echo(f"recording into {safe_text(origin.path)}; Ctrl+C ends it", err=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = child.wait()
    except KeyboardInterrupt:
        if child.stdin is not None:
            child.stdin.close()
        code = child.wait()
    if as_json:
        print_json({"path": str(origin.path), "runs": sources.history.count()})
    if code:
        raise click.exceptions.Exit(1)


for _change in change_commands("history"):
    history_group.add_command(_change)


def _of_task(rows: list[dict[str, Any]], task: str) -> list[dict[str, Any]]:
    from celery_nexus.rows.task_names import resolve_task

    try:
        full = resolve_task(task, [row["task"] for row in rows if row["task"]])
    except NotFound:  # nothing of it ended in this time
        return []
    return [row for row in rows if row["task"] == full]


def _windows(since: str, until: str | None, every: str | None) -> list[tuple[float, float]]:
    end = parse_moment(until, "--until") if until else time.time()
    start = parse_moment(since, "--since")
    if start >= end:
        raise Invalid("--since is not before --until")
    if every is None:
        return [(start, end)]
    minutes = parse_seconds(every, "--every") // 60
    if not minutes:
        raise Invalid("--every is at least 1m")
    step = minutes * 60
    first = start // step * step
    if (end - first) / step > MAX_WINDOWS:
        raise Invalid(f"that makes more than {MAX_WINDOWS} rows of time; choose a longer --every or a later --since")
    starts = [first + step * index for index in range(int((end - first) // step) + 1)]
    return [(at, min(at + step - 1, end)) for at in starts if at < end]


def _group_json(history: HistorySource, row: ErrorGroup) -> dict[str, Any]:
    try:
        worker = history.run(row.latest_id).worker
    except NotFound:  # removed meanwhile
        worker = None
    return {**describe_failures(row), "worker": worker}


def _stats_cells(row: dict[str, Any]) -> tuple[Any, ...]:
    rate = row["success_rate"]
    counts = tuple(row[name] for name in ("sent", "count", "succeeded", "failed", "revoked", "retried"))
    times = [
        "–" if row[name] is None else duration(row[name][p])
        for name in ("waited_s", "ran_s")
        for p in ("p50", "p95", "p99")
    ]
    return (*counts, "–" if rate is None else f"{100 * rate:.1f} %", *times)


def _no_failures(history: HistorySource, text: str, since: str) -> str:
    if not history.exists or not history.runs(limit=1):
        return recorded.explain_empty_list(history)
    return f"no run failed since {since}{' that matches' if text.strip() else ''}; --since 30d looks further back"


def _cut(text: str, limit: int) -> str:
    text = text.partition("\n")[0]
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


history_group.add_command(archive)


def _new_ones(history: HistorySource, rows: list[ErrorGroup], start: float, since: str) -> list[ErrorGroup]:
    marks = history.marks(start)
    if not marks:
        raise NotFound(f"nothing was marked in the last {since}: nexus-tui mark LABEL does, --since looks further back")
    return [row for row in rows if row.first_at >= marks[-1].at.timestamp()]


@click.command()
@click.option("--since", default="30d", show_default=True, metavar="T", help="30m, 24h, 7d … or a time.")
@add_common_options
def marks(target: Target, since: str, as_json: bool) -> None:
    """List the moments that were marked: by nexus-tui mark, or because workers started with new code."""
    rows = target.sources().history.marks(parse_moment(since, "--since"))
    if as_json:
        print_json(rows)
        return
    print_table(
        ("at", "label", "by"),
        [(clock(row.at), row.label, row.by) for row in rows],
        empty=f"nothing was marked in {since}: nexus-tui mark LABEL does",
    )


COMMANDS = (failures, stats, marks, history_group)

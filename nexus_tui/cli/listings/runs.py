"""Commands that list and show runs: tasks, task."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from celery_nexus.rows.broker import Message
from celery_nexus.rows.runs import Run
from celery_nexus.rows.text import compact, duration
from nexus_tui.cli.listings import recorded
from nexus_tui.cli.output import print_fields, print_json, print_table
from nexus_tui.cli.shared import Target, add_common_options
from nexus_tui.documents import as_json as to_json

MAX_VALUE_CHARACTERS = 600
"""Longest printed arguments: about eight lines of a terminal."""


@click.command()
@click.argument(
    "filter_text", metavar="[FILTER]", nargs=-1, help="What runs have to match: state:failure queue:ai task:*pdf* …"
)
@click.option("--limit", type=click.IntRange(1), help="Runs to show: 50, with --follow to begin with none.")
@click.option("--follow", "-f", "follows", is_flag=True, help="Print a line for each run that changes, until Ctrl+C.")
@add_common_options
def tasks(target: Target, filter_text: tuple[str, ...], limit: int | None, follows: bool, as_json: bool) -> None:
    """List runs, newest first, that match FILTER: state:failure queue:ai task:*pdf* runtime:>30s age:<1h …"""
    history = target.sources().history
    text = " ".join(filter_text)
    if follows:
        from nexus_tui.cli.listings.follow import follow

        recorded.warn(history)
        follow(history, text, limit or 0, as_json=as_json)
        return
    rows = history.runs(text, limit=limit or 50)
    if as_json or rows:
        recorded.warn(history)
    if as_json:
        print_json([to_json(row) for row in rows])
        return
    print_table(
        ("id", "state", "task", "queue", "pri", "worker", "waited", "ran", "arguments"),
        [
            (
                row.id,
                row.state,
                row.task,
                row.queue,
                row.priority,
                row.worker or "–",
                duration(row.waited_s),
                duration(row.ran_s),
                arguments(row),
            )
            for row in rows
        ],
        empty=recorded.explain_empty_list(history, filtered=bool(text.strip())),
    )


@click.command()
@click.argument("run_id", metavar="ID", help="The run's id, or its unique beginning.")
@add_common_options
def task(target: Target, run_id: str, as_json: bool) -> None:
    """Show one run: its times, arguments, result or error. A unique beginning of the ID is enough."""
    from celery_nexus.client import Nexus

    run = Nexus(target.sources()).run(run_id)
    if as_json:
        print_json(to_json(run))
        return
    print_fields(
        [
            ("id", run.id),
            ("task", run.task),
            ("state", run.state),
            ("queue", run.queue),
            ("priority", run.priority),
            ("worker", run.worker or "–"),
            ("sent", moment(run.sent_at)),
            ("received", moment(run.received_at)),
            ("started", moment(run.started_at)),
            ("finished", moment(run.finished_at)),
            ("waited", duration(run.waited_s)),
            ("ran", duration(run.ran_s)),
            ("retries", run.retries),
            ("args", _begin(run.args)),
            ("kwargs", _begin(run.kwargs)),
            *_end_of(run),
        ]
    )


def _begin(value: Any) -> str:
    """Write a JSON value in a few lines; where it is longer, how much, and how to see all of it."""
    text = compact(value)
    left = len(text) - MAX_VALUE_CHARACTERS
    return text if left <= 0 else f"{text[:MAX_VALUE_CHARACTERS]}… {left:,} more characters: --json shows them"


def _end_of(run: Run) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    if run.progress is not None and not run.is_final:
        total = "?" if run.progress.total is None else f"{run.progress.total:,}"
        rows.append(("progress", f"{run.progress.done:,} of {total}  {run.progress.note}"))
    if run.result is not None:
        import json

        value: object = to_json(run.result)
        rows.append(("result", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)))
    if run.error:
        rows.append(("error", run.error))
    if run.traceback:
        rows.append(("traceback", run.traceback))
    return rows


def arguments(row: Message | Run) -> str:
    """Write the arguments of a run or message in one short line."""
    parts = [compact(row.args) if row.args else "", compact(row.kwargs) if row.kwargs else ""]
    text = " ".join(part for part in parts if part)
    return text if len(text) <= 80 else f"{text[:79]}…"


def moment(value: datetime | None) -> str:
    """Write a time of this host's zone; ``–`` for none."""
    return "–" if value is None else value.astimezone().isoformat(sep=" ", timespec="milliseconds")


COMMANDS = (tasks, task)

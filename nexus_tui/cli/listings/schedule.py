"""``nexus-tui schedule``: what beat sends by the clock, when it is due, what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import click

from celery_nexus.rows.moment import now as present
from celery_nexus.rows.schedule import MissedRuns, Schedule, ScheduleEntry
from celery_nexus.rows.text import clock, compact, safe_text
from nexus_tui.cli.changes import change_commands
from nexus_tui.cli.output import as_json as to_json
from nexus_tui.cli.output import print_fields, print_json, print_table
from nexus_tui.cli.shared import Target, add_common_options
from nexus_tui.cli.times import parse_seconds

_SIGNS = {"SUCCESS": "✓", "FAILURE": "✗", "REVOKED": "⊘"}
"""Of a run's end; what has not ended is ``·``."""

_HEADS = ("entry", "next", "when", "last", "outcomes", "missed", "task", "queue", "source")


@click.group(invoke_without_command=True)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="At most so many.")
@click.option(
    "--missed-for", default="24h", show_default=True, metavar="SPAN", help="Look so far back for missed runs."
)
@add_common_options
def schedule(target: Target, limit: int, missed_for: str, as_json: bool) -> None:
    """List what beat sends by the clock; show, run, pause, resume, skip or backfill an entry."""
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        context.obj = target
        return
    found = target.sources().schedule.read(limit, _span(missed_for))
    at = present()
    if as_json:
        rows = [_json(entry, at) for entry in found.entries]
        print_json({"entries": rows, "total": found.total, "beats": found.beats, "problems": found.problems})
        return
    print_table(_HEADS, [_cells(entry, at) for entry in found.entries], empty=_nothing(found))
    for line in _notes(found):
        click.echo(safe_text(line))


@schedule.command()
@click.argument("name", metavar="ENTRY", help="An entry's name, as nexus-tui schedule lists it.")
@click.option(
    "--missed-for", default="24h", show_default=True, metavar="SPAN", help="Look so far back for missed runs."
)
@add_common_options
def show(target: Target, name: str, missed_for: str, as_json: bool) -> None:
    """Show an entry: its times, arguments, latest runs, and the due times that passed without one."""
    entry, at = target.sources().schedule.entry(name, _span(missed_for)), present()
    if as_json:
        print_json(_json(entry, at))
        return
    print_fields(_fields(entry, at))


for _change in change_commands("schedule"):
    schedule.add_command(_change)


def _span(text: str) -> timedelta:
    return timedelta(seconds=parse_seconds(text, "--missed-for"))


def _json(entry: ScheduleEntry, at: datetime) -> dict[str, Any]:
    fields: dict[str, Any] = to_json(entry)
    return {**fields, "next": entry.next_words(at)}


def _cells(entry: ScheduleEntry, at: datetime) -> tuple[Any, ...]:
    return (
        entry.name,
        entry.next_words(at),
        entry.spec,
        clock(entry.last_at, at),
        "".join(_SIGNS.get(run.state, "·") for run in reversed(entry.outcomes)) or "–",
        _missed_count(entry.missed),
        entry.task or "?",
        entry.queue,
        entry.source,
    )


def _missed_count(missed: MissedRuns | None) -> str:
    return "?" if missed is None or missed.unknown else f"{missed.count:,}"


def _nothing(found: Schedule) -> str:
    return "nothing could be read" if found.problems else "nothing is sent by the clock: no schedule was found"


def _notes(found: Schedule) -> Iterator[str]:
    for entry in found.entries:
        if entry.problem:
            yield f"✗ {entry.name}: {entry.problem}"
    for problem in found.problems:
        yield f"✗ {problem}"
    for beat in found.beats:
        yield f"{'?' if beat.is_alive is None else '✓' if beat.is_alive else '✗'} {beat.source}: {beat.fact}"
    if len(found.entries) < found.total:
        yield f"{len(found.entries)} of {found.total:,}; more with --limit"


def _fields(entry: ScheduleEntry, at: datetime) -> Iterator[tuple[str, Any]]:
    yield from (("entry", entry.name), ("task", entry.task or None), ("when", entry.spec))
    yield ("next", entry.next_words(at) + (f" ({_moment(entry.next_at)})" if entry.next_at else ""))
    yield ("last", None if entry.last_at is None else f"{_moment(entry.last_at)}{_count(entry.runs)}")
    yield from (("queue", entry.queue), ("source", entry.source))
    yield ("arguments", " ".join(filter(None, (compact(entry.args or None), compact(entry.kwargs or None)))) or "none")
    if entry.expires:
        yield ("expires", entry.expires)
    if entry.is_one_off:
        yield ("once", "it is sent a single time")
    if entry.ends_at:
        yield ("until", _moment(entry.ends_at))
    runs = [f"{run.state.lower()} {_moment(run.at)} {run.id}" for run in entry.outcomes]
    yield ("runs", "\n".join(runs) or "none is recorded")
    yield ("missed", _missed_words(entry.missed))
    if entry.problem:
        yield ("problem", entry.problem)


def _count(runs: int | None) -> str:
    return "" if runs is None else f", {runs:,} times in all"


def _missed_words(missed: MissedRuns | None) -> str:
    if missed is None or missed.unknown:
        return f"not known: {missed.unknown if missed else 'nothing was recorded'}"
    since = "" if missed.since is None else f" since {_moment(missed.since)}"
    times = "".join(f"\n{_moment(due)}" for due in missed.due_at[-10:])
    return f"{missed.count:,}{since}{times}"


def _moment(at: datetime) -> str:
    return at.astimezone().isoformat(sep=" ", timespec="seconds")


COMMANDS = (schedule,)

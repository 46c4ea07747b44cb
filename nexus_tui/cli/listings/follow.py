"""``nexus-tui tasks --follow``: a line for each run that changes, until nobody wants more."""

from __future__ import annotations

import json
import select
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

import click

from celery_nexus.errors import Invalid, SourceError
from celery_nexus.rows.runs import Run
from celery_nexus.rows.text import compact, duration, safe_text
from celery_nexus.runs.source import HistorySource
from nexus_tui.cli.pipes import has_reader
from nexus_tui.documents import as_json as to_json

LOOK_EVERY_S = 0.2
REMEMBERED = 100_000
"""Number of runs whose last line is remembered, so that nothing is said twice."""

_VOLATILE = ("waited_s", "ran_s")
"""Fields that change by themselves while a run waits or runs."""


def follow(history: HistorySource, filter_text: str, limit: int, *, as_json: bool) -> None:
    """Print the newest runs that match, oldest first, then each one when it changes, until Ctrl+C.

    Args:
        history: Where runs are.
        filter_text: Only runs that match when they change.
        limit: How many to begin with.
        as_json: One JSON object a line.
    """
    line = _json_line if as_json else _plain_line
    try:
        for run in _changed(history, filter_text, limit):
            click.echo(line(run))
    except KeyboardInterrupt:
        return


def _changed(history: HistorySource, filter_text: str, limit: int) -> Iterator[Run]:
    said: OrderedDict[str, int] = OrderedDict()
    number = history.last_change()
    first = history.runs(filter_text, limit=limit) if limit else []
    yield from (run for run in reversed(first) if _is_new(run, said))
    problem = ""
    while has_reader() and not _is_closed(sys.stdout.fileno):
        try:
            found = history.changes(number, filter_text)
            problem = ""
        except Invalid:
            raise
        except SourceError as error:  # the recorder builds the file anew, a disk is away: it may come back
            if str(error) != problem:
                problem = str(error)
                click.echo(f"nexus-tui: {safe_text(problem)}; waiting", err=True)
            time.sleep(LOOK_EVERY_S)
            continue
        if found.missed:
            click.echo(f"nexus-tui: {found.missed:,} changes came faster than they were read", err=True)
        yield from (run for run in found.runs if _is_new(run, said))
        if found.number == number:
            sys.stdout.flush()
            time.sleep(LOOK_EVERY_S)
        number = found.number


def _is_new(run: Run, said: OrderedDict[str, int]) -> bool:
    fields = to_json(run)
    for name in () if run.is_final else _VOLATILE:
        del fields[name]
    digest = hash(json.dumps(fields, default=str))
    if said.get(run.id) == digest:
        return False
    said[run.id] = digest
    said.move_to_end(run.id)
    if len(said) > REMEMBERED:
        said.popitem(last=False)
    return True


def _is_closed(fileno: Callable[[], int]) -> bool:
    """Tell whether the reader of our output is gone (``| head``), which no write tells before the next change."""
    try:
        poll = select.poll()
        poll.register(fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (OSError, ValueError, AttributeError):  # no real file, or a system without poll()
        return False


def _json_line(run: Run) -> str:
    return json.dumps(to_json(run), ensure_ascii=True)


def _plain_line(run: Run) -> str:
    at = run.finished_at or run.started_at or run.received_at or run.sent_at
    moment = "?" if at is None else f"{at.astimezone():%H:%M:%S}"
    parts = [compact(run.args) if run.args else "", compact(run.kwargs) if run.kwargs else ""]
    says = run.error or " ".join(part for part in parts if part)
    cells = (moment, run.state.ljust(8), run.id, run.task or "?", run.worker or "–", duration(run.ran_s), says[:120])
    return safe_text("  ".join(str(cell) for cell in cells))

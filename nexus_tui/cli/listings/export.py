"""``nexus-tui export``: runs of the history as a file, however many."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import click

from celery_nexus.errors import Invalid
from celery_nexus.rows.runs import Run
from celery_nexus.rows.text import safe_text
from nexus_tui.cli.listings import recorded
from nexus_tui.cli.new_file import check_new_file, open_new_file
from nexus_tui.cli.output import print_json
from nexus_tui.cli.pipes import ignore_closed_reader
from nexus_tui.cli.shared import Target, add_common_options
from nexus_tui.documents import as_json as to_json

if TYPE_CHECKING:
    from celery_nexus.exports.cells import Changes
    from celery_nexus.exports.shape import Shape

STDOUT = "-"
FORMATS = ("csv", "tsv", "json", "jsonl", "xlsx", "parquet")
_BINARY = ("xlsx", "parquet")
_STEP = 10_000

_KINDS = {"priority": "integer", "retries": "integer", "waited_s": "number", "ran_s": "number"}
COLUMNS = (
    "id", "task", "state", "queue", "priority", "worker", "sent_at", "received_at", "started_at", "finished_at",
    "waited_s", "ran_s", "retries", "args", "kwargs", "result", "error", "traceback", "place", "root_id", "parent_id",
    "group_id", "verdict",
)  # fmt: skip


@click.command()
@click.argument(
    "words",
    metavar="[FILTER] FILE",
    nargs=-1,
    required=True,
    help="What runs have to match: state:failure queue:ai …; and where they go.",
)
@click.option("--format", "format_", type=click.Choice(FORMATS), help="By default what FILE's name ends with.")
@click.option("--columns", metavar="NAMES", help="Only these columns, separated by commas, in this order.")
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
@add_common_options
def export(
    target: Target, words: tuple[str, ...], format_: str | None, columns: str | None, force: bool, as_json: bool
) -> None:
    """Write the runs that match FILTER, newest first, to FILE: csv, tsv, json, jsonl, xlsx or parquet.

    FILE - is standard output. No cell of a table can become a formula.
    """
    *filter_words, name = words
    chosen = _format(name, format_)
    history = target.sources().history
    text = " ".join(filter_words)
    history.runs(text, limit=1)  # says what is wrong with the filter before anything is written
    recorded.warn(history)
    writing = _Writing(chosen, _columns(columns))
    runs = _counted(history.walk(text))
    if name == STDOUT:
        _to_stdout(writing, runs)
        return
    path = check_new_file(Path(name), force=force)
    with open_new_file(path, force=force) as file:
        writing.write(file, runs)
    size = path.stat().st_size
    if as_json:
        print_json({"file": str(path), "format": chosen, "runs": writing.rows, "bytes": size, **writing.changed})
        return
    click.echo(f"{writing.rows:,} runs written to {safe_text(path)} ({size:,} bytes)")
    for reason, count in writing.changed.items():
        if count:
            click.echo(f"  {count:,} {reason.replace('_', ' ')}")


class _Writing:
    """One export: the format's writer, its columns, and what it had to change."""

    def __init__(self, format_: str, columns: tuple[str, ...]) -> None:
        from celery_nexus.exports.cells import Changes
        from celery_nexus.exports.shape import Column, Shape

        self.format = format_
        self.columns = columns
        self.rows = 0
        self._changes: Changes = Changes()
        kinds = [cast("Any", _KINDS.get(name, "text")) for name in columns]
        self._shape: Shape = Shape(
            tuple(Column(name, name, kind) for name, kind in zip(columns, kinds, strict=True)), 0, False
        )

    @property
    def changed(self) -> dict[str, int]:
        """How many cells could not stay as they were, by reason."""
        return self._changes.as_json()

    def write(self, file: BinaryIO, runs: Iterator[Run]) -> None:
        from celery_nexus.exports import writers
        from celery_nexus.exports.cells import keep_nested, scalar

        writer: Callable[..., None] = writers.WRITERS[self.format]
        with tempfile.TemporaryDirectory(prefix="nexus-export-") as folder:
            if self.format == "xlsx":
                writer = partial(writers.write_xlsx, temporary=Path(folder))
            keep = keep_nested if self.format in ("json", "jsonl") else scalar
            writer(file, self._shape, self._cells(runs, keep), self._changes)

    def _cells(self, runs: Iterator[Run], keep: Callable[[Any, Changes], Any]) -> Iterator[list[Any]]:
        for run in runs:
            self.rows += 1
            yield [keep(to_json(getattr(run, name)), self._changes) for name in self.columns]


def _format(name: str, wanted: str | None) -> str:
    ending = Path(name).suffix.lower().removeprefix(".")
    if wanted is None and name == STDOUT:
        wanted = "jsonl"
    chosen = wanted or {"ndjson": "jsonl"}.get(ending, ending)
    if chosen not in FORMATS:
        raise Invalid(f"{name!r} does not end with {', '.join('.' + each for each in FORMATS)}: give --format")
    if name == STDOUT and chosen in _BINARY and sys.stdout.isatty():
        raise Invalid(f"{chosen} is nothing for a terminal: give a file's name")
    return chosen


def _columns(text: str | None) -> tuple[str, ...]:
    if text is None:
        return COLUMNS
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    wrong = [name for name in names if name not in COLUMNS]
    if wrong or not names:
        raise Invalid(f"--columns: no column {', '.join(wrong)}; there are {', '.join(COLUMNS)}")
    return tuple(dict.fromkeys(names))


def _to_stdout(writing: _Writing, runs: Iterator[Run]) -> None:
    with ignore_closed_reader(sys.stdout):
        out = sys.stdout.buffer
        if writing.format not in _BINARY:
            writing.write(out, runs)
        else:
            with tempfile.TemporaryFile() as file:  # these formats go back in what they wrote
                writing.write(cast("BinaryIO", file), runs)
                file.seek(0)
                shutil.copyfileobj(file, out)
        out.flush()


def _counted(runs: Iterator[Run]) -> Iterator[Run]:
    """Show on a terminal how far it is."""
    is_shown = sys.stderr.isatty()
    for number, run in enumerate(runs, 1):
        yield run
        if is_shown and number % _STEP == 0:
            click.echo(f"\r{number:,} runs", nl=False, err=True)
    if is_shown:
        click.echo("\r\033[K", nl=False, err=True)


COMMANDS = (export,)

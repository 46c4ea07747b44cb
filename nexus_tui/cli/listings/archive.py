"""``nexus-tui history archive``: runs that are over as Parquet, written by a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from celery_nexus.rows.text import safe_text
from nexus_tui.cli.output import print_json
from nexus_tui.cli.shared import Target, add_common_options
from nexus_tui.cli.times import parse_moment

if TYPE_CHECKING:
    from celery_nexus.runs.archive import Progress


@click.command()
@click.argument(
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the files go; made when it is missing.",
)
@click.option("--before", metavar="T", help="Only runs sent before: 30d ago, or a time. All that are over without it.")
@add_common_options
def archive(target: Target, folder: Path, before: str | None, as_json: bool) -> None:
    """Write runs that are over into FOLDER as Parquet, each argument a column; called again, it adds what is new.

    It can be stopped at any moment: the same command goes on where it ended, and no run is written twice.
    """
    from celery_nexus.runs.archive import start_archiving

    history, folder = target.sources().history, folder.expanduser()
    end = None if before is None else parse_moment(before, "--before")
    with start_archiving(history.path, folder, end) as process:
        try:
            for progress in process.follow():
                _show_progress(progress)
        except KeyboardInterrupt:
            _end_progress()
            done = process.progress
            click.echo(f"stopped: {done.archived:,} runs archived; the same command goes on", err=True)
            raise click.exceptions.Exit(130) from None
    _end_progress()
    done = process.progress
    if as_json:
        print_json({"folder": str(folder), "archived": done.archived, "known": done.seen - done.archived,
                    "files": done.files})  # fmt: skip
        return
    click.echo(
        f"{done.archived:,} runs archived in {safe_text(folder)} (new files: {done.files:,});"
        f" {done.seen - done.archived:,} were there"
    )


def _show_progress(progress: Progress) -> None:
    if sys.stderr.isatty() and progress.total:
        click.echo(
            f"\r{progress.seen:,} of {progress.total:,} runs, {progress.archived:,} archived", nl=False, err=True
        )


def _end_progress() -> None:
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)

"""``nexus-tui init``: a project for one's own tasks."""

from __future__ import annotations

from pathlib import Path

import click

from celery_nexus.rows.text import safe_text
from nexus_tui.cli.output import print_json


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), help="A new or an empty folder; its name is the project's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def init(folder: Path, as_json: bool) -> None:
    """Make a project for your own tasks in FOLDER: application, queues, a task with its test, supervisor.conf."""
    from celery_nexus.stack.new_project import create_project

    written = [str(path) for path in create_project(folder)]
    if as_json:
        print_json({"folder": str(folder.absolute()), "files": written})
        return
    for path in written:
        click.echo(safe_text(f"  {folder / path}"))
    click.echo(safe_text(f"Start it: cd {folder} && nexus-tui up"))


COMMANDS = (init,)

"""``nexus-tui logs``: what the programs wrote, merged by time."""

from __future__ import annotations

from typing import cast

import click

from celery_nexus.errors import NotFound
from celery_nexus.rows.logs import LEVELS, Level
from celery_nexus.rows.workers import Program
from nexus_tui.cli.output import print_json
from nexus_tui.cli.shared import Target, add_common_options


@click.command()
@click.argument("subject", required=False, metavar="[PROGRAM|RUN-ID]", help="One program, or a run by its id.")
@click.option("--lines", "count", default=100, show_default=True, type=click.IntRange(1), help="At most so many.")
@click.option(
    "--level", default="DEBUG", show_default=True, type=click.Choice(LEVELS, case_sensitive=False), help="At least."
)
@click.option("--grep", "word", default="", metavar="WORD", help="Only lines with a word.")
@add_common_options
def logs(target: Target, subject: str | None, count: int, level: str, word: str, as_json: bool) -> None:
    """Show the end of all programs' logs merged by time, of one PROGRAM, or every line about a run."""
    from celery_nexus.stack.logs import find_lines, read_logs

    sources = target.sources()
    programs = list(sources.supervisor.programs())
    if not programs:
        raise NotFound("no programs of this application are known here: its logs are where it was started")
    chosen = programs if subject is None else _find_program(programs, subject)
    least = cast("Level", level.upper())
    if chosen:
        found = read_logs(chosen, count, least, word)
    else:
        found = find_lines(programs, str(subject), count)
        if not found:
            names = ", ".join(program.name for program in programs)
            raise NotFound(f"no program and no line with {subject!r}; programs are {names}")
    if as_json:
        print_json(found)
        return
    width = max((len(line.program) for line in found), default=0)
    for line in found:
        click.echo(f"{line.program:<{width}}  {line.text}")
    if not found:
        click.echo("No such lines.")


def _find_program(programs: list[Program], name: str) -> list[Program]:
    """Find a program by its name, by that without its group, or its whole group."""
    exact = [program for program in programs if program.name == name]
    return exact or [program for program in programs if name in program.name.split(":")]


COMMANDS = (logs,)

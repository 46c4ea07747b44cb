"""``nexus-tui why``: what holds a run, a queue or a worker, and the command that would free it."""

from __future__ import annotations

import click

from celery_nexus.rows.text import safe_text
from nexus_tui.cli.output import print_json
from nexus_tui.cli.shared import Target, add_common_options


@click.command()
@click.argument("name", metavar="ID|QUEUE|WORKER", help="A run's id, a queue or a worker.")
@add_common_options
def why(target: Target, name: str, as_json: bool) -> None:
    """Say why a run, queue or worker does not move: facts in order of weight, each with what would free it."""
    from celery_nexus.diagnosis.why import why as explain

    answer = explain(target.sources(), name)
    if as_json:
        print_json(answer)
        return
    click.echo(f"{answer.kind} {safe_text(answer.subject)}: {safe_text(answer.state)}")
    for number, finding in enumerate(answer.findings, 1):
        click.echo(f"{number}. {finding.cause}: {safe_text(finding.fact)}")
        if finding.command:
            click.echo(f"   $ {safe_text(finding.command)}")
    if not answer.findings:
        click.echo("Nothing holds it.")


COMMANDS = (why,)

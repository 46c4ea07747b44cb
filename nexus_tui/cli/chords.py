"""``nexus-tui chords``: list and finish chords that can't end by themselves."""

from __future__ import annotations

import click

from celery_nexus.errors import Invalid
from nexus_tui.cli.output import as_json as to_json
from nexus_tui.cli.output import print_json, print_table
from nexus_tui.cli.shared import How, Target, carry_out, changing, common


@click.group("chords", invoke_without_command=True)
@common
def chords(target: Target, as_json: bool) -> None:
    """List chords that can't end: all their members are over, and the body was never called."""
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        context.obj = target
        return
    from celery_nexus.diagnosis.chords import ChordSource

    sources = target.sources()
    rows = ChordSource(sources.broker, sources.control).stuck()
    if as_json:
        print_json([to_json(row) for row in rows])
        return
    print_table(
        ("group", "body", "counted", "reason"),
        [(row.group, row.task, f"{row.counted} of {row.members or '?'}", row.reason) for row in rows],
        empty="every chord can end",
    )


@chords.command()
@click.argument("groups", metavar="GROUP…", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All that can't end.")
@changing
def finish(target: Target, groups: tuple[str, ...], every: bool, how: How) -> None:
    """Count what is missing as it ended (revoked, when it is nowhere), and so call the body or fail it."""
    from celery_nexus.diagnosis.chords import ChordSource
    from nexus_tui.actions.chords import FinishChords

    sources = target.sources()
    if every:
        groups = tuple(row.group for row in ChordSource(sources.broker, sources.control).stuck())
    if not groups and not every:
        raise Invalid("which chords? Give group ids, or --all; see: nexus-tui chords")
    if groups:
        carry_out(target, FinishChords(groups), how)
    else:
        click.echo("every chord can end")


COMMANDS = (chords,)

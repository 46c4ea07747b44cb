"""``nexus-tui chords``: list and finish chords that can't end by themselves."""

from __future__ import annotations

import click

from nexus_tui.cli.changes import change_commands
from nexus_tui.cli.output import print_json, print_table
from nexus_tui.cli.shared import Target, add_common_options
from nexus_tui.documents import as_json as to_json


@click.group("chords", invoke_without_command=True)
@add_common_options
def chords(target: Target, as_json: bool) -> None:
    """List chords that can't end: all their members are over, and the body was never called."""
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        context.obj = target
        return
    from celery_nexus.diagnosis.chords import ChordSource

    sources = target.sources()
    rows = ChordSource(sources.broker, sources.control).list_stuck_chords()
    if as_json:
        print_json([to_json(row) for row in rows])
        return
    print_table(
        ("group", "body", "counted", "reason"),
        [(row.group, row.task, f"{row.counted} of {row.members or '?'}", row.reason) for row in rows],
        empty="every chord can end",
    )


for _change in change_commands("chords"):
    chords.add_command(_change)

COMMANDS = (chords,)

"""``nexus-tui events``: whether workers say what becomes of their runs."""

from __future__ import annotations

import click

from nexus_tui.cli.changes import change_commands


@click.group()
def events() -> None:
    """Let workers send events of their runs, or stop it; without events the history hears of no run.

    Workers of this stack always write their events into its stream. Those of another Celery application send them
    when they were started with -E, or since they were asked.
    """


for _change in change_commands("events"):
    events.add_command(_change)

COMMANDS = (events,)

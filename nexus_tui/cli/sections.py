"""The help of the command line: its commands by what they are about."""

from __future__ import annotations

import click

SECTIONS = {
    "The stack": "up down status programs start stop restart config demo",
    "Look": "queues workers tasks task failures stats why doctor dead-letters audit",
    "Runs and messages": "submit retry revoke priority delay move delete undo",
    "Queues": "pause resume purge",
    "Workers": "scale drain grow shrink autoscale pool-restart shutdown add-consumer cancel-consumer rate-limit "
    "time-limit orders forget events",
    "The past": "history export",
}


class SectionedGroup(click.Group):
    """Lists its commands in :data:`SECTIONS`, the most used first."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a list for each section, all as wide."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        width = max(len(name) for name in commands)
        room = formatter.width - 6 - width
        for title, names in SECTIONS.items():
            with formatter.section(title):
                rows = [(name, command) for name in names.split() if (command := commands.get(name))]
                formatter.write_dl([(name.ljust(width), command.get_short_help_str(room)) for name, command in rows])

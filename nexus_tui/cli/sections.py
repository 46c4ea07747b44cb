"""The commands by what they are about, and the module that each is in; a module is loaded when it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import chain

import click

SECTIONS = {
    "The stack": "up down status programs start stop restart config demo",
    "Look": "queues workers tasks task failures stats why doctor dead-letters chords audit",
    "Runs and messages": "submit retry revoke priority delay move delete undo",
    "Queues": "pause resume purge reclaim",
    "Workers": "scale drain grow shrink autoscale pool-restart shutdown add-consumer cancel-consumer rate-limit "
    "time-limit orders forget events",
    "The past": "history export",
    "Another application": "contexts footprint",
}

MODULES = {
    "stack": "up down config",
    "listings": "queues workers programs",
    "status": "status",
    "runs": "tasks task",
    "actions": "submit start stop restart",
    "surgery": "revoke priority retry move delete delay purge reclaim pause resume undo audit",
    "history": "failures stats history",
    "export": "export",
    "workers": "grow shrink scale autoscale rate-limit time-limit add-consumer cancel-consumer drain shutdown "
    "pool-restart orders forget",
    "why": "why",
    "events": "events",
    "footprint": "footprint",
    "contexts": "contexts",
    "dead_letters": "dead-letters",
    "chords": "chords",
    "doctor": "doctor",
    "demo": "demo",
}
"""Module → its ``COMMANDS``, by name."""

_MODULE_OF = {name: module for module, names in MODULES.items() for name in names.split()}


class SectionedGroup(click.Group):
    """Lists its commands in :data:`SECTIONS`, the most used first, and loads only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command, as the sections do."""
        return list(chain.from_iterable(names.split() for names in SECTIONS.values()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None when there is no such."""
        module = _MODULE_OF.get(cmd_name)
        return next((command for command in commands_of(module) if command.name == cmd_name), None) if module else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a list for each section, all as wide."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        width = max(len(name) for name in commands)
        room = formatter.width - 6 - width
        for title, names in SECTIONS.items():
            with formatter.section(title):
                rows = [(name, command) for name in names.split() if (command := commands.get(name))]
                formatter.write_dl([(name.ljust(width), command.get_short_help_str(room)) for name, command in rows])


def commands_of(module: str) -> Iterator[click.Command]:
    """Load the commands of a module of the command line."""
    yield from import_module(f"nexus_tui.cli.{module}").COMMANDS

"""Command group by sections; a command's module is loaded at its first use."""

from __future__ import annotations

from importlib import import_module
from itertools import chain

import click

from celery_nexus.actions.declaration import Section

COMMANDS: dict[Section, dict[str, str]] = {
    Section.STACK: {
        "init": "init",
        "up": "stack",
        "down": "stack",
        "status": "diagnosis.status",
        "programs": "listings.live",
        "config": "stack",
        "demo": "demo",
    },
    Section.LOOK: {
        "queues": "listings.live",
        "workers": "listings.live",
        "tasks": "listings.runs",
        "task": "listings.runs",
        "workflow": "listings.workflow",
        "failures": "listings.history",
        "stats": "listings.history",
        "why": "diagnosis.why",
        "doctor": "diagnosis.doctor",
        "probe": "probe",
        "alerts": "diagnosis.alerts",
        "watch": "diagnosis.watch",
        "metrics": "listings.metrics",
        "dead-letters": "diagnosis.dead_letters",
        "chords": "diagnosis.chords",
        "logs": "listings.logs",
        "audit": "listings.audit",
        "mcp": "mcp",
        "bundle": "diagnosis.bundle",
    },
    Section.MESSAGES: {"submit": "submit"},
    Section.WORKERS: {"orders": "listings.orders", "events": "listings.events"},
    Section.SCHEDULE: {"schedule": "listings.schedule"},
    Section.PAST: {
        "history": "listings.history",
        "export": "listings.export",
        "marks": "listings.history",
        "record": "recording",
        "replay": "recording",
    },
    Section.ELSEWHERE: {"contexts": "contexts", "keys": "keys", "footprint": "diagnosis.footprint"},
}
"""Commands with a function of their own: name, and the module whose ``COMMANDS`` has it. Actions have theirs from
:mod:`nexus_tui.cli.changes`; a section lists them behind these."""


class SectionedGroup(click.Group):
    """Lists its commands by section, the most used first, and loads only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command, as the sections do."""
        return list(chain.from_iterable(sections().values()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None when there is no such."""
        for commands in COMMANDS.values():
            if cmd_name in commands:
                return next(row for row in commands_of(commands[cmd_name]) if row.name == cmd_name)
        from nexus_tui.cli.changes import find_change

        return find_change(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a list for each section, all as wide."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        width = max(len(name) for name in commands)
        room = formatter.width - 6 - width
        for title, names in sections().items():
            with formatter.section(title):
                rows = [(name, command) for name in names if (command := commands.get(name))]
                formatter.write_dl([(name.ljust(width), command.get_short_help_str(room)) for name, command in rows])


def sections() -> dict[Section, list[str]]:
    """List the commands of each section."""
    from celery_nexus.actions.registry import ACTIONS
    from nexus_tui.cli.changes import is_in

    names = {section: list(COMMANDS.get(section, ())) for section in Section}
    for action in ACTIONS:
        if is_in("", action) and action.command_name not in names[action.section]:
            names[action.section].append(action.command_name)
    return names


def commands_of(module: str) -> tuple[click.Command, ...]:
    """Load the commands of a module of the command line."""
    commands: tuple[click.Command, ...] = import_module(f"nexus_tui.cli.{module}").COMMANDS
    return commands

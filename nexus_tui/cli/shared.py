"""What commands share: which broker they work on, their common options, and asking before a change."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import click

from config.settings import settings
from nexus_tui.cli.output import print_json, print_outcome
from nexus_tui.sources import Sources
from nexus_tui.sources.errors import Refused

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Target:
    """What a command works on.

    Attributes:
        broker: URL of a broker other than the one in the settings, or None.
        read_only: Whether the command line asked to refuse every change.
    """

    broker: str | None = None
    read_only: bool = False

    def sources(self) -> Sources:
        """Make the sources; nothing is read yet.

        Raises:
            ConfigError: A setting or URL can't be used.
        """
        from nexus_tui.sources.connect import connect

        return connect(self.broker, read_only=self.read_only or settings().read_only)


def common(command: Command) -> Command:
    """Add ``--json``, and ``--broker`` and ``--read-only`` also behind the command's name."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    @click.option("--broker", metavar="URL", help="Another broker than the one in the settings.")
    @click.option("--read-only", is_flag=True, help="Refuse every change.")
    @click.pass_context
    @functools.wraps(command)
    def wrapper(context: click.Context, /, broker: str | None, read_only: bool, **options: Any) -> Any:
        target: Target = context.obj
        target = replace(target, broker=broker or target.broker, read_only=read_only or target.read_only)
        return command(target, **options)

    return wrapper  # type: ignore[return-value]


def change(target: Target, action: Any, *, as_json: bool, yes: bool) -> None:
    """Ask, perform an action, print what happened, and exit by it: 4 for what is missing, 1 for what failed.

    Raises:
        Refused: Not confirmed, or read-only.
    """
    from nexus_tui.actions.base import perform

    sources = target.sources()
    if not sources.read_only:
        confirm(action.question, action.command, yes=yes)
    outcome = perform(action, sources)
    if as_json:
        undo = {"undo": outcome.undo} if outcome.undo else {}
        print_json(
            [{"target": row.target, "done": row.done, "message": row.message, **undo} for row in outcome.targets]
        )
    else:
        print_outcome(outcome)
        if outcome.undo:
            click.echo(f"take it back: nexus-tui undo {outcome.undo}")
    if not outcome.done:
        raise click.exceptions.Exit(4 if any(row.is_missing for row in outcome.targets) else 1)


def confirm(question: str, command: str, *, yes: bool) -> None:
    """Ask on a terminal; elsewhere ``--yes`` is the confirmation.

    Raises:
        Refused: The answer was no, or nobody could be asked.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused(f"not confirmed: add --yes to do it without a terminal ({command} --yes)")
    if not click.confirm(question, err=True):
        raise Refused("not confirmed: nothing was changed")

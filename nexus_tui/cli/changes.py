"""Commands that change something, generated from the actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import click

from celery_nexus.actions.base import Action
from celery_nexus.actions.declaration import Argument, Option
from celery_nexus.actions.registry import ACTIONS
from celery_nexus.actions.workers.orders import WorkerOrder
from celery_nexus.rows.text import safe_text
from nexus_tui.cli.shared import How, Target, add_change_options, carry_out


def command_of(action: type[Action]) -> click.Command:
    """Make the command that carries out an action."""
    return declare_command(action, add_change_options(partial(_carry_out, action)))


def declare_command(action: type[Action], callback: Callable[..., Any]) -> click.Command:
    """Make a command with an action's name, help and parameters; options of the callback come after those."""
    name, text = action.command_name.split()[-1], action.help_text().replace("``", "")
    command = click.command(name, help=text)(callback)
    command.params = [*map(_parameter, action.parameters), *command.params]
    return command


def find_change(name: str) -> click.Command | None:
    """Make the command of that name; None when no action has it."""
    return next((command_of(action) for action in ACTIONS if is_in("", action) and action.command_name == name), None)


def change_commands(group: str) -> list[click.Command]:
    """Make the commands of all actions of a group: ``dead-letters``."""
    return [command_of(action) for action in ACTIONS if is_in(group, action)]


def is_in(group: str, action: type[Action]) -> bool:
    """Tell whether an action is a command of a group; not when it is only an option of another command."""
    *groups, name = action.command_name.split()
    return not name.startswith("--") and groups == group.split()


def _carry_out(action: type[Action], target: Target, how: How, **given: Any) -> None:
    made = action.from_command(given)
    if isinstance(made, WorkerOrder) and not how.as_json:
        made = replace(made, heard=_say_answer)
    carry_out(target, made, how)


def _say_answer(worker: str, obeys: bool, told: str) -> None:
    """Show an answer as it comes: others may take seconds."""
    click.echo(f"{'…' if obeys else '✗'} {safe_text(worker)} answers: {safe_text(told)}", err=True)


def _parameter(declared: Argument | Option) -> click.Parameter:
    if isinstance(declared, Argument):
        # With a default of None click would take a required argument for given
        default = {} if declared.default is None else {"default": declared.default}
        return click.Argument(
            [declared.name],
            metavar=declared.metavar,
            help=declared.help,
            type=declared.type,
            required=declared.is_required,
            nargs=-1 if declared.is_many else 1,
            **default,
        )
    is_shown = bool(declared.default)
    return click.Option(
        [declared.flag, declared.name],
        help=declared.help,
        metavar=declared.metavar or None,
        is_flag=not declared.metavar,
        type=declared.type if declared.metavar else None,
        multiple=declared.is_repeated,
        default=declared.default if declared.metavar else False,
        show_default=is_shown,
    )

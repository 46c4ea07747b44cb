"""Commands for the stack as a whole: up, down, config."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from celery_nexus.errors import Invalid
from celery_nexus.extras import require
from celery_nexus.project import FILE, SECTION, find_project
from celery_nexus.rows.text import safe_text
from nexus_tui.cli import dashboard
from nexus_tui.cli.output import print_json, print_table
from nexus_tui.cli.shared import Target, add_common_options, refuse_read_only
from nexus_tui.front_door.door import BROKER_VARIABLE, describe_choice, describe_variables, own_deployment

if TYPE_CHECKING:
    from celery_nexus.stack.stack import Step
    from celery_nexus.stack_spec import StackSpec


def own_command() -> str:
    """How to call us again: by name when the shell would find it, else as we were called."""
    here = Path(sys.argv[0]).absolute()
    if here.name == "__main__.py":
        return f"{Path(sys.executable).name} -m nexus_tui"
    found = shutil.which("nexus-tui")
    if found and Path(found).absolute() == here:
        return "nexus-tui"
    program = here.with_name("nexus-tui")
    try:
        return str(program.relative_to(Path.cwd()))
    except ValueError:
        return str(program)


def own_stack_spec() -> StackSpec:
    """Return what the stack of this place is started from.

    Raises:
        Invalid: There is no project here.
        ConfigError: The settings of its application can't be used.
        SourceError: Celery is not installed.
    """
    require("celery", "a stack")
    from celery_nexus.stack_spec import stack_spec_of

    project = find_project()
    if project is None:
        what = f"no {FILE} with a section [{SECTION}] in {Path.cwd()} or above"
        raise Invalid(f"no project here: {what}; make one: nexus-tui init FOLDER")
    return stack_spec_of(project)


@click.command()
@click.option("--detach", is_flag=True, help="Start the stack and return, without the dashboard.")
@click.option("--foreground", is_flag=True, help="Stay, without the dashboard, until SIGTERM stops the stack.")
@add_common_options
def up(target: Target, detach: bool, foreground: bool, as_json: bool) -> None:
    """Start the stack, wait until every part answers, and open the dashboard."""
    from celery_nexus.stack.stack import Stack

    _refuse_elsewhere(target, "up")
    refuse_read_only(target, "the stack is not started")
    if foreground:
        if detach:
            raise Invalid("--detach returns and --foreground stays: give one of them")
        _stay(as_json=as_json)
        return
    _print_steps(Stack(own_stack_spec()).start(), as_json=as_json)
    if as_json:
        return
    if detach or not dashboard.can_open():
        click.echo(f"The stack is up. Look at it: {own_command()}   Stop it: {own_command()} down")
        return
    dashboard.open_dashboard(target)
    click.echo(f"The stack goes on running. Stop it with: {own_command()} down")


def _refuse_elsewhere(target: Target, command: str) -> None:
    """Refuse to start or stop our own stack when another one is named.

    Raises:
        Invalid: One is named.
    """
    if not target.is_own:
        options = (("--context", target.context), ("-A", target.application), ("--broker", target.broker))
        named = next((name for name, value in options if value is not None), BROKER_VARIABLE)
        raise Invalid(f"{command} is about the stack of this folder, and another is named: leave out {named}")
    own = own_deployment()
    if own is not None and own.supervisor is None:
        none = "NEXUS_SUPERVISED=false says that there is none"
        raise Invalid(f"{command} is for supervisord, and {none}: docker compose {command}")


def _stay(*, as_json: bool) -> None:
    from celery_nexus.stack.foreground import Foreground

    for step in Foreground(own_stack_spec()).run():
        line = json.dumps({"name": step.name, "what": step.what}) if as_json else safe_text(step.line)
        click.echo(line)
        sys.stdout.flush()


def _print_steps(steps: Iterator[Step], *, as_json: bool) -> None:
    found: list[dict[str, str]] = []
    for step in steps:
        found.append({"name": step.name, "what": step.what})
        if not as_json:
            click.echo(safe_text(step.line))
    if as_json:
        print_json(found)


@click.command()
@click.option("--yes", is_flag=True, help="Accepted for scripts; nothing is asked.")
@add_common_options
def down(target: Target, yes: bool, as_json: bool) -> None:
    """Stop the stack: short runs finish, long ones go back to their queues, nothing waiting is lost."""
    from celery_nexus.stack.stack import Stack

    del yes
    _refuse_elsewhere(target, "down")
    refuse_read_only(target, "the stack is not stopped")
    spec = own_stack_spec()
    stack = Stack(spec)
    if not stack.is_up:
        if as_json:
            print_json([])
        else:
            click.echo(f"No stack is running in {spec.paths.home}: nothing to stop.")
        return
    _print_steps(stack.stop(), as_json=as_json)
    if not as_json:
        click.echo(f"The stack is down. Start it again with: {own_command()} up")


@click.command()
@click.option("--reveal", is_flag=True, help="Show secrets.")
@add_common_options
def config(target: Target, reveal: bool, as_json: bool) -> None:
    """Show every setting in force and where it came from; secrets are masked."""
    own = own_deployment() if target.door.is_own else None  # of another application ours say nothing
    settings = () if own is None else own.describe(reveal)
    rows = (describe_choice(target.door), *settings, *describe_variables())
    if as_json:
        print_json({row.name: {"value": row.value, "source": row.source} for row in rows})
        return
    table = [(row.name, "–" if row.value is None else row.value, row.source) for row in rows]
    print_table(("setting", "value", "source"), table, empty="")


COMMANDS = (up, down, config)

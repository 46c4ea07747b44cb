"""Commands on waiting messages and queues: retry, move, delete, purge, pause, resume, undo, audit."""

from __future__ import annotations

import json
from typing import Any, cast

import click

from nexus_tui.cli.output import print_json, print_table
from nexus_tui.cli.shared import Target, change, common
from nexus_tui.sources.errors import Invalid

_yes = click.option("--yes", "-y", is_flag=True, help="Don't ask.")
_ids = click.argument("run_ids", metavar="ID…", nargs=-1, required=True)
_queue = click.argument("queue")


@click.command()
@_ids
@click.option("--kwargs", "kwargs_text", metavar="JSON", help="Keyword arguments that replace those of the same name.")
@_yes
@common
def retry(target: Target, run_ids: tuple[str, ...], kwargs_text: str | None, yes: bool, as_json: bool) -> None:
    """Run ended runs again, in their own queue."""
    from nexus_tui.actions.runs import RunAgain

    kwargs = None if kwargs_text is None else _object(kwargs_text)
    change(target, RunAgain(run_ids, kwargs), as_json=as_json, yes=yes)


@click.command()
@click.argument("words", metavar="ID… QUEUE", nargs=-1, required=True)
@click.option("--front", is_flag=True, help="Run next there, instead of last.")
@_yes
@common
def move(target: Target, words: tuple[str, ...], front: bool, yes: bool, as_json: bool) -> None:
    """Move waiting messages to another queue; they keep their priority."""
    from nexus_tui.actions.messages import MoveMessages

    *run_ids, queue = words
    if not run_ids:
        raise Invalid("give one or more ids and then the queue: nexus-tui move ID… QUEUE")
    change(target, MoveMessages(tuple(run_ids), queue, front=front), as_json=as_json, yes=yes)


@click.command()
@_ids
@_yes
@common
def delete(target: Target, run_ids: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Delete waiting messages: their runs never happen."""
    from nexus_tui.actions.messages import DeleteMessages

    change(target, DeleteMessages(run_ids), as_json=as_json, yes=yes)


@click.command()
@_queue
@_yes
@common
def purge(target: Target, queue: str, yes: bool, as_json: bool) -> None:
    """Delete everything that waits in QUEUE."""
    from nexus_tui.actions.queues import PurgeQueue

    change(target, PurgeQueue(queue), as_json=as_json, yes=yes)


@click.command()
@_queue
@_yes
@common
def pause(target: Target, queue: str, yes: bool, as_json: bool) -> None:
    """Let no worker take anything more from QUEUE, also none that starts later."""
    from nexus_tui.actions.queues import PauseQueue

    change(target, PauseQueue(queue), as_json=as_json, yes=yes)


@click.command()
@_queue
@_yes
@common
def resume(target: Target, queue: str, yes: bool, as_json: bool) -> None:
    """Let the workers of QUEUE take from it again."""
    from nexus_tui.actions.queues import ResumeQueue

    change(target, ResumeQueue(queue), as_json=as_json, yes=yes)


@click.command()
@click.argument("token", default="")
@_yes
@common
def undo(target: Target, token: str, yes: bool, as_json: bool) -> None:
    """Take back a delete, purge, move, priority, pause or resume: the latest, or the one of TOKEN."""
    from nexus_tui.actions.queues import Undo

    change(target, Undo(token), as_json=as_json, yes=yes)


@click.command()
@click.option("--limit", default=50, show_default=True, metavar="N", help="At most so many entries.")
@common
def audit(target: Target, limit: int, as_json: bool) -> None:
    """List what operators changed, the latest first."""
    if limit < 1:
        raise Invalid("--limit is a number from 1")
    entries = target.sources().broker.audit.read(limit)
    if as_json:
        print_json(entries)
        return
    rows = [
        (
            f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}",
            entry.user,
            entry.origin,
            entry.command,
            entry.message,
            entry.undo,
        )
        for entry in entries
    ]
    print_table(("at", "user", "from", "command", "outcome", "undo"), rows, empty="Nothing was changed yet.")


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Invalid(f"--kwargs is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise Invalid("--kwargs is no JSON object")
    return cast("dict[str, Any]", value)


COMMANDS = (retry, move, delete, purge, pause, resume, undo, audit)

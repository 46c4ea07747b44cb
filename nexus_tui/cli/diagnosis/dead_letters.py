"""``nexus-tui dead-letters``: list, show, retry, drop what was set aside for a person."""

from __future__ import annotations

import base64
from typing import Any

import click

from celery_nexus.rows.dead_letters import DeadLetter
from celery_nexus.rows.text import safe_text
from nexus_tui.cli.changes import change_commands
from nexus_tui.cli.output import print_fields, print_json, print_table
from nexus_tui.cli.shared import Target, add_common_options
from nexus_tui.documents import as_json as to_json

SHOWN = 2000
"""Characters of a message that ``show`` prints on a terminal; ``--json`` has all of them."""

_REVEAL = "masked; the bytes as they are: --reveal"


@click.group("dead-letters", invoke_without_command=True)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="At most so many.")
@add_common_options
def dead_letters(target: Target, limit: int, as_json: bool) -> None:
    """List messages and runs that were set aside; show, retry or drop them."""
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        context.obj = target
        return
    _list(target, limit=limit, as_json=as_json)


@dead_letters.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="At most so many.")
@add_common_options
def list_(target: Target, limit: int, as_json: bool) -> None:
    """List the newest first."""
    _list(target, limit=limit, as_json=as_json)


@dead_letters.command()
@click.argument("letter_id", metavar="ID", help="The dead letter's id, or its run's.")
@click.option("--reveal", is_flag=True, help="Show the message's bytes as they are, secrets too.")
@add_common_options
def show(target: Target, letter_id: str, reveal: bool, as_json: bool) -> None:
    """Show one, by its id or its run's: reason, history, and the message, its secrets masked."""
    letter = target.sources().dead_letters.show(letter_id)
    if as_json:
        is_bare = reveal or not letter.is_masked
        raw = base64.b64encode(letter.raw).decode() if is_bare else None
        print_json(_json(letter) | {"raw_base64": raw} | ({} if is_bare else {"hint": _REVEAL}))
        return
    starts = "\n".join(
        f"start {number}: {_end_of(start)} ({start.get('worker')})" for number, start in enumerate(letter.deliveries, 1)
    )
    print_fields(
        [
            ("id", letter.id),
            ("run", letter.run_id),
            ("task", letter.task),
            ("reason", letter.reason),
            ("detail", letter.detail),
            ("queue", letter.queue),
            ("priority", letter.priority),
            ("worker", letter.worker),
            ("at", f"{letter.at.astimezone():%Y-%m-%d %H:%M:%S %z}"),
            *([("starts", starts)] if starts else []),
            ("message", _text(letter.raw.decode("utf-8", "backslashreplace") if reveal else letter.shown)),
            *([("secrets", _REVEAL)] if letter.is_masked and not reveal else []),
        ]
    )


for _change in change_commands("dead-letters"):
    dead_letters.add_command(_change)


def _list(target: Target, *, limit: int, as_json: bool) -> None:
    source = target.sources().dead_letters
    letters = source.list(limit)
    if as_json:
        print_json([_json(letter) for letter in letters])
        return
    rows = [
        (
            letter.id,
            f"{letter.at.astimezone():%Y-%m-%d %H:%M:%S}",
            letter.reason,
            letter.task,
            letter.queue,
            letter.priority,
            letter.worker,
            letter.detail[:80],
        )
        for letter in letters
    ]
    print_table(
        ("id", "at", "reason", "task", "queue", "pri", "worker", "detail"), rows, empty="no dead letters: all is well"
    )
    if (total := source.count()) > len(letters):
        click.echo(f"{len(letters)} of {total:,}; more with --limit")


def _json(letter: DeadLetter) -> dict[str, Any]:
    fields: dict[str, Any] = to_json(letter)
    return fields


def _text(message: str) -> str:
    shown = safe_text(message[:SHOWN])
    return shown if len(message) <= SHOWN else f"{shown} … ({len(message):,} characters; all of them with --json)"


COMMANDS = (dead_letters,)


def _end_of(start: dict[str, Any]) -> str:
    """Say what a start came to, and how far it got."""
    lost = start.get("lost")
    end = "put its message back" if lost == "rejected" else f"its {lost} died"
    progress = start.get("progress")
    return f"{end}, {progress:g} done" if isinstance(progress, int | float) else end

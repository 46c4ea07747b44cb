"""``nexus-tui dead-letters``: list, show, retry, drop what was set aside for a person."""

from __future__ import annotations

import base64
from typing import Any

import click

from celery_nexus.errors import Invalid
from celery_nexus.rows.dead_letters import DeadLetter
from celery_nexus.rows.text import safe_text
from nexus_tui.cli.output import as_json as to_json
from nexus_tui.cli.output import print_fields, print_json, print_table
from nexus_tui.cli.shared import How, Target, carry_out, changing, common

SHOWN = 2000
"""Characters of a message that ``show`` prints on a terminal; ``--json`` has all of them."""

_REVEAL = "masked; the bytes as they are: --reveal"

_ids = click.argument("letter_ids", metavar="ID…", nargs=-1)
_every = click.option("--all", "every", is_flag=True, help="All that there are.")
_reason = click.option("--reason", multiple=True, metavar="TEXT", help="All with this reason, e.g. malformed.")


@click.group("dead-letters", invoke_without_command=True)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="At most so many.")
@common
def dead_letters(target: Target, limit: int, as_json: bool) -> None:
    """List messages and runs that were set aside; show, retry or drop them."""
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        context.obj = target
        return
    _list(target, limit=limit, as_json=as_json)


@dead_letters.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="At most so many.")
@common
def list_(target: Target, limit: int, as_json: bool) -> None:
    """List the newest first."""
    _list(target, limit=limit, as_json=as_json)


@dead_letters.command()
@click.argument("letter_id", metavar="ID")
@click.option("--reveal", is_flag=True, help="Show the message's bytes as they are, secrets too.")
@common
def show(target: Target, letter_id: str, reveal: bool, as_json: bool) -> None:
    """Show one, by its id or its run's: reason, history, and the message, its secrets masked."""
    from celery_nexus.broker.dead_letters import DeadLetterSource

    letter = DeadLetterSource(target.sources().broker).show(letter_id)
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


def _changing(name: str, action: str, text: str) -> click.Command:
    @_ids
    @_every
    @_reason
    @changing
    def command(target: Target, letter_ids: tuple[str, ...], every: bool, reason: tuple[str, ...], how: How) -> None:
        from nexus_tui.actions import dead_letters as actions

        carry_out(target, getattr(actions, action)(_chosen(target, letter_ids, every=every, reasons=reason)), how)

    return click.command(name, help=text)(command)


dead_letters.add_command(
    _changing(
        "retry", "RetryDeadLetters", "Put dead letters back into their queues; one that is malformed only comes back."
    )
)
dead_letters.add_command(_changing("drop", "DropDeadLetters", "Delete dead letters; for a day: nexus-tui undo."))


def _list(target: Target, *, limit: int, as_json: bool) -> None:
    from celery_nexus.broker.dead_letters import DeadLetterSource

    source = DeadLetterSource(target.sources().broker)
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


def _chosen(target: Target, letter_ids: tuple[str, ...], *, every: bool, reasons: tuple[str, ...]) -> tuple[str, ...]:
    from celery_nexus.broker.dead_letters import DeadLetterSource

    if sum((bool(letter_ids), every, bool(reasons))) != 1:
        raise Invalid("give ids, or --reason, or --all")
    if letter_ids:
        return letter_ids
    found = DeadLetterSource(target.sources().broker).ids(reasons)
    if not found:
        raise Invalid("there is no such dead letter")
    return found


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

"""Commands on runs, waiting messages and queues; each takes ``--dry-run``, ``--yes`` and ``--count N``."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import click

from celery_nexus.errors import Invalid
from celery_nexus.rows.selection import Selection
from nexus_tui.cli.output import print_json, print_table
from nexus_tui.cli.shared import How, Target, carry_out, changing, common

Command = TypeVar("Command", bound=Callable[..., Any])

_queue = click.argument("queue")


def _targets(*last: str) -> Callable[[Command], Command]:
    """Take ids, or ``--from QUEUE`` with ``--filter``; words that come last in the command are not ids."""
    metavar = " ".join(["[ID]…", *last])

    def decorate(command: Command) -> Command:
        command = click.option(
            "--filter", "filter_text", default="", metavar="TEXT", help="With --from: only what matches."
        )(command)
        command = click.option("--from", "source", metavar="QUEUE", help="Everything that waits in QUEUE, not ids.")(
            command
        )
        return click.argument("words", metavar=metavar, nargs=-1)(command)

    return decorate


def _meant(run_ids: tuple[str, ...], source: str | None, filter_text: str) -> tuple[tuple[str, ...], Selection | None]:
    if source is None:
        if filter_text:
            raise Invalid("--filter goes with --from QUEUE: it selects what waits there")
        if not run_ids:
            raise Invalid("give one or more ids, or --from QUEUE for what waits there")
        return run_ids, None
    if run_ids:
        raise Invalid(f"give ids or --from QUEUE, not both ({run_ids[0]!r})")
    return (), Selection(source, filter_text)


def _last(words: tuple[str, ...], what: str) -> tuple[tuple[str, ...], str]:
    if not words:
        raise Invalid(f"the last word is {what}")
    return words[:-1], words[-1]


@click.command()
@_targets()
@click.option("--terminate", is_flag=True, help="Also end a run that has started.")
@click.option("--signal", default="SIGTERM", show_default=True, metavar="NAME", help="With --terminate: how.")
@changing
def revoke(
    target: Target,
    words: tuple[str, ...],
    source: str | None,
    filter_text: str,
    terminate: bool,
    signal: str,
    how: How,
) -> None:
    """Revoke runs: a waiting one is gone at once and never runs."""
    from nexus_tui.actions.runs import Revoke

    ids, within = _meant(words, source, filter_text)
    name = signal.upper() if signal.upper().startswith("SIG") else f"SIG{signal.upper()}"
    carry_out(target, Revoke(ids, terminate, name, within=within), how)


@click.command()
@_targets("N")
@click.option("--front", is_flag=True, help="Run next within the new priority, instead of last.")
@changing
def priority(
    target: Target, words: tuple[str, ...], source: str | None, filter_text: str, front: bool, how: How
) -> None:
    """Give waiting runs another priority N: 0 first … 9 last."""
    from nexus_tui.actions.messages import ChangePriority

    ids, level = _last(words, "the priority: nexus-tui priority ID… N")
    ids, within = _meant(ids, source, filter_text)
    try:
        number = int(level)
    except ValueError:
        raise Invalid(f"{level!r} is no priority; the last word is a number 0 (first) … 9 (last)") from None
    carry_out(target, ChangePriority(ids, number, front, within=within), how)


@click.command()
@click.argument("run_ids", metavar="[ID]…", nargs=-1)
@click.option("--filter", "filter_text", default="", metavar="TEXT", help="Every ended run that matches, not ids.")
@click.option("--kwargs", "kwargs_text", metavar="JSON", help="Keyword arguments that replace those of the same name.")
@click.option("--args", "args_text", metavar="JSON", help="Positional arguments that replace all of them.")
@click.option("--canary", is_flag=True, help="First 1, then 5, then 25; the rest only when none of them failed.")
@click.option("--rate", type=float, metavar="N", help="At most N runs a second.")
@click.option("--queue", metavar="Q", help="Where the new runs go, when it is not known where the old ones came from.")
@click.option("--priority", "level", type=int, metavar="N", help="Their priority, when that is not known.")
@changing
def retry(
    target: Target,
    run_ids: tuple[str, ...],
    filter_text: str,
    kwargs_text: str | None,
    args_text: str | None,
    canary: bool,
    rate: float | None,
    queue: str | None,
    level: int | None,
    how: How,
) -> None:
    """Run ended runs again, in their own queue."""
    from nexus_tui.actions.again import RunAgain

    if bool(run_ids) == bool(filter_text):
        raise Invalid("give one or more ids, or --filter TEXT")
    kwargs = None if kwargs_text is None else cast("dict[str, Any]", _json("--kwargs", kwargs_text, dict))
    args = None if args_text is None else cast("list[Any]", _json("--args", args_text, list))
    carry_out(target, RunAgain(run_ids, kwargs, filter_text, canary, rate, args, queue, level), how)


@click.command()
@_targets("QUEUE")
@click.option("--front", is_flag=True, help="Run next there, instead of last.")
@changing
def move(target: Target, words: tuple[str, ...], source: str | None, filter_text: str, front: bool, how: How) -> None:
    """Move waiting messages to another QUEUE; they keep their priority."""
    from nexus_tui.actions.messages import MoveMessages

    ids, queue = _last(words, "the queue: nexus-tui move ID… QUEUE")
    ids, within = _meant(ids, source, filter_text)
    carry_out(target, MoveMessages(ids, queue, front, within=within), how)


@click.command()
@_targets()
@changing
def delete(target: Target, words: tuple[str, ...], source: str | None, filter_text: str, how: How) -> None:
    """Delete waiting messages: their runs never happen."""
    from nexus_tui.actions.messages import DeleteMessages

    ids, within = _meant(words, source, filter_text)
    carry_out(target, DeleteMessages(ids, within=within), how)


@click.command()
@click.argument("run_ids", metavar="ID…", nargs=-1, required=True)
@click.option("--at", metavar="T", help="Not before this time, ISO 8601 with zone.")
@click.option("--in", "in_s", type=float, metavar="S", help="Not before so many seconds from now.")
@click.option("--now", is_flag=True, help="As soon as a worker is free.")
@changing
def delay(target: Target, run_ids: tuple[str, ...], at: str | None, in_s: float | None, now: bool, how: How) -> None:
    """Let delayed runs begin at another time."""
    from nexus_tui.actions.messages import ChangeTime

    if [at is not None, in_s is not None, now].count(True) != 1:
        raise Invalid("give one of --at T, --in S and --now")
    carry_out(target, ChangeTime(run_ids, None if now else _due(at, in_s or 0.0)), how)


@click.command()
@_queue
@click.option("--filter", "filter_text", default="", metavar="TEXT", help="Only what matches.")
@click.option("--for-good", is_flag=True, help="Keep nothing: no undo, and a broker that is full accepts it.")
@changing
def purge(target: Target, queue: str, filter_text: str, for_good: bool, how: How) -> None:
    """Delete everything that waits in QUEUE."""
    from nexus_tui.actions.messages import DeleteMessages
    from nexus_tui.actions.queues import PurgeQueue

    if filter_text and for_good:
        raise Invalid("--for-good is about all of a queue: without --filter")
    if filter_text:
        carry_out(target, DeleteMessages((), within=Selection(queue, filter_text)), how)
    else:
        carry_out(target, PurgeQueue(queue, for_good), how)


@click.command()
@_queue
@changing
def reclaim(target: Target, queue: str, how: How) -> None:
    """Move messages of QUEUE from lists that no worker reads to where its workers look."""
    from nexus_tui.actions.queues import ReclaimMessages

    carry_out(target, ReclaimMessages(queue), how)


@click.command()
@_queue
@changing
def pause(target: Target, queue: str, how: How) -> None:
    """Let no worker take anything more from QUEUE; Celery's own forget it when they restart."""
    from nexus_tui.actions.queues import PauseQueue

    carry_out(target, PauseQueue(queue), how)


@click.command()
@_queue
@changing
def resume(target: Target, queue: str, how: How) -> None:
    """Let the workers of QUEUE take from it again."""
    from nexus_tui.actions.queues import ResumeQueue

    carry_out(target, ResumeQueue(queue), how)


@click.command()
@click.argument("token", default="")
@changing
def undo(target: Target, token: str, how: How) -> None:
    """Take back a delete, purge, move, priority, pause or resume: the latest, or the one of TOKEN."""
    from nexus_tui.actions.queues import Undo

    carry_out(target, Undo(token), how)


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


def _due(at: str | None, in_s: float) -> datetime:
    if at is None:
        if not 0 <= in_s <= 10 * 365 * 86400:
            raise Invalid(f"--in {in_s:g} is not between 0 and ten years of seconds")
        return datetime.now(UTC) + timedelta(seconds=in_s)
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise Invalid(f"{at!r} is no ISO 8601 time; write it like 2030-01-31T09:00:00+00:00") from None
    if moment.tzinfo is None:
        raise Invalid(f"{at!r} has no zone; write it like 2030-01-31T09:00:00+00:00")
    return moment


def _json(option: str, text: str, kind: type) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Invalid(f"{option} is no JSON: {error}") from None
    if not isinstance(value, kind):
        raise Invalid(f"{option} is no JSON {'object' if kind is dict else 'array'}")
    return value


COMMANDS = (revoke, priority, retry, move, delete, delay, purge, reclaim, pause, resume, undo, audit)

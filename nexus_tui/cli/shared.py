"""Shared parts of commands: the target broker, common options, confirmation of changes."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from celery_nexus.errors import Refused
from celery_nexus.rows.outcomes import MANY, Outcome, TargetOutcome
from celery_nexus.rows.text import safe_text
from celery_nexus.sources import Sources
from nexus_tui.cli.output import print_json, print_outcome
from nexus_tui.cli.progress import show_progress
from nexus_tui.front_door.door import Door, is_read_only, open_sources

if TYPE_CHECKING:
    from celery_nexus.actions.base import Action, Plan

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Target:
    """What a command works on.

    Attributes:
        broker: URL of a broker other than the one in the settings, or None.
        prefix: Which application there (its ``global_keyprefix``); None: all of them.
        read_only: Whether the command line asked to refuse every change.
        context: Name of a context of the user's file, or None.
        unlock: Why a production context is to be changed; None: it is not.
        application: What ``celery -A`` takes; None for none.
        app: The application itself, when Celery has imported it for us.
    """

    broker: str | None = None
    read_only: bool = False
    prefix: str | None = None
    context: str | None = None
    unlock: str | None = None
    application: str | None = None
    app: Any = None

    @property
    def is_own(self) -> bool:
        """Whether it is the stack that is opened when nothing is named."""
        return self.context is None and self.door.is_own

    @property
    def door(self) -> Door:
        """What is named but for a context."""
        return Door(self.application, self.broker, self.prefix, self.read_only, self.app)

    def sources(self) -> Sources:
        """Make the sources; of our own stack nothing is read yet.

        Raises:
            ConfigError: A setting, a URL or a context can't be used.
            Invalid: The application can't be imported.
            Refused: The context can't be unlocked.
        """
        if self.context is not None or self.unlock is not None:
            from nexus_tui.cli.contexts import sources_of

            return sources_of(self)
        return open_sources(self.door)


def refuse_read_only(target: Target, consequence: str) -> None:
    """Refuse in read-only mode what is no action: those are refused where they are performed.

    Raises:
        Refused: Read-only mode is on.
    """
    if target.read_only or is_read_only():
        raise Refused(f"read-only: {consequence}")


def add_common_options(command: Command) -> Command:
    """Add ``--json``, and what says which broker is meant also behind the command's name."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    @click.option("-A", "--app", "application", metavar="NAME", help="An application, named as to celery -A.")
    @click.option("-b", "--broker", metavar="URL", help="Another broker than the one in the settings.")
    @click.option("--prefix", metavar="TEXT", help="With --broker: the application with this global_keyprefix alone.")
    @click.option("--context", "context_name", metavar="NAME", help="A broker or application of your contexts file.")
    @click.option("--read-only", is_flag=True, help="Refuse every change.")
    @click.pass_context
    @functools.wraps(command)
    def wrapper(
        context: click.Context,
        /,
        application: str | None,
        broker: str | None,
        prefix: str | None,
        context_name: str | None,
        read_only: bool,
        **options: Any,
    ) -> Any:
        target: Target = context.obj
        prefix = target.prefix if prefix is None else prefix
        is_read_only = read_only or target.read_only
        target = replace(target, broker=broker or target.broker, prefix=prefix, read_only=is_read_only)
        target = replace(target, context=target.context if context_name is None else context_name)
        if application is not None:
            target = replace(target, application=application, app=None)
        return command(target, **options)

    return wrapper  # type: ignore[return-value]


@dataclass(frozen=True)
class How:
    """How a change is made.

    Attributes:
        as_json: Whether one JSON document is printed.
        yes: Whether it is confirmed already.
        dry_run: Whether it is only said what would happen.
        count: Number of targets that the operator expects, or None.
    """

    as_json: bool = False
    yes: bool = False
    dry_run: bool = False
    count: int | None = None


def add_change_options(command: Command) -> Command:
    """Add the options of every change, ``--yes``, ``--dry-run`` and ``--count``, and hand them over as ``how``."""

    @click.option("--yes", "-y", is_flag=True, help="Don't ask.")
    @click.option("--dry-run", is_flag=True, help="Say what would happen, and how many targets there are.")
    @click.option("--count", type=click.IntRange(0), metavar="N", help="Only when it is about exactly so many.")
    @add_common_options
    @functools.wraps(command)
    def wrapper(target: Target, /, as_json: bool, yes: bool, dry_run: bool, count: int | None, **options: Any) -> Any:
        return command(target, how=How(as_json, yes, dry_run, count), **options)

    return wrapper  # type: ignore[return-value]


def carry_out(target: Target, action: Action, how: How) -> None:
    """Plan an action, ask, perform it on what was planned, print what happened, and exit by it.

    Exits 4 for what is missing, 1 for what failed.

    Raises:
        Refused: Not confirmed, another number of targets than expected, or read-only.
    """
    from celery_nexus.actions.base import is_allowed, perform

    sources = target.sources()
    if how.dry_run:
        plan = action.plan(sources)
        check_count(plan, how)
        _print_plan(plan, how)
        return
    if sources.read_only or not is_allowed(action, sources):
        perform(action, sources)
    if not how.yes and not is_on_terminal():
        raise Refused(f"not confirmed: add --yes to do it without a terminal ({action.command} --yes)")
    plan = action.plan(sources)
    check_count(plan, how)
    if not how.yes:
        _ask(plan, how)
    with show_progress(sources.steps):
        outcome = perform(plan.action, sources)
    print_result(outcome, as_json=how.as_json)


def check_count(plan: Plan, how: How) -> None:
    """Make sure that there are as many targets as the operator thinks, and that many are meant.

    Raises:
        Refused: There are not.
    """
    if how.count is not None and how.count != plan.count:
        raise Refused(f"--count {how.count:,}, but there are {plan.count:,} targets: nothing was changed")
    if how.dry_run or how.count is not None or plan.count <= MANY or plan.is_named:
        return
    if how.yes:
        raise Refused(f"{plan.count:,} targets are many: add --count {plan.count} (nothing was changed)")


def _ask(plan: Plan, how: How) -> None:
    if plan.count <= MANY or how.count is not None:
        _confirm(plan.action.question)
        return
    word = plan.queue or str(plan.count)
    click.echo(safe_text(plan.action.question), err=True)
    if click.prompt(f"{plan.count:,} targets; to do it, type {word}", err=True, default="", show_default=False) != word:
        raise Refused("not confirmed: nothing was changed")


def _print_plan(plan: Plan, how: How) -> None:
    rows = plan.rows()
    if how.as_json:
        print_json([{**_row(row), "dry_run": True} for row in rows])
    else:
        print_outcome(Outcome(rows))
        click.echo(f"{plan.count:,} target{'' if plan.count == 1 else 's'}; nothing was changed")
    _exit(rows)


def print_result(outcome: Outcome, *, as_json: bool) -> None:
    """Print what happened, and exit by it."""
    if as_json:
        undo = {"undo": outcome.undo} if outcome.undo else {}
        print_json([{**_row(row), **undo} for row in outcome.targets])
    else:
        print_outcome(outcome)
        if outcome.undo:
            click.echo(f"take it back: nexus-tui undo {outcome.undo}")
    _exit(outcome.targets)


def _row(row: TargetOutcome) -> dict[str, Any]:
    return {"target": row.target, "done": row.done, "message": row.message, **dict(row.counts)}


def _exit(rows: Sequence[TargetOutcome]) -> None:
    if not all(row.done for row in rows):
        raise click.exceptions.Exit(4 if any(row.is_missing for row in rows) else 1)


def _confirm(question: str) -> None:
    if not click.confirm(safe_text(question, 1000), err=True):
        raise Refused("not confirmed: nothing was changed")


def is_on_terminal() -> bool:
    """Tell whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()

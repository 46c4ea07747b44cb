"""``--context NAME`` and ``nexus-tui contexts``: brokers and applications that the user has given names."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import click

from celery_nexus.errors import Invalid
from celery_nexus.rows.text import safe_text
from celery_nexus.sources import Sources
from nexus_tui.cli.output import print_json, print_table
from nexus_tui.cli.shared import Target, add_common_options
from nexus_tui.documents import describe_contexts, place_of
from nexus_tui.front_door.door import is_read_only

if TYPE_CHECKING:
    from nexus_tui.front_door.contexts import Context, ContextsFile
    from nexus_tui.front_door.opening import Opened

_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH


def open_target(target: Target) -> Opened:
    """Open the context that a command works on.

    Raises:
        ConfigError: It can't be used.
        Invalid: More than one thing is named.
    """
    from nexus_tui.front_door.opening import open_context

    if target.context is None:
        raise Invalid("--unlock is about a context: give its --context, too")
    if target.broker is not None or target.prefix is not None:
        raise Invalid("--context names the broker and the prefix already: leave out --broker and --prefix")
    if target.application is not None:
        raise Invalid("--context names what is opened already: leave out -A")
    return open_context(target.context, read_only=target.read_only or is_read_only())


def sources_of(target: Target) -> Sources:
    """Make the sources of the context that a command works on, unlocked when that is asked for.

    Raises:
        ConfigError: It can't be used.
        Refused: It can't be unlocked.
    """
    from nexus_tui.front_door.opening import unlock

    opened = open_target(target)
    if target.unlock is None or not (opened.context.production or opened.sources.read_only):
        return opened.sources
    if not target.unlock.strip():
        raise Invalid("--unlock needs the reason: it is written to the audit log")
    return unlock(opened, target.unlock.strip(), "for one command")


@click.command()
@add_common_options
def contexts(target: Target, as_json: bool) -> None:
    """List the contexts of your file, say where it is and what is wrong with it; exits 1 when something is."""
    from nexus_tui.front_door.opening import user_contexts

    del target
    found = user_contexts()
    if as_json:
        print_json(describe_contexts(found))
    else:
        _print(found)
    if found.problems:
        raise click.exceptions.Exit(1)


def _print(found: ContextsFile) -> None:
    from nexus_tui.front_door.contexts import EXAMPLE

    click.echo(f"file  {safe_text(found.path)}{'' if found.exists else '  (there is none yet)'}\n")
    rows = [_row(found, context) for context in found.contexts.values()]
    if rows:
        print_table(("context", "where", "changes", "allowed", "state"), rows, empty="")
    elif not found.problems:
        click.echo(f"Name a broker in it, and open it with nexus-tui --context local:\n\n{EXAMPLE}")
    for problem in found.problems:
        click.echo(f"✗ {safe_text(problem, 1000)}")
    note = _readable_by_others(found)
    if note:
        click.echo(f"▲ {safe_text(note)}")


def _row(found: ContextsFile, context: Context) -> tuple[str | None, ...]:
    if any(problem.context == context.name for problem in found.problems):
        return (context.name, place_of(context) or None, None, None, "wrong: see below")
    missing = context.list_missing_variables(os.environ)
    state = f"needs {', '.join(missing)}" if missing else "ready"
    allowed = "all" if context.allow is None else ", ".join(context.allow) or "none"
    return (context.name, place_of(context), _mode(context), allowed, state)


def _mode(context: Context) -> str:
    if context.read_only:
        return "none: read-only"
    return "after unlock" if context.production else "yes"


def _readable_by_others(found: ContextsFile) -> str:
    """Say that others can read passwords of the file; empty when they can't, or there are none."""
    from celery_nexus.privacy.masking import mask_text

    written = [row.with_values(dict.fromkeys(row.variables, "")).broker or "" for row in found.contexts.values()]
    if not any(mask_text(url) != url for url in written) or not found.path.stat().st_mode & _OTHERS_READ:
        return ""
    return f"others can read {found.path}, and a password is in it: chmod 600, or ${{VARIABLES}} instead"


COMMANDS = (contexts,)

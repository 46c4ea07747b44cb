"""``nexus-tui mcp``: the server that an AI assistant starts."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from typing import TYPE_CHECKING

import click

from celery_nexus.errors import Unreachable
from celery_nexus.extras import require
from nexus_tui.cli.output import fail
from nexus_tui.cli.shared import Target, add_common_options

if TYPE_CHECKING:
    from nexus_tui.assistant.opening import Opening
    from nexus_tui.assistant.tool import Tool


@click.command()
@click.option("--allow-changes", is_flag=True, help="Offer what changes something, too, each with a dry run first.")
@add_common_options
def mcp(target: Target, allow_changes: bool, as_json: bool) -> None:
    """Let an AI assistant look: a Model Context Protocol server on standard input and output.

    The assistant starts it, and it ends with it: docs/assistants.md.
    """
    del as_json  # it speaks nothing else
    require("mcp", "a server for assistants")
    from celery_nexus.application_import import divert_output
    from celery_nexus.privacy.program_log import begin_log
    from nexus_tui.assistant.opening import Opening
    from nexus_tui.assistant.server import AssistantServer

    begin_log()
    logging.getLogger().setLevel(logging.WARNING)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a thread waits for input: it would not hear of an exception
    if sys.stdin.isatty():
        click.echo("nexus-tui mcp waits for an assistant's messages on standard input; Ctrl+C ends it", err=True)
    opening = Opening(target.sources)
    with divert_output():
        tools = choose_tools(opening, allow_changes=allow_changes)
    try:
        asyncio.run(AssistantServer(opening, tools).serve())
    finally:
        opening.close()


def choose_tools(opening: Opening, *, allow_changes: bool) -> tuple[Tool, ...]:
    """Open what is looked at, and choose what is offered of it.

    A broker that does not answer is no reason not to start, when nothing but looking was asked for: the assistant
    learns of it, and goes on when it answers again.

    Raises:
        SourceError: What was named can't be opened.
    """
    from nexus_tui.assistant.changing import list_changes
    from nexus_tui.assistant.looking import LOOKING

    try:
        sources = opening.sources()
    except Unreachable as problem:
        if allow_changes:
            raise
        fail(f"{problem}; tried again at each call")
        return LOOKING
    if not allow_changes:
        return LOOKING
    changes = list_changes(sources)
    if not changes:
        fail(f"--allow-changes offers nothing: {sources.how_to_write if sources.read_only else 'none is allowed here'}")
    return LOOKING + changes


COMMANDS = (mcp,)

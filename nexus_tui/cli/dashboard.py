"""Start of the dashboard, where there is a terminal for it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from celery_nexus.errors import Invalid, SourceError
from celery_nexus.rows.text import safe_text
from celery_nexus.sources import Sources
from nexus_tui.allocator import give_memory_back
from nexus_tui.cli.contexts import open_target
from nexus_tui.cli.shared import Target, refuse_read_only
from nexus_tui.front_door.door import is_read_only

if TYPE_CHECKING:
    from nexus_tui.app import NexusApp


def can_open() -> bool:
    """Tell whether this is a terminal that can be drawn on."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def open_dashboard(target: Target, *, view: str = "pulse", filter_text: str = "") -> None:
    """Run the dashboard until it is left.

    Raises:
        Invalid: There is no such view.
    """
    from celery_nexus.source_factory import heed_permissions
    from nexus_tui.app import NexusApp
    from nexus_tui.views import VIEWS

    if view not in VIEWS:
        raise Invalid(f"no view {view!r}; there are {', '.join(VIEWS)}")
    if target.unlock is not None:
        raise Invalid("--unlock opens a context for one command; in the dashboard type :unlock 15m REASON")
    read_only = target.read_only or is_read_only()
    opened = None if target.context is None else open_target(target)
    sources = target.sources() if opened is None else opened.sources
    while True:
        sources = heed_permissions(sources)
        app = NexusApp(sources, view=view, filter_text=filter_text, read_only=read_only, opened=opened)
        _run(app, sources)
        opened = app.next_context
        if opened is None:
            return
        sources, filter_text = opened.sources, ""


def _run(app: NexusApp, sources: Sources) -> None:
    give_memory_back()
    if sources.recording is not None:
        sources.recording.start()
    try:
        app.run()
    finally:
        if sources.recording is not None:
            sources.recording.stop()
    if app.return_code:  # a signal ended it
        sys.exit(app.return_code)


def offer(target: Target, *, view: str, filter_text: str) -> None:
    """Open the dashboard; with no stack running, offer to start one first.

    Raises:
        Invalid: This is no terminal to draw on.
    """
    if not can_open():
        what = "TERM is dumb" if sys.stdout.isatty() and sys.stdin.isatty() else "this is no terminal"
        raise Invalid(f"the dashboard can't be drawn: {what}; plain commands work: nexus-tui status, nexus-tui --help")
    is_own = target.is_own
    if is_own and not _something_runs(target):
        _offer_to_start(target)
    open_dashboard(target, view=view, filter_text=filter_text)
    if is_own:
        from nexus_tui.cli.stack import own_command

        click.echo(f"The stack goes on running. Stop it with: {own_command()} down")


def _something_runs(target: Target) -> bool:
    sources = target.sources()
    if sources.supervisor.is_up():
        return True
    try:
        sources.broker.ping()
    except SourceError:
        if sources.deployment is None or not sources.deployment.is_embedded:
            raise
        return False
    return True


def _offer_to_start(target: Target) -> None:
    from celery_nexus.stack.stack import Stack
    from nexus_tui.cli.stack import own_stack_spec

    spec = own_stack_spec()
    home = spec.paths.home
    refuse_read_only(target, f"no stack is running in {home}, and none is started")
    click.confirm(f"No stack is running in {home}. Start it?", default=True, abort=True)
    for step in Stack(spec).start():
        click.echo(safe_text(step.line))

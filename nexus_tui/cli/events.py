"""``nexus-tui events``: whether workers say what becomes of their runs."""

from __future__ import annotations

import click

from nexus_tui.cli.shared import Target, change, common

_yes = click.option("--yes", "-y", is_flag=True, help="Don't ask.")
_workers = click.argument("workers", metavar="[WORKER]…", nargs=-1)


@click.group()
def events() -> None:
    """Let workers send events of their runs, or stop it; without events the history hears of no run.

    Workers of this stack always write their events into its stream. Those of another Celery application send them
    when they were started with -E, or since they were asked.
    """


@events.command()
@_workers
@_yes
@common
def enable(target: Target, workers: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Ask WORKERs (all when none is named) to send events of their runs, until they are restarted."""
    from nexus_tui.actions.events import EnableEvents

    change(target, EnableEvents(workers), as_json=as_json, yes=yes)


@events.command()
@_workers
@_yes
@common
def disable(target: Target, workers: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Ask WORKERs (all when none is named) to send no more events of their runs."""
    from nexus_tui.actions.events import DisableEvents

    change(target, DisableEvents(workers), as_json=as_json, yes=yes)


COMMANDS = (events,)

"""``celery -A APPLICATION nexus``: the dashboard and its commands, on the application that Celery imported.

Celery loads this module with every ``celery`` command, so it imports nothing heavy.
"""

from __future__ import annotations

import click


@click.command("nexus", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def nexus(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Dashboard for queues, workers and runs; takes what nexus-tui takes."""
    from nexus_tui.cli import run
    from nexus_tui.cli.shared import Target

    name = None if context.parent is None else context.parent.params.get("app")
    target = Target(application=name, app=context.obj.app) if isinstance(name, str) else Target()
    run(list(arguments), target, "celery nexus")

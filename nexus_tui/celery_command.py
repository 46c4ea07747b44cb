"""``celery -A APPLICATION nexus``: the dashboard and its commands, on the application that Celery imported.

Celery loads this module with every ``celery`` command, so it imports nothing heavy.
"""

from __future__ import annotations

import os

import click

ZONE = os.environ.get("TZ")
"""The operator's time zone: this module is loaded before the application, which may set another (Django does)."""


@click.command("nexus", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def nexus(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Dashboard for queues, workers and runs; takes what nexus-tui takes."""
    from celery_nexus.application_import import restore_zone
    from nexus_tui.cli import run
    from nexus_tui.cli.shared import Target

    restore_zone(ZONE)
    name = None if context.parent is None else context.parent.params.get("app")
    target = Target(application=name, app=context.obj.app) if isinstance(name, str) else Target()
    run(list(arguments), target, "celery nexus")

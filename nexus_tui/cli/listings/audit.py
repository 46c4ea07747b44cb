"""``nexus-tui audit``: what operators changed."""

from __future__ import annotations

import click

from celery_nexus.errors import Invalid
from nexus_tui.cli.output import print_json, print_table
from nexus_tui.cli.shared import Target, add_common_options


@click.command()
@click.option("--limit", default=50, show_default=True, metavar="N", help="At most so many entries.")
@add_common_options
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
            f"{entry.origin} via {entry.via}" if entry.via else entry.origin,
            entry.command,
            entry.message,
            entry.undo,
        )
        for entry in entries
    ]
    print_table(("at", "user", "from", "command", "outcome", "undo"), rows, empty="Nothing was changed yet.")


COMMANDS = (audit,)

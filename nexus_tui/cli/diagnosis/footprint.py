"""``nexus-tui footprint``: what Nexus left on another application's broker, and how it goes."""

from __future__ import annotations

import click

from celery_nexus.actions.footprint import RemoveFootprint
from celery_nexus.rows.text import age
from nexus_tui.cli.output import print_json, print_table
from nexus_tui.cli.shared import How, Target, add_common_options, carry_out


@click.command()
@click.option("--remove", is_flag=True, help=RemoveFootprint.help())
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@add_common_options
def footprint(target: Target, remove: bool, yes: bool, as_json: bool) -> None:
    """List what Nexus left on another application's broker (--broker URL), and when it expires."""
    if remove:
        carry_out(target, RemoveFootprint(), How(as_json, yes))
        return
    rows = target.sources().broker.footprint()
    if as_json:
        print_json([{"key": row.key, "what": row.trace.what, "expires_in_s": row.expires_in_s} for row in rows])
        return
    print_table(
        ("key", "what for", "expires in"),
        [(row.key, row.trace.what, "–" if row.expires_in_s is None else age(row.expires_in_s)) for row in rows],
        empty="Nothing of ours is left there.",
    )


COMMANDS = (footprint,)

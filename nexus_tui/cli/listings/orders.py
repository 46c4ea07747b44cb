"""``nexus-tui orders``: what workers obey again when they start."""

from __future__ import annotations

import click

from nexus_tui.cli.output import print_json, print_table
from nexus_tui.cli.shared import Target, add_common_options


@click.command()
@add_common_options
def orders(target: Target, as_json: bool) -> None:
    """List the standing orders, which workers obey again when they start."""
    known = target.sources().control.list_standing_orders()
    if as_json:
        print_json([{"order": name, **told} for name, told in known.items()])
        return
    rows = [
        (name, ", ".join(f"{key} {value}" for key, value in told.items() if key != "at"))
        for name, told in known.items()
    ]
    print_table(("order", "says"), rows, empty="No order is remembered.")


COMMANDS = (orders,)

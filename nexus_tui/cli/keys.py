"""``nexus-tui keys``: the names of all keys of the dashboard, and what is wrong with the user's own."""

from __future__ import annotations

import click

from celery_nexus.errors import Invalid
from celery_nexus.rows.text import safe_text


@click.command("keys")
def keys() -> None:
    """Write what every key of the dashboard does, as a keys.toml to change; say what is wrong with yours."""
    from textual.binding import Binding

    from nexus_tui.app import NexusApp
    from nexus_tui.places import list_places
    from nexus_tui.preferences.keymap import read_keys, write_keys

    places = list_places(list(Binding.make_bindings(NexusApp.BINDINGS)))
    click.echo(write_keys(places), nl=False)
    problems = read_keys(places).problems
    if problems:
        raise Invalid("; ".join(safe_text(problem, 300) for problem in problems))


COMMANDS = (keys,)

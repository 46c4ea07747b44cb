"""``nexus-tui demo``: real work for the running stack, so that there is something to see."""

from __future__ import annotations

import re
from collections import Counter

import click

from celery_nexus.errors import Invalid, Refused, Unreachable
from celery_nexus.rows.text import safe_text
from nexus_tui.cli.output import print_json
from nexus_tui.cli.pipes import has_reader
from nexus_tui.cli.shared import Target, add_common_options

_UNITS = {"s": 1, "m": 60, "h": 3600}


@click.command()
@click.option(
    "--rate", default=2.0, show_default=True, metavar="N", type=click.FloatRange(0.01, 1000), help="Pieces a second."
)
@click.option("--for", "duration", metavar="T", help="Stop after 30s, 5m, 1h … (or Ctrl+C).")
@click.option("--seed", default=1, show_default=True, help="The same seed sends the same work.")
@add_common_options
def demo(target: Target, rate: float, duration: str | None, seed: int, as_json: bool) -> None:
    """Send real work of every family to the running stack: documents, mail, reports, chains; some of it fails."""
    sources = target.sources()
    if sources.read_only:
        raise Refused("read-only: nothing is sent")
    if sources.allowed is not None and "submit" not in sources.allowed:
        raise Refused("submit is not allowed here: nothing is sent")
    if sources.is_foreign or (sources.supervisor.is_used and not sources.supervisor.is_up()):
        raise Unreachable("no stack is running here; start it: nexus-tui up --detach")
    seconds = None if duration is None else _seconds(duration)
    counts: Counter[str] = Counter()
    try:
        for piece in sources.catalog.demonstrate(rate, seconds, seed):
            counts[re.split(r"[:,]| \d| to | for ", piece.what)[0]] += 1
            if not as_json:
                click.echo(f"{piece.number:>5}  {safe_text(piece.what)}  {piece.id[:8]}")
            if seconds is None and not has_reader():
                break
    except KeyboardInterrupt:
        click.echo("", err=True)
    if as_json:
        print_json({"sent": sum(counts.values()), "kinds": counts})
        return
    click.echo(f"Sent {sum(counts.values())}; nothing more comes. What was sent goes on: nexus-tui tasks")


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None:
        raise Invalid(f"{text!r} is no duration; write it like 30s, 5m or 1h")
    return float(match[1]) * _UNITS[match[2] or "s"]


COMMANDS = (demo,)

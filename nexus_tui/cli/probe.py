"""``nexus-tui probe`` where click is loaded anyway: its help, and ``celery -A APPLICATION nexus probe``."""

from __future__ import annotations

from typing import Any

import click

from celery_nexus.connection.broker_url import BrokerUrl
from nexus_tui import probe
from nexus_tui.cli.shared import Target

HELP = """Tell whether a worker, queue, beat or broker is at work: for health checks.

A worker is at work when it consumes, not when it only answers. Exit codes: 0 at work, 1 not at work, 2 can't be told;
one line says why. Takes no longer than a tenth of a second when all is well, since it imports neither Celery nor an
application. A worker's NAME is email@host; %h is this host, and a name without @ is one of this host.
"""


def _run(what: tuple[str, ...], **values: Any) -> None:
    target: Target = click.get_current_context().obj
    given = {name: str(value) for name, value in values.items() if value}
    given = {"broker": target.broker, "prefix": target.prefix, "context": target.context} | given
    told = {name: str(value) for name, value in given.items() if value}
    question = probe.read_question(told, what, _imported_broker(target))
    found = probe.answer(question)
    probe.say(found, as_json="json" in told)
    raise click.exceptions.Exit(found.code)


def _imported_broker(target: Target) -> BrokerUrl | None:
    """Return the broker of an application that Celery has imported for us; None when there is none."""
    if target.app is None or target.broker is not None:
        return None
    from celery_nexus.installation import broker_of

    return broker_of(target.app)


def _option(name: str, option: probe.Option) -> click.Option:
    if not option.value:
        return click.Option([*option.names, name], is_flag=True, help=option.help)
    return click.Option([*option.names, name], metavar=option.value, help=option.help)


COMMANDS = (
    click.Command(
        probe.COMMAND,
        params=[
            click.Argument(
                ["what"],
                nargs=-1,
                required=True,
                help="What is probed, and the name of a worker or queue.",
                metavar=" | ".join(f"{part} NAME" if has_name else part for part, has_name in probe.PARTS.items()),
            ),
            *(_option(name, option) for name, option in probe.OPTIONS.items()),
        ],
        callback=_run,
        help=HELP,
    ),
)

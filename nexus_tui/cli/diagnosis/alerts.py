"""``nexus-tui alerts``: rules with their state, open alerts, channels; silence, trial messages, a rules file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from celery_nexus.errors import Unreachable
from celery_nexus.rows.moment import now as present
from celery_nexus.rows.text import age, clock, safe_text
from nexus_tui.cli.changes import change_commands
from nexus_tui.cli.output import print_json, print_table
from nexus_tui.cli.shared import Target, add_common_options

if TYPE_CHECKING:
    from celery_nexus.alerts.places import Places
    from celery_nexus.alerts.source import AlertSource
    from celery_nexus.rows.alerts import AlertReport, RuleStatus
    from celery_nexus.sources import Sources

SIGNS = {"raised": "✗", "pending": "▲", "silenced": "–", "ok": "✓", "off": "·"}
_HEADS = ("", "rule", "state", "since", "condition", "severity", "channels")
MOST_SHOWN = 10

rules_option = click.option(
    "--rules",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The rules file, when it is not at its usual place.",
)


@click.group(invoke_without_command=True)
@rules_option
@add_common_options
def alerts(target: Target, rules: Path | None, as_json: bool) -> None:
    """List alert rules with their state; test a channel, silence a rule, begin a rules file.

    They are looked at by the guardian of a stack, or by nexus-tui watch.
    """
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        context.obj = target
        return
    report = find_alerts(target, rules).read()
    if as_json:
        print_json(report)
        return
    print_table(_HEADS, [_cells(row) for row in report.rules], empty="there is no rule")
    for line in _notes(report):
        click.echo(safe_text(line, 500))


@alerts.command()
@click.argument("channel", metavar="CHANNEL", help="A channel's name, as the rules file has it.")
@rules_option
@add_common_options
def test(target: Target, channel: str, rules: Path | None, as_json: bool) -> None:
    """Send a trial message by a channel, and say whether it was taken."""
    find_alerts(target, rules).try_channel(channel)
    if as_json:
        print_json({"channel": channel, "done": True})
    else:
        click.echo(f"✓ {safe_text(channel)} took a trial message")


@alerts.command()
@rules_option
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@add_common_options
def init(target: Target, rules: Path | None, force: bool, as_json: bool) -> None:
    """Write a rules file with the usual rules and examples of channels, all commented out."""
    from celery_nexus.alerts.example import EXAMPLE
    from nexus_tui.cli.new_file import check_new_file, open_new_file

    named = rules or find_application(target, None).places.rules
    if rules is None:
        named.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = check_new_file(named, force=force)
    with open_new_file(path, force=force) as file:
        file.write(EXAMPLE.encode())
    if as_json:
        print_json({"path": str(path)})
    else:
        click.echo(safe_text(f"wrote {path}"))


for _change in change_commands("alerts"):
    alerts.add_command(_change)


@dataclass(frozen=True)
class Found:
    """The application that is meant: its sources, unless its broker does not answer, its files and its name."""

    sources: Sources | None
    places: Places
    name: str


def find_application(target: Target, rules: Path | None) -> Found:
    """Find the files of an application's alerts, also while its broker does not answer.

    Raises:
        SourceError: It can't be told which application is meant.
    """
    from celery_nexus.alerts.places import find_places, find_places_of_broker
    from celery_nexus.alerts.source import describe_application
    from nexus_tui.front_door.door import find_broker

    try:
        sources = target.sources()
    except Unreachable as problem:
        found = None if target.context else find_broker(target.door)
        if found is None:
            raise problem from None
        url, prefix = found
        return Found(None, find_places_of_broker(url, prefix, rules), url.masked)
    return Found(sources, find_places(sources, rules), describe_application(sources))


def find_alerts(target: Target, rules: Path | None) -> AlertSource:
    """Make the source of an application's alerts, also while its broker does not answer."""
    from celery_nexus.alerts.book import BookFile
    from celery_nexus.alerts.source import AlertSource

    found = find_application(target, rules)
    noted = BookFile(found.places.book).rules() if rules is None else None
    return AlertSource(found.places.with_rules(noted), found.name)


def _cells(row: RuleStatus) -> tuple[str, ...]:
    since = "" if row.since is None else f"{age((present() - row.since).total_seconds())} ago"
    channels = ", ".join(row.channels) or "nobody"
    return SIGNS[row.state], row.name, row.state, since, row.condition, row.severity, channels


def _notes(report: AlertReport) -> Iterator[str]:
    for row in report.rules:
        for alert in row.alerts[:MOST_SHOWN]:
            when = clock(alert.raised_at or alert.since)
            yield f"{SIGNS[alert.state]} {alert.rule} {alert.subject}: {alert.text} ({alert.state} since {when})"
        if len(row.alerts) > MOST_SHOWN:
            yield f"  … and {len(row.alerts) - MOST_SHOWN:,} more of {row.name}"
        if row.silence is not None:
            silence = row.silence
            yield f"– {row.name} is silenced until {clock(silence.until)} by {silence.by}: {silence.reason}"
    for channel in report.channels:
        if channel.waiting:
            why = f": {channel.problem}; next try at {clock(channel.next_try_at)}" if channel.problem else ""
            yield f"✗ {channel.name} has {channel.waiting:,} notices to come{why}"
    yield from (f"✗ {report.path}: {mistake}" for mistake in report.mistakes)
    if not report.channels and not report.mistakes:
        yield f"nobody is told: {report.path} has no channel (nexus-tui alerts init writes an example)"
    if not report.is_watched:
        last = "nobody ever looked" if report.looked_at is None else f"last look at {clock(report.looked_at)}"
        yield f"nobody watches now, {last}: nexus-tui watch does, or the guardian of a stack"


COMMANDS = (alerts,)

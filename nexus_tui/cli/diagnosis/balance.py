"""``nexus-tui doctor --balance``: whether everything that was submitted is accounted for."""

from __future__ import annotations

from datetime import datetime

import click

from celery_nexus.errors import Invalid
from celery_nexus.rows.diagnosis.balance import MOST_OPEN, BalanceSheet
from celery_nexus.rows.text import command_line, safe_text
from nexus_tui.cli.output import print_json
from nexus_tui.cli.shared import Target
from nexus_tui.documents import as_json as to_json


def print_balance(target: Target, wait_s: float, *, as_json: bool) -> None:
    """Take the balance sheet and print it; exits 1 when it does not add up."""
    from celery_nexus.diagnosis.balance_sheet import BalanceSource

    sources = target.sources()
    if sources.deployment is None:
        raise Invalid("a stock application does not count what it publishes: there is no balance to take")
    sheet = BalanceSource(sources.broker, sources.history.path).take(max(0.0, wait_s))
    if as_json:
        print_json(to_json(sheet) | {"missing": sheet.missing, "adds_up": sheet.adds_up, "problems": problems(sheet)})
    else:
        _print(sheet)
    if not sheet.adds_up:
        raise click.exceptions.Exit(1)


def _print(sheet: BalanceSheet) -> None:
    since = "" if sheet.since is None else f"since {_moment(sheet.since)}"
    left = [("submitted", sheet.submitted, f"counted at publish {since}".strip())]
    if sheet.adopted or sheet.foreign:
        left.append(("from others", sheet.adopted + sheet.foreign, "published past our counter, counted in the queue"))
    right = [
        ("succeeded", sheet.succeeded, "in the history"),
        ("failed", sheet.failed, "in the history"),
        ("revoked", sheet.revoked, "in the history, expired ones too"),
        ("dead", sheet.dead, "dead letters"),
        ("deleted", sheet.deleted, "deleted or purged by operators"),
        ("waiting", sheet.waiting, "in the queues"),
        ("in flight", sheet.in_flight, "held by workers"),
        ("delayed", sheet.delayed, "before their time"),
    ]
    if sheet.repeated:
        right.append(("repeated", sheet.repeated, "submitted again under the same id: one run in the history"))
    if sheet.again:
        right.append(("seen to end", -sheet.again, "also in Redis: not acknowledged yet, or running again"))
    for name, count, source in left:
        click.echo(f"{name:<14}{count:>12,}   {source}")
    click.echo("─" * 26)
    for name, count, source in right:
        click.echo(f"{name:<14}{count:>12,}   {source}")
    click.echo("─" * 26)
    if sheet.uncounted:
        click.echo(f"outside the sum: {sheet.uncounted:,} dead letters that no run can be made of")
    if sheet.since is None:
        click.echo("nothing was counted yet: with NEXUS_DELIVERY=reliable the first publish begins")
    found = problems(sheet)
    click.echo("\n".join(f"✗ {safe_text(line)}" for line in found) or f"✓ it adds up: nothing is lost {since}".rstrip())
    for run in sheet.nowhere:
        click.echo(
            f"  {safe_text(run.id)} {safe_text(run.task)} ({run.state}): {safe_text(command_line('task', run.id))}"
        )


def _moment(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def problems(sheet: BalanceSheet) -> list[str]:
    """Say what does not add up, and where to look; empty when all is well."""
    found: list[str] = []
    if not sheet.is_recorded:
        until = "it never ran" if sheet.recorded_until is None else f"complete until {sheet.recorded_until.isoformat()}"
        found.append(f"the recorder is behind or down ({until}): nexus-tui programs; ends after that are not counted")
    if sheet.missing > 0:
        found.append(f"{sheet.missing:,} missing: submitted, and neither ended nor anywhere on the broker")
        if sheet.gaps:
            found.append(f"the history has {sheet.gaps} gaps: what ended in one looks missing")
        if not sheet.nowhere and sheet.is_recorded:
            found.append("no run without an end is missing: one id submitted twice, past Nexus, counts twice")
    if sheet.older:
        count = f"{sheet.older:,}" + (" or more" if sheet.older >= MOST_OPEN else "")
        began = "" if sheet.since is None else f", which began at {_moment(sheet.since)}"
        found.append(
            f"{count} open runs are older than this count{began}, and nowhere on the broker: it was emptied, or what "
            "became of them was never recorded"
        )
    if sheet.missing < 0:
        found.append(
            f"{-sheet.missing:,} more than were submitted: runs of workers with stock delivery, or a broker that "
            "forgot its last second or was emptied"
        )
    return found

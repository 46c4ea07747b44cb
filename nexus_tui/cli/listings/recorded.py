"""Notes about a history that is empty, or that no recorder writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from celery_nexus.rows.text import age

if TYPE_CHECKING:
    from celery_nexus.runs.source import HistorySource

STALE_AFTER_S = 10.0
HOW = "nexus-tui --broker URL records while it is open; without a terminal: nexus-tui --broker URL history record"


def explain_empty_list(history: HistorySource, *, filtered: bool = False, submit: bool = True) -> str:
    """Say why a list is empty, and what to do."""
    if history.is_foreign and not history.exists:
        return f"nothing was recorded of this broker yet. {HOW}"
    if filtered:
        return "no runs match"
    if history.is_foreign:
        return "no runs were heard of; do the workers send events? nexus-tui --broker URL events enable"
    if history.complete_at() is None:
        return f"nothing is recorded: no recorder ever ran; start it: {history.recorder_command}"
    return "no runs yet" + ("; submit one: nexus-tui submit --list" if submit else "")


def warn(history: HistorySource) -> None:
    """Say on stderr that the history of another application ends in the past, or was never begun."""
    if not history.is_foreign:
        return
    lag_s = history.lag_s()
    if lag_s is None:
        click.echo(f"nexus-tui: {explain_empty_list(history)}", err=True)
    elif lag_s > STALE_AFTER_S:
        click.echo(f"nexus-tui: recorded until {age(lag_s)} ago, and nobody records now. {HOW}", err=True)

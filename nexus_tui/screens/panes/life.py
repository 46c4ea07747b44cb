"""Timeline of a run: its steps, and its waits, tries and pauses as bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from celery_nexus.rows.runs import Run
from celery_nexus.rows.text import duration, safe_text
from nexus_tui.widgets.charts.gantt import Bar

_LOOKS = {"succeeded": "good", "failed": "bad", "retried": "warn", "started": "accent", "revoked": "warn"}


_SIGNS = {"succeeded": "✓", "failed": "✗", "retried": "↻", "started": ""}
_ENDS = {"retried", "succeeded", "failed", "revoked", "rejected", "cancelled"}

MOST_BARS = 9
"""Most bars of a run; of more tries the first and the last are drawn."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a run: when, in a word, and a detail."""

    at: datetime
    word: str
    look: str
    detail: str = ""


def steps_of(run: Run, life: Iterable[Any]) -> list[Step]:
    """Make the timeline: what the history kept step by step, else what the run's own times tell."""
    return [_step(entry) for entry in life] or _from_times(run)


def _step(entry: Any) -> Step:
    return Step(
        entry.at, safe_text(entry.event, 20), _LOOKS.get(entry.event, "plain"), safe_text(entry.detail or "", 500)
    )


def _from_times(run: Run) -> list[Step]:
    ending = {"SUCCESS": "succeeded", "FAILURE": "failed", "REVOKED": "revoked"}.get(run.state, "ended")
    times = (
        (run.sent_at, "sent", f"to {safe_text(run.queue)}" if run.queue else ""),
        (run.received_at, "received", f"by {safe_text(run.worker)}" if run.worker else ""),
        (run.started_at, "started", f"on {safe_text(run.worker)}" if run.worker else ""),
        (run.finished_at, ending, safe_text(run.error or "", 500)),
    )
    return [Step(at, word, _LOOKS.get(word, "plain"), detail) for at, word, detail in times if at is not None]


def bars_of(steps: Sequence[Step], now: datetime) -> list[Bar]:
    """Make bars of a run's life: what it waited, each try, and the pauses between them; what goes on ends now."""
    bars: list[Bar] = []
    tries = 0
    open_name, since = "", now
    for step in steps:
        if step.word == "started":
            if open_name:
                bars.append(_bar(open_name, since, step.at))
            tries += 1
            open_name, since = f"try {tries}", step.at
        elif step.word in _ENDS:
            if open_name:
                bars.append(_bar(open_name, since, step.at, step))
            open_name, since = ("pause" if step.word in ("retried", "cancelled", "rejected") else ""), step.at
        elif not open_name and not tries:
            open_name, since = "wait", step.at
    if open_name:
        bars.append(replace(_bar(open_name, since, max(now, since)), is_open=True))
    return bars if len(bars) <= MOST_BARS else [*bars[:3], *bars[3 - MOST_BARS :]]


def _bar(name: str, since: datetime, until: datetime, end: Step | None = None) -> Bar:
    took = duration((until - since).total_seconds())
    start, stop = since.timestamp(), until.timestamp()
    if not name.startswith("try"):
        return Bar(name, start, stop, "─" if name == "wait" else "·", "dim", took)
    word = end.word if end is not None else "started"
    reason = end.detail.partition(":")[0] if end is not None else ""
    return Bar(name, start, stop, "▓", _LOOKS.get(word, "warn"), f"{took} {_SIGNS.get(word, '⊘')} {reason}".strip())

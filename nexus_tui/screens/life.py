"""Timeline of a run: its steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celery_nexus.rows.runs import Run
from celery_nexus.rows.text import safe_text

_LOOKS = {"succeeded": "good", "failed": "bad", "retried": "warn", "started": "accent", "revoked": "warn"}


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

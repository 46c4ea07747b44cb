"""Undo of a change: which one is meant, and its way back."""

from __future__ import annotations

from celery_nexus.changes.queue_gates import pause, resume
from celery_nexus.errors import NotFound
from celery_nexus.rows.audit import Restored, Undoable
from celery_nexus.rows.outcomes import TargetOutcome
from celery_nexus.sources import Sources


def find_change(sources: Sources, token: str = "") -> Undoable:
    """Find a change that can be undone; without a token the latest.

    Raises:
        NotFound: There is none.
    """
    for change in sources.broker.list_undoables():
        if token in ("", change.token):
            return change
    raise NotFound(f"no change {token!r} that can be undone" if token else "nothing to undo")


def take_back(sources: Sources, change: Undoable) -> TargetOutcome:
    """Restore what a change took.

    Raises:
        SourceError: The broker can't be reached, or refuses.
    """
    if change.kind not in ("pause", "resume"):
        return _restored(change, sources.broker.restore(change))
    outcome = (resume if change.kind == "pause" else pause)(sources, change.queue)
    sources.broker.forget_undo(change.token)
    return outcome


def _restored(change: Undoable, restored: Restored) -> TargetOutcome:
    said = f"{change.label}: {restored.back:,} restored"
    if restored.started:
        said += f", {restored.started:,} had started"
    if restored.problem:
        said += f", then stopped: {restored.problem}; the same command does the rest"
    return TargetOutcome(change.token, not restored.problem, said)

"""Revocation of one run: waiting, delayed, fetched, running, or not published yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from celery_nexus.changes.targets import (
    Target,
    describe_end,
    find_final_state,
    find_waiting_message,
    report_missing,
)
from celery_nexus.rows.outcomes import TargetOutcome
from celery_nexus.sources import Sources

if TYPE_CHECKING:
    from celery_nexus.rows.broker import Message

DEFAULT_SIGNAL = "SIGTERM"
USE_TERMINATE = "; use --terminate"
FORGETTING = "its worker throws it away when its turn comes; one that restarts before that forgets it, and runs it"
_UNHEARD = (
    "not revoked: a worker holds it, and none answered the order; "
    "one that takes no remote control runs it, one that is busy (solo pool) may obey later"
)
_CHORD_HEARD = f"revoked: part of a chord, which only a worker can end: {FORGETTING}"
CHORD_UNHEARD = "not revoked: part of a chord, which only a worker can end, and none answered"
NOT_YET = "no run of this id is known yet; if it is published, it never runs"


def revoke(sources: Sources, target: Target, *, terminate: bool = False, signal: str = DEFAULT_SIGNAL) -> TargetOutcome:
    """Revoke a run wherever it is: its message is taken out, or its worker is told; one that runs goes on.

    Args:
        sources: Where it is.
        target: The run.
        terminate: Whether to end it when it has started.
        signal: How: name of a signal that ends a process.

    Raises:
        Invalid: The signal is none that ends a process.
        SourceError: The broker or a worker can't be reached.
    """
    sources.control.check_signal(signal)
    how = signal if terminate else ""
    message = find_waiting_message(sources, target)
    if message is not None:
        outcome = _revoke_waiting(sources, target, message)
        if outcome is not None:
            return outcome
    return _revoke_taken(sources, target, how)


def _revoke_waiting(sources: Sources, target: Target, message: Message) -> TargetOutcome | None:
    """Remove the message, then mark the run; None when a worker took it meanwhile."""
    from celery_nexus.delivery.ends.endings import REVOKED

    if sources.is_foreign:
        return _revoke_hers(sources, target, message)
    if not sources.broker.delete(message, ends=REVOKED).done:
        return None
    sources.broker.mark_revoked([target.id])
    return TargetOutcome(target.id, True, "revoked before it started")


def _revoke_hers(sources: Sources, target: Target, message: Message) -> TargetOutcome | None:
    """Remove a stranger's message, or let her workers do it when a chord hangs on the end of its run."""
    from celery_nexus.broker.wire.chord_parts import is_chord_part

    if is_chord_part(message.raw):
        heard = bool(sources.control.revoke([target.id]))
        return TargetOutcome(target.id, heard, _CHORD_HEARD if heard else CHORD_UNHEARD)
    if not sources.broker.delete(message).done:
        return None
    sources.control.store_revoked([target.id])
    return TargetOutcome(target.id, True, f"revoked before it started{_unwritten(sources)}")


def _revoke_taken(sources: Sources, target: Target, how: str) -> TargetOutcome:
    """Revoke what a worker holds, or what is on its way back from one that died."""
    state = find_final_state(sources, target)
    if state is not None:
        return TargetOutcome(target.id, state == "REVOKED", describe_end(state))
    held, worker = sources.control.find_holders([target.id]).get(target.id, ("", ""))
    if held == "active":
        return _revoke_running(sources, target, worker, how)
    if not held and target.run is None and not sources.broker.is_unacked(target.id):
        return _revoke_unknown(sources, target)
    sources.broker.mark_revoked([target.id])
    if not sources.control.revoke([target.id]) and sources.is_foreign:
        return TargetOutcome(target.id, False, _UNHEARD)
    held, worker = sources.control.find_holders([target.id]).get(target.id, ("", ""))
    if held == "active":  # it started between the question and the order
        return _revoke_running(sources, target, worker, how)
    state = find_final_state(sources, target)
    if state is not None and state != "REVOKED":
        return TargetOutcome(target.id, False, describe_end(state))
    _tell(sources, [target.id])
    told = f"revoked: {FORGETTING}" if sources.is_foreign else "revoked before it started"
    return TargetOutcome(target.id, True, told)


def _revoke_unknown(sources: Sources, target: Target) -> TargetOutcome:
    """Revoke a run that was not published yet, as Celery does: the next link of a chain, a chord's body."""
    if sources.is_foreign:
        return report_missing(target.id)
    sources.broker.mark_revoked([target.id])
    sources.control.revoke([target.id])
    return TargetOutcome(target.id, True, NOT_YET)


def _revoke_running(sources: Sources, target: Target, worker: str, how: str) -> TargetOutcome:
    if not how:
        return TargetOutcome(target.id, False, f"running on {worker}{USE_TERMINATE}")
    sources.broker.mark_revoked([target.id])
    sources.control.revoke([target.id], terminate=True, signal=how)
    return TargetOutcome(target.id, True, f"terminated on {worker}")


def _unwritten(sources: Sources) -> str:
    """Say that who waits for the result is not told, where only a stranger's workers can write results."""
    from celery_nexus.control.foreign_results import NO_RESULTS

    elsewhere = sources.control.name_other_backend()
    if not elsewhere or elsewhere == NO_RESULTS:
        return ""
    return f"; its result stays PENDING, as only her workers write results ({elsewhere})"


def _tell(sources: Sources, run_ids: Sequence[str]) -> None:
    """No worker will announce the end of a run that never starts: result backend and history learn it from here."""
    sources.control.store_revoked(run_ids)
    sources.broker.announce_revoked(run_ids)

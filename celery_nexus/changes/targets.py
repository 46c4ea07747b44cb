"""Resolution of typed or marked ids to runs and their messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from celery_nexus.errors import Invalid, NotFound, Refused, SourceError, Unanswered, Unreachable
from celery_nexus.rows.broker import Message
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.runs import FINAL_STATES, Run
from celery_nexus.sources import Sources

FULL_ID_LENGTH = 36
_MOST_NAMED = 3
_HELD = {"reserved": "has fetched it already", "scheduled": "holds it in its memory until its time (stock delivery)"}
"""Explanations of runs that a worker holds and has not begun, by Celery's word."""

_NOWHERE = "waits nowhere: it was deleted, or has just started"


@dataclass(frozen=True, slots=True)
class Target:
    """A run that an action was pointed at.

    Attributes:
        id: Its full id.
        run: What the history knows; None when it knows nothing.
    """

    id: str
    run: Run | None = None


def resolve(sources: Sources, text: str) -> Target | None:
    """Find the run that an id, or the beginning of one, means; None when nobody knows it.

    Raises:
        Invalid: More than one run begins so; the message lists them.
    """
    try:
        run: Run = sources.history.run(text)
    except NotFound:
        return _resolve_by_messages(sources, text)
    return Target(run.id, run)


def _resolve_by_messages(sources: Sources, text: str) -> Target | None:
    """The history may be behind, or know nothing of a foreign application: the messages themselves are asked."""
    if len(text) >= FULL_ID_LENGTH:
        return Target(text)
    found = sources.broker.ids(text)
    if len(found) > 1 and text not in found:
        raise Invalid(f"{text!r} is ambiguous: {', '.join(sorted(found))}")
    return Target(text if text in found else found[0]) if found else None


def find_run(sources: Sources, text: str) -> Run:
    """Find a run in the history, or else among what waits and what workers hold.

    Raises:
        NotFound: Nobody knows it.
        Invalid: More than one run begins so.
    """
    from celery_nexus.diagnosis.unrecorded import find_unrecorded

    try:
        return sources.history.run(text)
    except NotFound as unknown:
        try:
            target = resolve(sources, text)
            found = target and find_unrecorded(sources, target.id, find_waiting_message(sources, target))
        except (Unreachable, Refused):
            found = None
        if not found:
            raise unknown from None
        return found


def find_waiting_message(sources: Sources, target: Target) -> Message | None:
    """Find the waiting message of a run; None when nothing waits."""
    run = target.run
    if run is not None:
        return sources.broker.find(target.id, queue=run.queue, priority=run.priority)
    found = sources.broker.find(target.id)
    if found is None and sources.is_foreign and _learn_queues(sources):
        found = sources.broker.find(target.id)
    return found


def _learn_queues(sources: Sources) -> bool:
    """Let workers name their queues: one that is bound to nothing is known to them alone."""
    try:
        sources.control.workers()
        sources.broker.queues(sources.control.consumers())
    except SourceError:
        return False
    return True


def find_final_state(sources: Sources, target: Target) -> str | None:
    """Name the final state of a run, as the result backend or the history knows it; None when it has not ended."""
    state = sources.control.result_state(target.id) or (target.run.state if target.run else None)
    return state if state in FINAL_STATES else None


def report_missing(text: str) -> TargetOutcome:
    """Say that nobody knows a run."""
    return TargetOutcome(text, False, "no such run", is_missing=True)


def describe_end(state: str) -> str:
    """Say how a run had ended."""
    return "was revoked already" if state == "REVOKED" else f"had ended ({state})"


def report_not_waiting(sources: Sources, target: Target) -> TargetOutcome:
    """Say why there is no message to change."""
    state = find_final_state(sources, target)
    if state is not None:
        return TargetOutcome(target.id, False, describe_end(state))
    held, worker = sources.control.find_holders([target.id]).get(target.id, ("", ""))
    if held in _HELD:
        return TargetOutcome(target.id, False, f"{worker} {_HELD[held]}: revoke it and submit it anew")
    is_held = bool(held) or sources.broker.is_unacked(target.id)
    if not is_held and target.run is None:
        return report_missing(target.id)
    return TargetOutcome(target.id, False, "had already started" if is_held else _NOWHERE)


def name_runs(run_ids: tuple[str, ...]) -> str:
    """Count runs and name the first of them: ``5 runs (a1, b2, c3 and 2 more)``."""
    count = "1 run" if len(run_ids) == 1 else f"{len(run_ids):,} runs"
    shown = ", ".join(run_ids[:_MOST_NAMED])
    more = f" and {len(run_ids) - _MOST_NAMED:,} more" if len(run_ids) > _MOST_NAMED else ""
    return f"{count} ({shown}{more})"


def resolve_all(sources: Sources, run_ids: tuple[str, ...]) -> list[tuple[str, Target | None]]:
    """Find what each id means, each run once; None for one that nobody knows.

    Raises:
        Invalid: One of them is ambiguous.
    """
    found: dict[str, tuple[str, Target | None]] = {}
    for text in dict.fromkeys(run_ids):
        target = resolve(sources, text)
        found.setdefault(target.id if target else text, (text, target))
    return list(found.values())


def change_each(
    sources: Sources,
    run_ids: tuple[str, ...],
    change: Callable[[Target], TargetOutcome],
    resolved: Sequence[tuple[str, Target | None]] | None = None,
) -> Outcome:
    """Change each run in turn, all of them resolved before the first is touched.

    A broker that goes away in the middle does not hide what was done: the rest is reported as not done.

    Raises:
        SourceError: Nothing was changed.
    """
    targets = resolve_all(sources, run_ids) if resolved is None else resolved
    steps, rows = sources.steps, list[TargetOutcome]()
    steps.begin(len(targets))
    for place, (text, target) in enumerate(targets):
        if steps.is_stopped:
            rows += [_tell_not_done(row, steps.why) for row in targets[place:]]
            break
        if target is None:
            rows.append(report_missing(text))
            steps.add(rows[-1])
            continue
        try:
            rows.append(change(target))
            steps.add(rows[-1])
        except SourceError as error:
            is_known = not isinstance(error, Unanswered)
            if is_known and not any(row.done for row in rows):
                raise
            rows += [] if is_known else [TargetOutcome(target.id, False, str(error))]
            rows += [_tell_not_done(row, str(error)) for row in targets[place if is_known else place + 1 :]]
            break
    return Outcome(tuple(rows))


def _tell_not_done(row: tuple[str, Target | None], why: str) -> TargetOutcome:
    text, target = row
    return TargetOutcome(target.id if target else text, False, f"not done: {why}")


def change_undoably(
    sources: Sources, label: str, run_ids: tuple[str, ...], change: Callable[[Target, str], TargetOutcome]
) -> Outcome:
    """Change each run in a way that can be taken back with one token."""
    token = sources.broker.announce_undo("messages", label)
    try:
        outcome = change_each(sources, run_ids, lambda target: change(target, token))
    except SourceError:
        sources.broker.forget_undo(token)
        raise
    return Outcome(outcome.targets, keep_token(sources, token, any(row.done for row in outcome.targets)))


def keep_token(sources: Sources, token: str, is_changed: bool) -> str:
    """Return the token of a change that took something; a broker that is gone by then does not hide what was done."""
    try:
        return token if sources.broker.keep_undo(token) else ""
    except SourceError:
        return token if is_changed else ""

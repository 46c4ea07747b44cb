"""Actions on runs and the messages that they wait in: revoke, priority, delete."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from nexus_tui.actions.base import Action
from nexus_tui.models.actions import Outcome, TargetOutcome
from nexus_tui.models.broker import Message
from nexus_tui.models.runs import FINAL_STATES, Run
from nexus_tui.sources import Sources
from nexus_tui.sources.errors import Invalid, NotFound

FULL_ID_LENGTH = 36
_MOST_NAMED = 3


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
    if len(text) < FULL_ID_LENGTH:
        found = sources.broker.ids(text)
        if len(found) > 1:
            raise Invalid(f"{text!r} is ambiguous: {', '.join(found)}")
        return Target(found[0]) if found else None
    return Target(text)


def _locate(sources: Sources, target: Target) -> Message | None:
    run = target.run
    if run is None:
        return sources.broker.find(target.id)
    return sources.broker.find(target.id, queue=run.queue, priority=run.priority)


def _missing(text: str) -> TargetOutcome:
    return TargetOutcome(text, False, "no such run", is_missing=True)


def _ended(sources: Sources, target: Target) -> str | None:
    """The final state of a run, as the result backend or the history knows it."""
    state = sources.control.result_state(target.id) or (target.run.state if target.run else None)
    return state if state in FINAL_STATES else None


def _named(run_ids: tuple[str, ...]) -> str:
    shown = ", ".join(run_ids[:_MOST_NAMED])
    return shown if len(run_ids) <= _MOST_NAMED else f"{shown} and {len(run_ids) - _MOST_NAMED} more"


def _count(run_ids: tuple[str, ...]) -> str:
    return "1 run" if len(run_ids) == 1 else f"{len(run_ids):,} runs"


def _each(sources: Sources, run_ids: tuple[str, ...], change: Callable[[Target], TargetOutcome]) -> Outcome:
    rows: list[TargetOutcome] = []
    for text in dict.fromkeys(run_ids):
        target = resolve(sources, text)
        rows.append(_missing(text) if target is None else change(target))
    return Outcome(tuple(rows))


@dataclass(frozen=True)
class Revoke(Action):
    """Revoke runs: what waits never starts; what runs is ended only when asked for.

    Attributes:
        run_ids: Full ids or unique beginnings.
        terminate: Whether to end those that run.
    """

    key: ClassVar[str] = "K"
    label: ClassVar[str] = "Revoke"

    run_ids: tuple[str, ...]
    terminate: bool = False

    @property
    def question(self) -> str:
        """Name the runs and what will happen to them."""
        running = "those that run are ended at once" if self.terminate else "those that run go on"
        return f"Revoke {_count(self.run_ids)} ({_named(self.run_ids)})? Waiting ones never run; {running}."

    @property
    def command(self) -> str:
        """The command line that does the same."""
        return shlex.join(["nexus-tui", "revoke", *self.run_ids, *(["--terminate"] if self.terminate else [])])

    def run(self, sources: Sources) -> Outcome:
        """Revoke each run."""
        return _each(sources, self.run_ids, lambda target: self._revoke(sources, target))

    def _revoke(self, sources: Sources, target: Target) -> TargetOutcome:
        message = _locate(sources, target)
        if message is not None:
            outcome = self._revoke_waiting(sources, target, message)
            if outcome is not None:
                return outcome
        return self._revoke_taken(sources, target)

    @staticmethod
    def _revoke_waiting(sources: Sources, target: Target, message: Message) -> TargetOutcome | None:
        """Remove the message, then mark the run; None when a worker took it meanwhile."""
        if not sources.broker.delete(message).done:
            return None
        sources.broker.mark_revoked([target.id])
        _tell(sources, target.id)
        return TargetOutcome(target.id, True, "revoked before it started")

    def _revoke_taken(self, sources: Sources, target: Target) -> TargetOutcome:
        """Revoke what a worker holds, or what is on its way back from one that died."""
        ended = _ended(sources, target)
        if ended is not None:
            return TargetOutcome(target.id, ended == "REVOKED", _was(ended))
        state, worker = sources.control.whereabouts([target.id]).get(target.id, ("", ""))
        if state == "active":
            return self._revoke_running(sources, target, worker)
        if not state and target.run is None and not sources.broker.is_unacked(target.id):
            return _missing(target.id)
        sources.broker.mark_revoked([target.id])
        sources.control.revoke([target.id])
        state, worker = sources.control.whereabouts([target.id]).get(target.id, ("", ""))
        if state == "active":  # it started between the question and the order
            return self._revoke_running(sources, target, worker)
        ended = _ended(sources, target)
        if ended is not None and ended != "REVOKED":
            return TargetOutcome(target.id, False, _was(ended))
        _tell(sources, target.id)
        return TargetOutcome(target.id, True, "revoked before it started")

    def _revoke_running(self, sources: Sources, target: Target, worker: str) -> TargetOutcome:
        if not self.terminate:
            return TargetOutcome(target.id, False, f"running on {worker}; use --terminate")
        sources.broker.mark_revoked([target.id])
        sources.control.revoke([target.id], terminate=True)
        return TargetOutcome(target.id, True, f"terminated on {worker}")


def _tell(sources: Sources, run_id: str) -> None:
    """No worker will announce the end of a run that never starts: result backend and history learn it from here."""
    sources.control.store_revoked([run_id])
    sources.broker.announce_revoked([run_id])


def _was(state: str) -> str:
    return "was revoked already" if state == "REVOKED" else f"had ended ({state})"


@dataclass(frozen=True)
class ChangePriority(Action):
    """Change the priority of waiting runs: 0 is first, 9 is last.

    Attributes:
        run_ids: Full ids or unique beginnings.
        priority: The new priority.
        front: Whether they run next of their priority, not last.
    """

    key: ClassVar[str] = "B"
    label: ClassVar[str] = "Priority"

    run_ids: tuple[str, ...]
    priority: int
    front: bool = False

    @property
    def question(self) -> str:
        """Name the runs and where they go."""
        place = "in front of" if self.front else "behind"
        return (
            f"Move {_count(self.run_ids)} ({_named(self.run_ids)}) to priority {self.priority}, "
            f"{place} what waits there?"
        )

    @property
    def command(self) -> str:
        """The command line that does the same."""
        front = ["--front"] if self.front else []
        return shlex.join(["nexus-tui", "priority", *self.run_ids, str(self.priority), *front])

    def run(self, sources: Sources) -> Outcome:
        """Move each message."""
        # What is to run in front is pushed there last to first, so that the marked order is kept.
        run_ids = tuple(reversed(self.run_ids)) if self.front else self.run_ids
        return _each(sources, run_ids, lambda target: self._move(sources, target))

    def _move(self, sources: Sources, target: Target) -> TargetOutcome:
        message = _locate(sources, target)
        if message is not None:
            return sources.broker.change_priority(message, self.priority, front=self.front)
        return _not_waiting(sources, target)


@dataclass(frozen=True)
class DeleteMessage(Action):
    """Delete waiting messages: their runs never happen, and nothing is said to who waits for a result.

    Attributes:
        run_ids: Full ids or unique beginnings.
    """

    key: ClassVar[str] = "D"
    label: ClassVar[str] = "Delete"

    run_ids: tuple[str, ...]

    @property
    def question(self) -> str:
        """Name the runs."""
        return f"Delete the messages of {_count(self.run_ids)} ({_named(self.run_ids)})? They never run."

    @property
    def command(self) -> str:
        """The command line that does the same."""
        return shlex.join(["nexus-tui", "delete", *self.run_ids])

    def run(self, sources: Sources) -> Outcome:
        """Delete each message."""
        return _each(sources, self.run_ids, lambda target: self._delete(sources, target))

    @staticmethod
    def _delete(sources: Sources, target: Target) -> TargetOutcome:
        message = _locate(sources, target)
        return sources.broker.delete(message) if message is not None else _not_waiting(sources, target)


def _not_waiting(sources: Sources, target: Target) -> TargetOutcome:
    """Say why there is no message to change."""
    ended = _ended(sources, target)
    if ended is not None:
        return TargetOutcome(target.id, False, _was(ended))
    if target.id in sources.control.whereabouts([target.id]) or sources.broker.is_unacked(target.id):
        return TargetOutcome(target.id, False, "had already started")
    if target.run is None:
        return _missing(target.id)
    return TargetOutcome(target.id, False, "had already started")

"""Actions on runs: revoke, priority, run again."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from nexus_tui.actions.base import Action
from nexus_tui.actions.targets import (
    Target,
    each,
    ended,
    is_whole,
    locate,
    missing,
    named,
    not_waiting,
    undoably,
    was,
)
from nexus_tui.models.actions import Outcome, TargetOutcome
from nexus_tui.models.broker import Message
from nexus_tui.sources import Sources


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
        return f"Revoke {named(self.run_ids)}? Waiting ones never run; {running}. This can't be undone."

    @property
    def command(self) -> str:
        """The command line that does the same."""
        return shlex.join(["nexus-tui", "revoke", *self.run_ids, *(["--terminate"] if self.terminate else [])])

    def run(self, sources: Sources) -> Outcome:
        """Revoke each run."""
        return each(sources, self.run_ids, lambda target: self._revoke(sources, target))

    def _revoke(self, sources: Sources, target: Target) -> TargetOutcome:
        message = locate(sources, target)
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
        state = ended(sources, target)
        if state is not None:
            return TargetOutcome(target.id, state == "REVOKED", was(state))
        held, worker = sources.control.whereabouts([target.id]).get(target.id, ("", ""))
        if held == "active":
            return self._revoke_running(sources, target, worker)
        if not held and target.run is None and not sources.broker.is_unacked(target.id):
            return missing(target.id)
        sources.broker.mark_revoked([target.id])
        sources.control.revoke([target.id])
        held, worker = sources.control.whereabouts([target.id]).get(target.id, ("", ""))
        if held == "active":  # it started between the question and the order
            return self._revoke_running(sources, target, worker)
        state = ended(sources, target)
        if state is not None and state != "REVOKED":
            return TargetOutcome(target.id, False, was(state))
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
        return f"Move {named(self.run_ids)} to priority {self.priority}, {place} what waits there?"

    @property
    def command(self) -> str:
        """The command line that does the same."""
        front = ["--front"] if self.front else []
        return shlex.join(["nexus-tui", "priority", *self.run_ids, str(self.priority), *front])

    def run(self, sources: Sources) -> Outcome:
        """Move each message."""
        sources.broker.check_priority(self.priority)
        # What is to run in front is pushed there last to first, so that the marked order is kept.
        run_ids = tuple(reversed(self.run_ids)) if self.front else self.run_ids
        label = f"priority {self.priority} for {named(self.run_ids)}"
        return undoably(sources, label, run_ids, lambda target, undo: self._move(sources, target, undo))

    def _move(self, sources: Sources, target: Target, undo: str) -> TargetOutcome:
        message = locate(sources, target)
        if message is None:
            return not_waiting(sources, target)
        return sources.broker.change_priority(message, self.priority, front=self.front, undo=undo)


@dataclass(frozen=True)
class RunAgain(Action):
    """Run ended runs again, with the same arguments or with others, in their own queue.

    Attributes:
        run_ids: Full ids or unique beginnings.
        kwargs: Keyword arguments that replace those of the same name; None keeps all as they were.
    """

    key: ClassVar[str] = "R"
    label: ClassVar[str] = "Run again"

    run_ids: tuple[str, ...]
    kwargs: dict[str, Any] | None = None

    @property
    def question(self) -> str:
        """Name the runs and their arguments."""
        how = "the same arguments" if self.kwargs is None else f"other {', '.join(self.kwargs)}"
        return f"Run {named(self.run_ids)} again with {how}? New runs are queued; the old ones stay in the history."

    @property
    def command(self) -> str:
        """The command line that does the same."""
        words = ["nexus-tui", "retry", *self.run_ids]
        if self.kwargs is not None:
            words += ["--kwargs", json.dumps(self.kwargs, ensure_ascii=False)]
        return shlex.join(words)

    def run(self, sources: Sources) -> Outcome:
        """Queue a new run for each."""
        return each(sources, self.run_ids, lambda target: self._again(sources, target))

    def _again(self, sources: Sources, target: Target) -> TargetOutcome:
        run = target.run
        if run is None:
            return missing(target.id)
        if not run.is_final:
            return TargetOutcome(target.id, False, f"has not ended ({run.state})")
        if run.task is None or not isinstance(run.args, list) or not isinstance(run.kwargs, dict):
            return TargetOutcome(target.id, False, "its arguments are not known: submit it anew")
        kwargs = {**cast("dict[str, Any]", run.kwargs), **(self.kwargs or {})}
        if not is_whole(run.args):
            return TargetOutcome(target.id, False, "its arguments are not kept in full: submit it anew")
        if lacking := [name for name, value in kwargs.items() if not is_whole({name: value})]:
            return TargetOutcome(target.id, False, f"not kept in full: {', '.join(lacking)}; give them with --kwargs")
        submitted = sources.catalog.submit(
            run.task,
            cast("list[Any]", run.args),
            kwargs,
            priority=run.priority,
            queue=run.queue,
            lineage=(run.root_id or run.id, run.id),
        )
        return TargetOutcome(target.id, True, f"runs again as {submitted.id} in {submitted.queue}")

"""Actions on waiting messages: delete, move to another queue."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import ClassVar

from nexus_tui.actions.base import Action
from nexus_tui.actions.targets import Target, locate, named, not_waiting, undoably
from nexus_tui.models.actions import Outcome, TargetOutcome
from nexus_tui.sources import Sources


@dataclass(frozen=True)
class DeleteMessages(Action):
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
        return f"Delete the messages of {named(self.run_ids)}? They never run; for a day this can be undone."

    @property
    def command(self) -> str:
        """The command line that does the same."""
        return shlex.join(["nexus-tui", "delete", *self.run_ids])

    def run(self, sources: Sources) -> Outcome:
        """Delete each message."""
        label = f"delete {named(self.run_ids)}"
        return undoably(sources, label, self.run_ids, lambda target, undo: _delete(sources, target, undo))


def _delete(sources: Sources, target: Target, undo: str) -> TargetOutcome:
    message = locate(sources, target)
    if message is None:
        return not_waiting(sources, target)
    return sources.broker.delete(message, undo=undo)


@dataclass(frozen=True)
class MoveMessages(Action):
    """Move waiting messages to another queue, behind what waits there at their priority.

    Attributes:
        run_ids: Full ids or unique beginnings.
        queue: Where they go.
        front: Whether they run next of their priority there, not last.
    """

    key: ClassVar[str] = "M"
    label: ClassVar[str] = "Move"

    run_ids: tuple[str, ...]
    queue: str
    front: bool = False

    @property
    def question(self) -> str:
        """Name the runs and the queue."""
        place = "in front of" if self.front else "behind"
        return f"Move {named(self.run_ids)} to {self.queue}, {place} what waits there?"

    @property
    def command(self) -> str:
        """The command line that does the same."""
        front = ["--front"] if self.front else []
        return shlex.join(["nexus-tui", "move", *self.run_ids, self.queue, *front])

    def run(self, sources: Sources) -> Outcome:
        """Move each message."""
        sources.broker.check_queue(self.queue)
        run_ids = tuple(reversed(self.run_ids)) if self.front else self.run_ids
        label = f"move {named(self.run_ids)} to {self.queue}"
        return undoably(sources, label, run_ids, lambda target, undo: self._move(sources, target, undo))

    def _move(self, sources: Sources, target: Target, undo: str) -> TargetOutcome:
        message = locate(sources, target)
        if message is None:
            return not_waiting(sources, target)
        return sources.broker.move(message, self.queue, front=self.front, undo=undo)

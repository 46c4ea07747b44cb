"""Actions on waiting messages: delete, move, priority, another time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from celery_nexus.actions.base import Action, Plan
from celery_nexus.actions.declaration import Argument, Key, Option
from celery_nexus.actions.message_edits import MessageAction
from celery_nexus.actions.typed import read_aware_time
from celery_nexus.errors import Invalid
from celery_nexus.sources import Sources

if TYPE_CHECKING:
    from celery_nexus.broker.edit.edits import Edit

_LATEST_S = 10 * 365 * 86400
"""Longest delay of a run, ten years: what is later is a mistake."""


@dataclass(frozen=True)
class DeleteMessages(MessageAction):
    """Delete waiting messages: their runs never happen, and nothing is said to who waits for a result."""

    label: ClassVar[str] = "Delete"
    command_name: ClassVar[str] = "delete"
    key: ClassVar[Key | None] = Key("D", "delete", "delete")
    choice_key: ClassVar[str] = "d"
    can_be_undone: ClassVar[bool] = True

    @property
    def question(self) -> str:
        """Name the runs."""
        return f"Delete the messages of {self.what}? They never run; {self.undo_words}."

    @property
    def edit(self) -> Edit:
        """Take it out."""
        from celery_nexus.broker.edit.edits import Delete

        return Delete()


@dataclass(frozen=True)
class MoveMessages(MessageAction):
    """Move waiting messages to another queue, behind what waits there at their priority."""

    label: ClassVar[str] = "Move"
    command_name: ClassVar[str] = "move"
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        *MessageAction.parameters,
        Argument("queue", "QUEUE", "The queue that they go to."),
        Option("--front", "front", "Run next there, instead of last."),
    )
    key: ClassVar[Key | None] = Key("M", "move", "move to another queue")
    can_be_undone: ClassVar[bool] = True

    queue: str
    front: bool = False

    @property
    def question(self) -> str:
        """Name the runs and the queue."""
        place = "in front of" if self.front else "behind"
        return f"Move {self.what} to {self.queue}, {place} what waits there?"

    @property
    def edit(self) -> Edit:
        """Move it."""
        from celery_nexus.broker.edit.edits import MoveTo

        return MoveTo(self.queue, self.front)

    def plan(self, sources: Sources) -> Plan:
        """Make sure that the queue exists, too."""
        self.check(sources)
        return super().plan(sources)

    def check(self, sources: Sources) -> None:
        """Make sure that the queue exists."""
        sources.broker.check_queue(self.queue)


@dataclass(frozen=True)
class ChangePriority(MessageAction):
    """Change the priority of waiting runs: 0 is first, 9 is last."""

    label: ClassVar[str] = "Priority"
    command_name: ClassVar[str] = "priority"
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        *MessageAction.parameters,
        Argument("priority", "N", "The new priority: 0 first … 9 last."),
        Option("--front", "front", "Run next within the new priority, instead of last."),
    )
    key: ClassVar[Key | None] = Key("B", "priority", "priority", in_footer=True)
    can_be_undone: ClassVar[bool] = True

    priority: int
    front: bool = False

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Action:
        """Read the priority, too."""
        text: str = given["priority"]
        try:
            priority = int(text)
        except ValueError:
            raise Invalid(f"{text!r} is no priority; the last word is a number 0 (first) … 9 (last)") from None
        return super().from_command({**given, "priority": priority})

    @property
    def question(self) -> str:
        """Name the runs and where they go."""
        place = "in front of" if self.front else "behind"
        return f"Move {self.what} to priority {self.priority}, {place} what waits there?"

    @property
    def edit(self) -> Edit:
        """Give it the priority."""
        from celery_nexus.broker.edit.edits import Reprioritise

        return Reprioritise(self.priority, self.front)

    def plan(self, sources: Sources) -> Plan:
        """Make sure that the priority exists, too."""
        self.check(sources)
        return super().plan(sources)

    def check(self, sources: Sources) -> None:
        """Make sure that the priority exists."""
        sources.broker.check_priority(self.priority)


@dataclass(frozen=True)
class ChangeTime(MessageAction):
    """Let delayed runs begin at another time, or now.

    Only what the broker keeps until its time can be changed: with reliable delivery all of it. Stock workers hold
    delayed runs in their own memory; revoke such a run and submit it anew.

    Attributes:
        due_at: The new time (aware); None: now.
    """

    label: ClassVar[str] = "Time"
    command_name: ClassVar[str] = "delay"
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        Argument("run_ids", "ID…", "A run's id, or its unique beginning.", is_many=True),
        Option("--at", "at", "Not before this time, ISO 8601 with zone.", "T"),
        Option("--in", "in_s", "Not before so many seconds from now.", "S", type=float),
        Option("--now", "now", "As soon as a worker is free."),
    )
    can_be_undone: ClassVar[bool] = True

    due_at: datetime | None

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Action:
        """Read the time."""
        at, in_s, is_now = given["at"], given["in_s"], given["now"]
        if [at is not None, in_s is not None, is_now].count(True) != 1:
            raise Invalid("give one of --at T, --in S and --now")
        if in_s is not None and not 0 <= in_s <= _LATEST_S:
            raise Invalid(f"--in {in_s:g} is not between 0 and ten years of seconds")
        due_at = datetime.now(UTC) + timedelta(seconds=in_s or 0)
        return cls(given["run_ids"], None if is_now else due_at if at is None else read_aware_time(at))

    def value_of(self, parameter: str) -> Any:
        """Return what the command says for a parameter: always a point in time, or now."""
        when = {"at": self.due_at, "in_s": None, "now": self.due_at is None}
        return when[parameter] if parameter in when else super().value_of(parameter)

    @property
    def question(self) -> str:
        """Name the runs and the time."""
        when = "as soon as a worker is free" if self.due_at is None else f"at {self.due_at.isoformat()}"
        return f"Let {self.what} run {when}?"

    @property
    def edit(self) -> Edit:
        """Give it the time."""
        from celery_nexus.broker.edit.edits import Retime

        return Retime(self.due_at)

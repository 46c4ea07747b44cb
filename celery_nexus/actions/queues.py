"""Actions on whole queues: purge, pause, resume; and undo, which takes any of them back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from celery_nexus.actions.base import Action, Plan
from celery_nexus.actions.declaration import Argument, Key, Option, Section
from celery_nexus.changes.queue_gates import (
    FORGETTING,
    keep_undo,
    list_stock_consumers,
    pause,
    resume,
)
from celery_nexus.changes.taking_back import find_change, take_back
from celery_nexus.errors import Invalid, Refused
from celery_nexus.rows.audit import Undoable
from celery_nexus.rows.broker import UnreadList
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.selection import Selection
from celery_nexus.rows.text import size
from celery_nexus.sources import Sources

GATE_KEY = Key("P", "gate", "pause or resume", in_footer=True)
"""Key that pauses an open queue, and resumes a paused one."""

_QUEUE = Argument("queue", "QUEUE", "The queue's name.")


@dataclass(frozen=True)
class PurgeQueue(Action):
    """Delete everything that waits in a queue; for a day it can be brought back."""

    label: ClassVar[str] = "Purge"
    command_name: ClassVar[str] = "purge"
    section: ClassVar[Section] = Section.QUEUES
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        _QUEUE,
        Option("--filter", "filter_text", "Only what matches.", "TEXT", default=""),
        Option("--for-good", "for_good", "Keep nothing: no undo, and a broker that is full accepts it."),
    )
    key: ClassVar[Key | None] = Key("D", "purge", "purge", in_footer=True)
    choice_key: ClassVar[str] = "d"
    can_be_undone: ClassVar[bool] = True

    queue: str
    for_good: bool = False
    waiting: int | None = field(default=None, compare=False)

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Action:
        """Take all of a queue; what matches a filter is deleted message by message."""
        queue, filter_text, is_for_good = given["queue"], given["filter_text"], given["for_good"]
        if not filter_text:
            return cls(queue, is_for_good)
        if is_for_good:
            raise Invalid("--for-good is about all of a queue: without --filter")
        from celery_nexus.actions.messages import DeleteMessages

        return DeleteMessages((), within=Selection(queue, filter_text))

    def value_of(self, parameter: str) -> Any:
        """Return what the command says for a parameter: it has no filter."""
        return None if parameter == "filter_text" else super().value_of(parameter)

    @property
    def question(self) -> str:
        """Name the queue and the consequence."""
        what = "everything that waits" if self.waiting is None else f"all {self.waiting:,} messages that wait"
        return f"Delete {what} in {self.queue}? None of it runs; {self.undo_words}."

    @property
    def undo_words(self) -> str:
        """Say whether it can be taken back."""
        return "this can't be undone" if self.for_good else super().undo_words

    def plan(self, sources: Sources) -> Plan:
        """Count what waits."""
        sources.broker.check_queue(self.queue)
        waiting = sources.broker.queue(self.queue).waiting
        row = TargetOutcome(self.queue, True, f"{waiting:,} messages → purged", counts=(("matching", waiting),))
        return Plan(replace(self, waiting=waiting), lambda: (row,), waiting, self.queue, is_named=True)

    def run(self, sources: Sources) -> Outcome:
        """Move all of it to the trash."""
        sources.broker.check_queue(self.queue)
        token = "" if self.for_good else self._token(sources)
        gone = sources.broker.purge(self.queue, undo=token)
        if not gone:
            sources.broker.forget_undo(token)
            return Outcome((TargetOutcome(self.queue, True, "was empty"),))
        return Outcome(
            (TargetOutcome(self.queue, True, f"purged {gone:,} messages", counts=(("changed", gone),)),), token
        )

    def _token(self, sources: Sources) -> str:
        try:
            return sources.broker.announce_undo("purge", f"purge {self.queue}", self.queue)
        except Refused as refused:
            raise Refused(f"{refused} (purge --for-good keeps nothing, and needs no memory)") from None


@dataclass(frozen=True)
class ReclaimMessages(Action):
    """Move what lies in lists of a queue that no worker reads to where its workers look.

    A client with another separator or other priorities puts messages there.
    """

    label: ClassVar[str] = "Reclaim"
    command_name: ClassVar[str] = "reclaim"
    section: ClassVar[Section] = Section.QUEUES
    parameters: ClassVar[tuple[Argument | Option, ...]] = (_QUEUE,)

    queue: str

    @property
    def question(self) -> str:
        """Name the queue and the consequence."""
        return f"Move messages of {self.queue} from lists that no worker reads to where its workers look, in front?"

    def plan(self, sources: Sources) -> Plan:
        """Count what lies there."""
        rows = self._rows(sources)
        waiting = sum(row.waiting for row in rows)
        told = ", ".join(f"{row.waiting:,} in {row.name!r}" for row in rows) or "every list is read"
        row = TargetOutcome(self.queue, True, told, counts=(("matching", waiting),))
        return Plan(self, lambda: (row,), waiting, self.queue, is_named=True)

    def run(self, sources: Sources) -> Outcome:
        """Move all of it."""
        rows = self._rows(sources)
        moved = sources.broker.reclaim(rows) if rows else 0
        told = f"reclaimed {moved:,} messages" if rows else "every list is read: nothing to do"
        return Outcome((TargetOutcome(self.queue, True, told, counts=(("changed", moved),)),))

    def _rows(self, sources: Sources) -> list[UnreadList]:
        sources.broker.check_queue(self.queue)
        return [row for row in sources.broker.unread_lists() if row.queue == self.queue]


@dataclass(frozen=True)
class _QueueGate(Action):
    """Closes or opens a queue: remembers it, then tells the workers.

    Attributes:
        is_stock: Whether Celery's own workers may consume it; :meth:`plan` finds out.
    """

    section: ClassVar[Section] = Section.QUEUES
    parameters: ClassVar[tuple[Argument | Option, ...]] = (_QUEUE,)
    key: ClassVar[Key | None] = GATE_KEY
    can_be_undone: ClassVar[bool] = True

    queue: str
    is_stock: bool = field(default=False, kw_only=True, compare=False)

    @property
    @abstractmethod
    def consequence(self) -> str:
        """What it changes, and for how long."""

    @property
    def question(self) -> str:
        """Name the queue and the consequence."""
        return f"{self.label} {self.queue}? {self.consequence}"

    def plan(self, sources: Sources) -> Plan:
        """Make sure that the queue exists."""
        sources.broker.check_queue(self.queue)
        planned = replace(self, is_stock=sources.is_foreign or bool(list_stock_consumers(sources, self.queue)))
        return Plan(planned, lambda: (TargetOutcome(self.queue, True, planned.consequence),))

    def run(self, sources: Sources) -> Outcome:
        """Remember it, then tell the workers."""
        return keep_undo(sources, self.command_name, self.queue, self._turn(sources, self.queue))

    @staticmethod
    @abstractmethod
    def _turn(sources: Sources, queue: str) -> TargetOutcome: ...


@dataclass(frozen=True)
class PauseQueue(_QueueGate):
    """Stop all workers from taking anything more from a queue.

    Ours keep to it also when they start later. Celery's own forget it when they restart.
    """

    label: ClassVar[str] = "Pause"
    command_name: ClassVar[str] = "pause"
    choice_key: ClassVar[str] = "p"

    @property
    def consequence(self) -> str:
        """Say how long it holds."""
        if self.is_stock:
            return f"What was taken runs on; its workers are told to take nothing more. {FORGETTING}."
        return "What was taken runs on; nothing more is taken until it is resumed."

    @staticmethod
    def _turn(sources: Sources, queue: str) -> TargetOutcome:
        return pause(sources, queue)


@dataclass(frozen=True)
class ResumeQueue(_QueueGate):
    """Let the workers of a paused queue take from it again."""

    label: ClassVar[str] = "Resume"
    command_name: ClassVar[str] = "resume"
    choice_key: ClassVar[str] = "r"

    @property
    def consequence(self) -> str:
        """Say what it does."""
        return "Its workers take from it again."

    @staticmethod
    def _turn(sources: Sources, queue: str) -> TargetOutcome:
        return resume(sources, queue)


@dataclass(frozen=True)
class Undo(Action):
    """Take back a delete, purge, move, priority, delay, pause or resume, or a change of dead letters."""

    label: ClassVar[str] = "Undo"
    command_name: ClassVar[str] = "undo"
    section: ClassVar[Section] = Section.MESSAGES
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        Argument(
            "token", "[TOKEN]", "Which change, as it was told and as audit lists it.", is_required=False, default=""
        ),
    )
    key: ClassVar[Key | None] = Key("U", "undo", "undo")

    token: str = ""

    @property
    def question(self) -> str:
        """Name the change."""
        return f"Take back {self.token or 'the latest change'}? Messages return to their place, unless they ran."

    def plan(self, sources: Sources) -> Plan:
        """Find the change."""
        change = find_change(sources, self.token)
        return Plan(Undo(change.token), lambda: (_prospect(sources, change),))

    def run(self, sources: Sources) -> Outcome:
        """Restore what the change took."""
        return Outcome((take_back(sources, find_change(sources, self.token)),))


def _prospect(sources: Sources, change: Undoable) -> TargetOutcome:
    until = f"until {change.expires_at:%Y-%m-%d %H:%M} UTC"
    if change.kind in ("pause", "resume"):
        return TargetOutcome(change.token, True, f"{change.label} → taken back; possible {until}")
    kept = sources.broker.measure_kept(change)
    told = f"{change.label} → taken back; {kept.messages:,} kept ({size(kept.size_bytes)}) {until}"
    return TargetOutcome(change.token, True, told, counts=(("kept", kept.messages),))

"""Actions on waiting messages, by id or on everything that matches: delete, move, priority, another time."""

from __future__ import annotations

import shlex
from abc import abstractmethod
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar

from celery_nexus.broker.bulk.bulk_edit import Progress
from celery_nexus.broker.edit.edits import Delete, Edit, MoveTo, NothingToDo, Reprioritise, Retime
from celery_nexus.errors import Invalid
from celery_nexus.rows.broker import Message
from celery_nexus.rows.outcomes import MANY, Outcome, TargetOutcome
from celery_nexus.rows.selection import Frozen, Selection
from celery_nexus.rows.text import command_line
from celery_nexus.sources import Sources
from nexus_tui.actions.base import Action, Plan
from nexus_tui.actions.targets import Target, each, kept, located, named, not_waiting, resolve_all, undoably


@dataclass(frozen=True)
class MessageAction(Action):
    """A change of waiting messages.

    Attributes:
        run_ids: Full ids or unique beginnings; empty with ``within``.
        within: Everything that matches in a queue, instead of ids.
        frozen: What ``within`` meant when it was asked; None before :meth:`plan`.
    """

    run_ids: tuple[str, ...]
    within: Selection | None = field(default=None, kw_only=True)
    frozen: Frozen | None = field(default=None, kw_only=True, compare=False, repr=False)

    verb: ClassVar[str]
    """The command's name."""

    @property
    @abstractmethod
    def edit(self) -> Edit:
        """What happens to each message."""

    @property
    def words(self) -> tuple[str, ...]:
        """Words of the command behind its targets."""
        return ()

    @property
    def what(self) -> str:
        """Name the targets."""
        if self.within is None:
            return named(self.run_ids)
        if self.frozen is None:
            return f"everything that waits in {self.within.words}"
        return f"{self.frozen.count:,} messages of {self.within.words}"

    @property
    def command(self) -> str:
        """The command line that does the same."""
        return command_line(self.verb, *self._targets(self.run_ids), *self.words)

    @property
    def recorded(self) -> str:
        """The command, with the first ids only when there are many."""
        if len(self.run_ids) <= MANY:
            return self.command
        shown = command_line(self.verb, *self.run_ids[:MANY])
        return f"{shown} … {shlex.join(self.words)} ({len(self.run_ids):,} ids)"

    def _targets(self, run_ids: tuple[str, ...]) -> list[str]:
        if self.within is None:
            return list(run_ids)
        text = self.within.filter_text
        return ["--from", self.within.queue, *(["--filter", text] if text else [])]

    def plan(self, sources: Sources) -> Plan:
        """Freeze what is meant, and say what would become of it."""
        if self.within is None:
            targets = self.resolved(sources)
            whole = tuple(target.id if target else text for text, target in targets)
            return Plan(replace(self, run_ids=whole), lambda: self._prospects(sources, targets), len(targets))
        frozen = sources.broker.freeze(self.within)
        tasks = ", ".join(f"{name or 'no Celery message'} {count:,}" for name, count in frozen.by_task.items())
        told = f"{frozen.count:,} of {frozen.waiting:,} waiting messages match" + (f": {tasks}" if tasks else "")
        row = TargetOutcome(self.within.queue, True, told, counts=(("matching", frozen.count),))
        return Plan(replace(self, frozen=frozen), lambda: (row,), frozen.count, self.within.queue)

    def run(self, sources: Sources) -> Outcome:
        """Change each message."""
        if self.within is not None:
            return self.run_on_all(sources, self.frozen or sources.broker.freeze(self.within))
        self.check(sources)
        # What is to run in front is pushed there last to first, so that the marked order is kept.
        run_ids = tuple(reversed(self.run_ids)) if self.edit.front else self.run_ids
        return undoably(
            sources, f"{self.verb} {self.what}", run_ids, lambda target, undo: self._change(sources, target, undo)
        )

    def resolved(self, sources: Sources) -> list[tuple[str, Target | None]]:
        """Find what each id means; None for one that nobody knows."""
        return resolve_all(sources, self.run_ids)

    def run_on_all(self, sources: Sources, frozen: Frozen) -> Outcome:
        """Change everything that was frozen."""
        token = sources.broker.undoable("messages", f"{self.verb} {replace(self, frozen=frozen).what}")
        # Many runs are ended by workers or guardian, which have time for it
        edit = replace(self.edit, told=False) if isinstance(self.edit, Delete) else self.edit
        progress = sources.broker.apply_all(frozen, edit, undo=token)
        undo = kept(sources, token, bool(progress.changed))
        return Outcome((summary(frozen, progress, self.edit.past),), undo)

    def check(self, sources: Sources) -> None:
        """Refuse what can't be done to any message, before the first is touched."""

    def would(self, message: Message) -> str:
        """Say what becomes of a message."""
        return self.edit.of(message).done

    def absent(self, sources: Sources, target: Target) -> TargetOutcome:
        """Say why there is no message to change."""
        return not_waiting(sources, target)

    def _change(self, sources: Sources, target: Target, undo: str) -> TargetOutcome:
        message = located(sources, target)
        if message is None:
            return self.absent(sources, target)
        return sources.broker.apply(message, self.edit, undo=undo)

    def _prospects(self, sources: Sources, targets: list[tuple[str, Target | None]]) -> tuple[TargetOutcome, ...]:
        return each(sources, self.run_ids, lambda found: self._would(sources, found), targets).targets

    def _would(self, sources: Sources, target: Target) -> TargetOutcome:
        message = located(sources, target)
        if message is None:
            return self.absent(sources, target)
        place = "before its time" if message.is_delayed else f"place {message.position:,}"
        try:
            return TargetOutcome(target.id, True, f"{message.queue}, {place} → {self.would(message)}")
        except NothingToDo as nothing:
            return TargetOutcome(target.id, nothing.is_done, str(nothing))
        except Invalid as wrong:
            return TargetOutcome(target.id, False, str(wrong))


def summary(frozen: Frozen, progress: Progress, past: str) -> TargetOutcome:
    """Say what became of many messages: ``moved 97, 3 had started``."""
    told = f"{past} {progress.changed:,}" if progress.wanted else "nothing that waits matches"
    if progress.problem:
        rest = progress.wanted - progress.changed
        told += f" of {progress.wanted:,}, then stopped: {progress.problem}; the same command does the other {rest:,}"
    else:
        told += f", {progress.gone:,} had started" if progress.gone else ""
        told += "".join(f", {count:,} {reason}" for reason, count in progress.kept.items())
    counts = {"matching": progress.wanted, "changed": progress.changed, "kept": sum(progress.kept.values())}
    counts["left" if progress.problem else "started"] = progress.gone
    return TargetOutcome(frozen.selection.queue, not progress.problem, told, counts=tuple(counts.items()))


@dataclass(frozen=True)
class DeleteMessages(MessageAction):
    """Delete waiting messages: their runs never happen, and nothing is said to who waits for a result."""

    key: ClassVar[str] = "D"
    label: ClassVar[str] = "Delete"
    verb: ClassVar[str] = "delete"

    @property
    def question(self) -> str:
        """Name the runs."""
        return f"Delete the messages of {self.what}? They never run; for a day this can be undone."

    @property
    def edit(self) -> Edit:
        """Take it out."""
        return Delete()


@dataclass(frozen=True)
class MoveMessages(MessageAction):
    """Move waiting messages to another queue, behind what waits there at their priority.

    Attributes:
        queue: Where they go.
        front: Whether they run next of their priority there, not last.
    """

    key: ClassVar[str] = "M"
    label: ClassVar[str] = "Move"
    verb: ClassVar[str] = "move"

    queue: str
    front: bool = False

    @property
    def question(self) -> str:
        """Name the runs and the queue."""
        place = "in front of" if self.front else "behind"
        return f"Move {self.what} to {self.queue}, {place} what waits there?"

    @property
    def words(self) -> tuple[str, ...]:
        """The queue, and whether in front."""
        return (self.queue, *(("--front",) if self.front else ()))

    @property
    def edit(self) -> Edit:
        """Move it."""
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
    """Change the priority of waiting runs: 0 is first, 9 is last.

    Attributes:
        priority: The new priority.
        front: Whether they run next of their priority, not last.
    """

    key: ClassVar[str] = "B"
    label: ClassVar[str] = "Priority"
    verb: ClassVar[str] = "priority"

    priority: int
    front: bool = False

    @property
    def question(self) -> str:
        """Name the runs and where they go."""
        place = "in front of" if self.front else "behind"
        return f"Move {self.what} to priority {self.priority}, {place} what waits there?"

    @property
    def words(self) -> tuple[str, ...]:
        """The priority, and whether in front."""
        return (str(self.priority), *(("--front",) if self.front else ()))

    @property
    def edit(self) -> Edit:
        """Give it the priority."""
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
    verb: ClassVar[str] = "delay"

    due_at: datetime | None

    @property
    def question(self) -> str:
        """Name the runs and the time."""
        when = "as soon as a worker is free" if self.due_at is None else f"at {self.due_at.isoformat()}"
        return f"Let {self.what} run {when}?"

    @property
    def words(self) -> tuple[str, ...]:
        """The time."""
        return ("--now",) if self.due_at is None else ("--at", self.due_at.isoformat())

    @property
    def edit(self) -> Edit:
        """Give it the time."""
        return Retime(self.due_at)

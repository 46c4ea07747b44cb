"""Base class of actions on waiting messages: by id, or on all that match in a queue."""

from __future__ import annotations

import shlex
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from celery_nexus.actions.base import Action, Plan
from celery_nexus.actions.declaration import Argument, Option, Section
from celery_nexus.changes.targets import (
    Target,
    change_each,
    change_undoably,
    find_waiting_message,
    keep_token,
    name_runs,
    report_not_waiting,
    resolve_all,
)
from celery_nexus.errors import Invalid
from celery_nexus.rows.outcomes import MANY, Outcome, TargetOutcome
from celery_nexus.rows.selection import Frozen, Selection
from celery_nexus.rows.text import command_line
from celery_nexus.sources import Sources

if TYPE_CHECKING:
    from celery_nexus.broker.bulk.bulk_edit import Progress
    from celery_nexus.broker.edit.edits import Edit
    from celery_nexus.rows.broker import Message


@dataclass(frozen=True)
class MessageAction(Action):
    """A change of waiting messages.

    Attributes:
        run_ids: Full ids or unique beginnings; empty with ``within``.
        within: Everything that matches in a queue, instead of ids.
        frozen: What ``within`` meant when it was asked; None before :meth:`plan`.
    """

    section: ClassVar[Section] = Section.MESSAGES
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        Argument("run_ids", "[ID]…", "A run's id, or its unique beginning.", is_required=False, is_many=True),
        Option("--from", "source", "Everything that waits in QUEUE, not ids.", "QUEUE"),
        Option("--filter", "filter_text", "With --from: only what matches.", "TEXT", default=""),
    )

    run_ids: tuple[str, ...]
    within: Selection | None = field(default=None, kw_only=True)
    frozen: Frozen | None = field(default=None, kw_only=True, compare=False, repr=False)

    @property
    @abstractmethod
    def edit(self) -> Edit:
        """What happens to each message."""

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Action:
        """Take ids, or all that waits in a queue."""
        others = {name: value for name, value in given.items() if name not in ("source", "filter_text")}
        within = _selection(given["run_ids"], given["source"], given["filter_text"])
        return cls(**others, within=within)

    def value_of(self, parameter: str) -> Any:
        """Return what the command says for a parameter."""
        if parameter == "source":
            return self.within and self.within.queue
        if parameter == "filter_text":
            return self.within and self.within.filter_text
        return super().value_of(parameter)

    @property
    def what(self) -> str:
        """Name the targets."""
        if self.within is None:
            return name_runs(self.run_ids)
        if self.frozen is None:
            return f"everything that waits in {self.within.words}"
        return f"{self.frozen.count:,} messages of {self.within.words}"

    @property
    def recorded(self) -> str:
        """The command, with the first ids only when there are many."""
        if len(self.run_ids) <= MANY:
            return self.command
        shown = command_line(self.command_name, *self.run_ids[:MANY])
        return f"{shown} … {shlex.join(self.words[len(self.run_ids) :])} ({len(self.run_ids):,} ids)"

    def plan(self, sources: Sources) -> Plan:
        """Freeze what is meant, and say what would become of it."""
        if self.within is None:
            targets = self.resolve_targets(sources)
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
        return change_undoably(
            sources,
            f"{self.command_name} {self.what}",
            run_ids,
            lambda target, undo: self._change(sources, target, undo),
        )

    def resolve_targets(self, sources: Sources) -> list[tuple[str, Target | None]]:
        """Find what each id means; None for one that nobody knows."""
        return resolve_all(sources, self.run_ids)

    def run_on_all(self, sources: Sources, frozen: Frozen) -> Outcome:
        """Change everything that was frozen."""
        from celery_nexus.broker.edit.edits import Delete

        token = sources.broker.announce_undo("messages", f"{self.command_name} {replace(self, frozen=frozen).what}")
        # Many runs are ended by workers or guardian, which have time for it
        edit = replace(self.edit, told=False) if isinstance(self.edit, Delete) else self.edit
        progress = sources.broker.apply_all(frozen, edit, undo=token, steps=sources.steps)
        undo = keep_token(sources, token, bool(progress.changed))
        return Outcome((summary(frozen, progress, self.edit.past),), undo)

    def check(self, sources: Sources) -> None:
        """Refuse what can't be done to any message, before the first is touched."""

    def describe_change(self, message: Message) -> str:
        """Say what becomes of a message."""
        return self.edit.plan_change(message).done

    def explain_absence(self, sources: Sources, target: Target) -> TargetOutcome:
        """Say why there is no message to change."""
        return report_not_waiting(sources, target)

    def _change(self, sources: Sources, target: Target, undo: str) -> TargetOutcome:
        message = find_waiting_message(sources, target)
        if message is None:
            return self.explain_absence(sources, target)
        return sources.broker.apply(message, self.edit, undo=undo)

    def _prospects(self, sources: Sources, targets: list[tuple[str, Target | None]]) -> tuple[TargetOutcome, ...]:
        return change_each(sources, self.run_ids, lambda found: self._would(sources, found), targets).targets

    def _would(self, sources: Sources, target: Target) -> TargetOutcome:
        from celery_nexus.broker.edit.edits import NothingToDo

        message = find_waiting_message(sources, target)
        if message is None:
            return self.explain_absence(sources, target)
        place = "before its time" if message.is_delayed else f"place {message.position:,}"
        try:
            return TargetOutcome(target.id, True, f"{message.queue}, {place} → {self.describe_change(message)}")
        except NothingToDo as nothing:
            return TargetOutcome(target.id, nothing.is_done, str(nothing))
        except Invalid as wrong:
            return TargetOutcome(target.id, False, str(wrong))


def _selection(run_ids: tuple[str, ...], source: str | None, filter_text: str) -> Selection | None:
    """Read ``--from`` and ``--filter``; None for ids.

    Raises:
        Invalid: Both are given, or neither.
    """
    if source is None:
        if filter_text:
            raise Invalid("--filter goes with --from QUEUE: it selects what waits there")
        if not run_ids:
            raise Invalid("give one or more ids, or --from QUEUE for what waits there")
        return None
    if run_ids:
        raise Invalid(f"give ids or --from QUEUE, not both ({run_ids[0]!r})")
    return Selection(source, filter_text)


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

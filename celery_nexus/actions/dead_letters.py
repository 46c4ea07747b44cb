"""Actions on dead letters: retry, drop."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from celery_nexus.actions.base import Action, Plan
from celery_nexus.actions.declaration import Argument, Key, Option, Section
from celery_nexus.changes.targets import keep_token
from celery_nexus.errors import Invalid, SourceError
from celery_nexus.rows.outcomes import MANY, Outcome, TargetOutcome
from celery_nexus.sources import Sources

if TYPE_CHECKING:
    from celery_nexus.broker.dead_letters import DeadLetterSource

_MOST_NAMED = 3


@dataclass(frozen=True)
class DeadLetterAction(Action):
    """A change of dead letters."""

    section: ClassVar[Section] = Section.LOOK
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        Argument("letter_ids", "[ID]…", "A dead letter's id, or its run's.", is_required=False, is_many=True),
        Option("--all", "every", "All that there are."),
        Option("--reason", "reasons", "All with this reason, e.g. malformed.", "TEXT", is_repeated=True),
    )
    can_be_undone: ClassVar[bool] = True

    letter_ids: tuple[str, ...]
    every: bool = False
    reasons: tuple[str, ...] = ()

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Action:
        """Take ids, reasons, or all."""
        if sum(map(bool, given.values())) != 1:
            raise Invalid("give ids, or --reason, or --all")
        return super().from_command(given)

    @property
    def verb(self) -> str:
        """What is done to them, in a word."""
        return self.command_name.split()[-1]

    @property
    def what(self) -> str:
        """Name the letters."""
        if self.letter_ids:
            return _named(self.letter_ids)
        return f"every dead letter with reason {', '.join(self.reasons)}" if self.reasons else "every dead letter"

    @property
    def recorded(self) -> str:
        """The command, with the first ids only when there are many."""
        return replace(self, letter_ids=self.letter_ids[:MANY]).command

    def plan(self, sources: Sources) -> Plan:
        """Find and count them."""
        found = self._frozen(sources)
        rows = tuple(TargetOutcome(letter_id, True, self.verb) for letter_id in found.letter_ids)
        return Plan(found, lambda: rows, len(rows))

    def run(self, sources: Sources) -> Outcome:
        """Change each."""
        found = self._frozen(sources)
        return _undoably(sources, f"{self.verb} {found.what}", found.letter_ids, self.step(sources.dead_letters))

    def _frozen(self, sources: Sources) -> Self:
        if self.letter_ids:
            return self
        found = sources.dead_letters.ids(self.reasons)
        if not found:
            raise Invalid("there is no such dead letter")
        return replace(self, letter_ids=found, every=False, reasons=())

    @staticmethod
    @abstractmethod
    def step(letters: DeadLetterSource) -> Callable[[str, str], TargetOutcome]:
        """Return what is done with one, given its id and the token of the change."""


@dataclass(frozen=True)
class RetryDeadLetters(DeadLetterAction):
    """Put dead letters back into their queues, their lost starts forgotten.

    One that is malformed only comes back.
    """

    label: ClassVar[str] = "Retry"
    command_name: ClassVar[str] = "dead-letters retry"
    key: ClassVar[Key | None] = Key("R", "retry_letter", "retry", in_footer=True)

    @property
    def question(self) -> str:
        """Name the letters."""
        return f"Put {self.what} back? Each runs again, last in its priority."

    @staticmethod
    def step(letters: DeadLetterSource) -> Callable[[str, str], TargetOutcome]:
        """Put one back."""
        return letters.retry


@dataclass(frozen=True)
class DropDeadLetters(DeadLetterAction):
    """Delete dead letters; for a day they can be brought back."""

    label: ClassVar[str] = "Drop"
    command_name: ClassVar[str] = "dead-letters drop"
    key: ClassVar[Key | None] = Key("D", "drop_letter", "drop", in_footer=True)

    @property
    def question(self) -> str:
        """Name the letters."""
        return f"Delete {self.what}? {self.undo_words.capitalize()}."

    @staticmethod
    def step(letters: DeadLetterSource) -> Callable[[str, str], TargetOutcome]:
        """Move one to the trash."""
        return letters.drop


def _undoably(
    sources: Sources, label: str, letter_ids: tuple[str, ...], change: Callable[[str, str], TargetOutcome]
) -> Outcome:
    """Change each letter in a way that can be taken back with one token.

    A broker that goes away in the middle does not hide what was done: the rest is reported as not done.
    """
    token = sources.broker.announce_undo("dead letters", label)
    steps, rows = sources.steps, list[TargetOutcome]()
    wanted = list(dict.fromkeys(letter_ids))
    steps.begin(len(wanted))
    for place, letter_id in enumerate(wanted):
        if steps.is_stopped:
            rows += [TargetOutcome(left, False, f"not done: {steps.why}") for left in wanted[place:]]
            break
        try:
            rows.append(change(letter_id, token))
            steps.add(rows[-1])
        except SourceError as error:
            if not any(row.done for row in rows):
                raise
            rows += [TargetOutcome(left, False, f"not done: {error}") for left in wanted[place:]]
            return Outcome(tuple(rows), token)
    return Outcome(tuple(rows), keep_token(sources, token, any(row.done for row in rows)))


def _named(letter_ids: tuple[str, ...]) -> str:
    count = "1 dead letter" if len(letter_ids) == 1 else f"{len(letter_ids):,} dead letters"
    more = f" and {len(letter_ids) - _MOST_NAMED:,} more" if len(letter_ids) > _MOST_NAMED else ""
    return f"{count} ({', '.join(letter_ids[:_MOST_NAMED])}{more})"

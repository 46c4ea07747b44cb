"""Actions on dead letters: retry, drop."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from celery_nexus.errors import SourceError
from celery_nexus.rows.outcomes import MANY, Outcome, TargetOutcome
from celery_nexus.rows.text import command_line
from celery_nexus.sources import Sources
from nexus_tui.actions.base import Action, Plan
from nexus_tui.actions.targets import kept

if TYPE_CHECKING:
    from celery_nexus.broker.dead_letters import DeadLetterSource

_MOST_NAMED = 3


@dataclass(frozen=True)
class DeadLetterAction(Action):
    """A change of dead letters.

    Attributes:
        letter_ids: Their ids, or their runs'.
    """

    verb: ClassVar[str]

    letter_ids: tuple[str, ...]

    @property
    def command(self) -> str:
        """The command line that does the same."""
        return command_line("dead-letters", self.verb, *self.letter_ids)

    @property
    def recorded(self) -> str:
        """The command, with the first ids only when there are many."""
        return replace(self, letter_ids=self.letter_ids[:MANY]).command

    def plan(self, sources: Sources) -> Plan:
        """Count them."""
        rows = tuple(TargetOutcome(letter_id, True, self.verb) for letter_id in self.letter_ids)
        return Plan(self, lambda: rows, len(rows))

    def run(self, sources: Sources) -> Outcome:
        """Change each."""
        label = f"{self.verb} {_named(self.letter_ids)}"
        return _undoably(sources, label, self.letter_ids, self.step(_letters(sources)))

    @staticmethod
    @abstractmethod
    def step(letters: DeadLetterSource) -> Callable[[str, str], TargetOutcome]:
        """Return what is done with one, given its id and the token of the change."""


@dataclass(frozen=True)
class RetryDeadLetters(DeadLetterAction):
    """Put dead letters back into their queues, their lost starts forgotten."""

    label: ClassVar[str] = "Retry"
    verb: ClassVar[str] = "retry"

    @property
    def question(self) -> str:
        """Name the letters."""
        return f"Put {_named(self.letter_ids)} back? Each runs again, last in its priority."

    @staticmethod
    def step(letters: DeadLetterSource) -> Callable[[str, str], TargetOutcome]:
        """Put one back."""
        return letters.retry


@dataclass(frozen=True)
class DropDeadLetters(DeadLetterAction):
    """Delete dead letters; for a day they can be brought back."""

    label: ClassVar[str] = "Drop"
    verb: ClassVar[str] = "drop"

    @property
    def question(self) -> str:
        """Name the letters."""
        return f"Delete {_named(self.letter_ids)}? For a day this can be undone."

    @staticmethod
    def step(letters: DeadLetterSource) -> Callable[[str, str], TargetOutcome]:
        """Move one to the trash."""
        return letters.drop


def _letters(sources: Sources) -> DeadLetterSource:
    from celery_nexus.broker.dead_letters import DeadLetterSource

    return DeadLetterSource(sources.broker)


def _undoably(
    sources: Sources, label: str, letter_ids: tuple[str, ...], change: Callable[[str, str], TargetOutcome]
) -> Outcome:
    """Change each letter in a way that can be taken back with one token.

    A broker that goes away in the middle does not hide what was done: the rest is reported as not done.
    """
    token = sources.broker.undoable("dead letters", label)
    rows: list[TargetOutcome] = []
    wanted = list(dict.fromkeys(letter_ids))
    for place, letter_id in enumerate(wanted):
        try:
            rows.append(change(letter_id, token))
        except SourceError as error:
            if not any(row.done for row in rows):
                raise
            rows += [TargetOutcome(left, False, f"not done: {error}") for left in wanted[place:]]
            return Outcome(tuple(rows), token)
    return Outcome(tuple(rows), kept(sources, token, any(row.done for row in rows)))


def _named(letter_ids: tuple[str, ...]) -> str:
    count = "1 dead letter" if len(letter_ids) == 1 else f"{len(letter_ids):,} dead letters"
    more = f" and {len(letter_ids) - _MOST_NAMED:,} more" if len(letter_ids) > _MOST_NAMED else ""
    return f"{count} ({', '.join(letter_ids[:_MOST_NAMED])}{more})"

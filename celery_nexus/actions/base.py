"""Base class of actions.

A subclass is a frozen dataclass: its fields are its targets and choices, its class variables declare it. Keys, footer,
palette, ``?``, read-only mode, the click command with its help and ``docs/commands.md`` follow from that.
The first line of its docstring is its help; all of it, up to ``Attributes:``, is the help of its command.
"""

from __future__ import annotations

import inspect
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, cast

from celery_nexus.actions.declaration import Argument, Key, Option, Section
from celery_nexus.errors import Refused, SourceError
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.text import command_line
from celery_nexus.sources import Sources

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action would do, its targets found and counted.

    Attributes:
        action: The same on exactly these targets: what appears later is left alone.
        rows: Says what would become of each target, or of all together; may take its time.
        count: Number of targets.
        queue: Queue whose typed name confirms many targets; empty when they are in several.
        is_named: Whether the command says by itself that it means all of the queue.
    """

    action: Action
    rows: Callable[[], tuple[TargetOutcome, ...]]
    count: int = 1
    queue: str = ""
    is_named: bool = False


class Action(ABC):
    """A change to the world: asks first, does one atomic step per target, says what really happened.

    Attributes:
        label: Words of dialogs, palette and audit log: ``Revoke``.
        command_name: Its command: ``revoke``, ``dead-letters retry``.
        section: Where the help of the command line lists it.
        parameters: Arguments and options of its command; each fills the field of its name.
        key: The key that offers it in the dashboard, if one does.
        choice_key: Its key among all that its key offers; empty when that depends on the targets.
        can_be_undone: Whether ``nexus-tui undo`` takes it back.
        is_recorded: Whether it is written to the audit log; not when it removes the log itself.
    """

    label: ClassVar[str]
    command_name: ClassVar[str]
    section: ClassVar[Section]
    parameters: ClassVar[tuple[Argument | Option, ...]] = ()
    key: ClassVar[Key | None] = None
    choice_key: ClassVar[str] = ""
    can_be_undone: ClassVar[bool] = False
    is_recorded: ClassVar[bool] = True

    @classmethod
    def name(cls) -> str:
        """Return what a context may allow it by: its command, or the group that has it."""
        return cls.command_name.split()[0]

    @classmethod
    def help(cls) -> str:
        """Return the first line of the docstring."""
        return cls.help_text().partition("\n")[0]

    @classmethod
    def help_text(cls) -> str:
        """Return the docstring up to its attributes."""
        return (inspect.getdoc(cls) or "").partition("\nAttributes:")[0].strip()

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Action:
        """Make the action that a command line means.

        Args:
            given: A value for each of the :attr:`parameters`, by name.

        Raises:
            Invalid: They contradict each other, or one can't be read.
        """
        return cls(**given)

    @property
    def command(self) -> str:
        """The exact ``nexus-tui …`` line that does the same, quoted for a shell."""
        return command_line(*self.command_name.split(), *self.words)

    @property
    def words(self) -> list[str]:
        """The words of the command behind its name."""
        return [word for parameter in self.parameters for word in _written(parameter, self.value_of(parameter.name))]

    def value_of(self, parameter: str) -> Any:
        """Return what the command says for a parameter: the field of its name."""
        return getattr(self, parameter)

    @property
    def recorded(self) -> str:
        """The command as the audit log keeps it."""
        return self.command

    @property
    @abstractmethod
    def question(self) -> str:
        """Name count, targets and consequence, for the confirmation."""

    @property
    def undo_words(self) -> str:
        """Say whether it can be taken back, for the question."""
        return "for a day this can be undone" if self.can_be_undone else "this can't be undone"

    def plan(self, sources: Sources) -> Plan:
        """Find and count the targets, and say what would become of them; changes nothing. Blocks.

        Raises:
            SourceError: A source can't be reached, or a target is ambiguous.
        """
        del sources
        return Plan(self, lambda: (TargetOutcome(self.label, True, self.question),))

    @abstractmethod
    def run(self, sources: Sources) -> Outcome:
        """Do it. Blocks: call it in a thread.

        Raises:
            SourceError: The broker, a worker or Supervisor can't be reached.
        """


def is_allowed(action: Action, sources: Sources) -> bool:
    """Tell whether an action is among those that may change something here."""
    return sources.allowed is None or action.name() in sources.allowed


def perform(action: Action, sources: Sources) -> Outcome:
    """Run an action and write it to the audit log; what may not be changed is refused here and nowhere else.

    Raises:
        Refused: Read-only mode is on, or this action is not among the allowed ones.
        SourceError: What the action raises.
    """
    if sources.read_only:
        raise Refused(f"read-only: nothing is changed; {sources.how_to_write}")
    if not is_allowed(action, sources):
        allowed = ", ".join(sorted(sources.allowed or ())) or "nothing"
        raise Refused(f"{action.name()} is not allowed here: nothing is changed; allowed are {allowed}")
    outcome = action.run(sources)
    if not action.is_recorded:
        return outcome
    try:
        sources.broker.audit.record(action.label, action.recorded, outcome, via=sources.via)
    except SourceError as error:  # what was done is done: who asked for it must learn that
        logger.warning("not in the audit log: %s: %s", action.label, error)
    return outcome


def _written(parameter: Argument | Option, value: Any) -> Iterator[str]:
    """Write a parameter as words of a command; none for what the command means without it."""
    if value is None or value is False or value == parameter.default:
        return
    values = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value,)
    for each in values:
        if isinstance(parameter, Option):
            yield parameter.flag
            if not parameter.metavar:
                continue
        yield _spelled(each)


def _spelled(value: Any) -> str:
    """Spell a value as a command takes it; of objects the secrets are masked: commands are shown, copied and kept."""
    if isinstance(value, dict | list):
        from celery_nexus.privacy.masking import mask

        return json.dumps(mask(value), ensure_ascii=False)
    if isinstance(value, datetime):
        return value.isoformat()
    return f"{value:g}" if isinstance(value, float) else str(value)

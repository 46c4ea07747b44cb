"""The shape of every action.

A subclass is a frozen dataclass whose fields are its targets and choices. Its docstring's first line is the
help shown in the dashboard, the palette and the command line.
"""

from __future__ import annotations

import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from celery_nexus.errors import Refused, SourceError
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.sources import Sources
from nexus_tui.actions.names import name_of

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
        key: Key of the dashboard (upper case: it changes the world); empty when it has none.
        label: Words of footer, palette and button: ``Revoke``.
    """

    key: ClassVar[str] = ""
    label: ClassVar[str]

    @classmethod
    def help(cls) -> str:
        """Return the first line of the docstring."""
        return (inspect.getdoc(cls) or "").partition("\n")[0]

    @property
    @abstractmethod
    def question(self) -> str:
        """Name count, targets and consequence, for the confirmation."""

    @property
    @abstractmethod
    def command(self) -> str:
        """The exact ``nexus-tui …`` line that does the same, quoted for a shell."""

    is_recorded: ClassVar[bool] = True
    """Whether it is written to the audit log; not when it removes the log itself."""

    @property
    def recorded(self) -> str:
        """The command as the audit log keeps it."""
        return self.command

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
    return sources.allowed is None or name_of(action.recorded) in sources.allowed


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
        raise Refused(f"{name_of(action.recorded)} is not allowed here: nothing is changed; allowed are {allowed}")
    outcome = action.run(sources)
    if not action.is_recorded:
        return outcome
    try:
        sources.broker.audit.record(action.label, action.recorded, outcome)
    except SourceError as error:  # what was done is done: who asked for it must learn that
        logger.warning("not in the audit log: %s: %s", action.label, error)
    return outcome

"""Actions on Supervisor's programs: start, stop, restart."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from celery_nexus.actions.base import Action
from celery_nexus.actions.declaration import PROGRAM_KEY, Argument, Key, Option, Section
from celery_nexus.errors import NotFound
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.sources import Sources

if TYPE_CHECKING:
    from celery_nexus.stack.programs import SupervisorSource


@dataclass(frozen=True)
class _ProgramAction(Action):
    section: ClassVar[Section] = Section.STACK
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        Argument("names", "PROGRAM…", "A program: workers:ai, ai, or workers for all of the group.", is_many=True),
    )
    key: ClassVar[Key | None] = PROGRAM_KEY
    consequence: ClassVar[str]

    names: tuple[str, ...]

    @property
    def question(self) -> str:
        """Name the programs and what happens to what they hold."""
        count = "" if len(self.names) == 1 else f"{len(self.names)} programs: "
        return f"{self.label} {count}{', '.join(self.names)}? {self.consequence}"

    def run(self, sources: Sources) -> Outcome:
        """Ask Supervisor, program by program, and wait for its answer."""
        outcomes: list[TargetOutcome] = []
        for name in self.names:
            try:
                programs = sources.supervisor.resolve(name)
            except NotFound as missing:
                outcomes.append(TargetOutcome(name, done=False, message=str(missing), is_missing=True))
                continue
            outcomes += [
                TargetOutcome(program, done=True, message=self.ask(sources.supervisor, program)) for program in programs
            ]
        return Outcome(tuple(outcomes))

    @staticmethod
    @abstractmethod
    def ask(supervisor: SupervisorSource, program: str) -> str:
        """Ask Supervisor for it; return its answer."""


@dataclass(frozen=True)
class StartProgram(_ProgramAction):
    """Start a stopped program."""

    label: ClassVar[str] = "Start"
    command_name: ClassVar[str] = "start"
    choice_key: ClassVar[str] = "s"
    consequence: ClassVar[str] = "It begins to take work from its queue."

    @staticmethod
    def ask(supervisor: SupervisorSource, program: str) -> str:
        """Start it."""
        return supervisor.start(program)


@dataclass(frozen=True)
class StopProgram(_ProgramAction):
    """Stop a program; short runs finish, a long one goes back to its queue."""

    label: ClassVar[str] = "Stop"
    command_name: ClassVar[str] = "stop"
    choice_key: ClassVar[str] = "x"
    consequence: ClassVar[str] = (
        "Short runs finish, a long one goes back to its queue; nothing is taken until it is started again."
    )

    @staticmethod
    def ask(supervisor: SupervisorSource, program: str) -> str:
        """Stop it."""
        return supervisor.stop(program)


@dataclass(frozen=True)
class RestartProgram(_ProgramAction):
    """Stop a program and start it again; short runs finish, a long one goes back to its queue."""

    label: ClassVar[str] = "Restart"
    command_name: ClassVar[str] = "restart"
    choice_key: ClassVar[str] = "r"
    consequence: ClassVar[str] = "Short runs finish, a long one goes back to its queue."

    @staticmethod
    def ask(supervisor: SupervisorSource, program: str) -> str:
        """Restart it."""
        return supervisor.restart(program)

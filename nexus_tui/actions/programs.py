"""Actions on Supervisor's programs: start, stop, restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from celery_nexus.errors import NotFound
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.text import command_line
from celery_nexus.sources import Sources
from celery_nexus.stack.programs import SupervisorSource
from nexus_tui.actions.base import Action

Deed = Callable[[SupervisorSource, str], str]


@dataclass(frozen=True)
class _ProgramAction(Action):
    names: tuple[str, ...]

    verb: ClassVar[str]
    consequence: ClassVar[str]
    deed: ClassVar[Deed]

    @property
    def question(self) -> str:
        """Name the programs and what happens to what they hold."""
        count = "" if len(self.names) == 1 else f"{len(self.names)} programs: "
        return f"{self.label} {count}{', '.join(self.names)}? {self.consequence}"

    @property
    def command(self) -> str:
        """The same as a command line."""
        return command_line(self.verb, *self.names)

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
                TargetOutcome(program, done=True, message=type(self).deed(sources.supervisor, program))
                for program in programs
            ]
        return Outcome(tuple(outcomes))


@dataclass(frozen=True)
class StartProgram(_ProgramAction):
    """Start a stopped program."""

    key = "S"
    label = "Start"
    verb = "start"
    consequence = "It begins to take work from its queue."
    deed = SupervisorSource.start


@dataclass(frozen=True)
class StopProgram(_ProgramAction):
    """Stop a program; short runs finish, a long one goes back to its queue."""

    key = "S"
    label = "Stop"
    verb = "stop"
    consequence = "Short runs finish, a long one goes back to its queue; nothing is taken until it is started again."
    deed = SupervisorSource.stop


@dataclass(frozen=True)
class RestartProgram(_ProgramAction):
    """Stop a program and start it again; short runs finish, a long one goes back to its queue."""

    key = "S"
    label = "Restart"
    verb = "restart"
    consequence = "Short runs finish, a long one goes back to its queue."
    deed = SupervisorSource.restart

"""Orders to workers that limit runs of a task: how often they start, how long they take."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from celery_nexus.actions.base import Action
from celery_nexus.actions.declaration import PROGRAM_KEY, REMEMBER, Argument, Key, Option
from celery_nexus.actions.workers.orders import Order, WorkerOrder
from celery_nexus.errors import Invalid
from celery_nexus.rows.workers import Worker
from celery_nexus.sources import Sources

_TASK = Argument("task", "TASK", "A task's full name, or the unique end of it.")
_SOME = Option("--worker", "workers", "Only this one; may be repeated.", "NAME", is_repeated=True)
_RATE = re.compile(r"\d+(\.\d+)?(/[smh])?")


@dataclass(frozen=True)
class TaskLimit(WorkerOrder):
    """A limit of one task's runs, on some workers or on all."""

    key: ClassVar[Key | None] = PROGRAM_KEY

    task: str

    def settle(self, sources: Sources, workers: Sequence[Worker]) -> Self:
        """Find the task among those that the workers know."""
        from celery_nexus.rows.task_names import resolve_task

        told = sources.control.list_registered_tasks([worker.name for worker in workers])
        known = {name for tasks in told.values() for name in tasks}
        return replace(self, task=resolve_task(self.task, known)) if known else self


@dataclass(frozen=True)
class RateLimit(TaskLimit):
    """Limit how often workers start runs of a task.

    Each worker keeps to it for itself: with two workers twice as many runs start.

    Attributes:
        rate: Empty for no limit.
    """

    label: ClassVar[str] = "Rate limit"
    command_name: ClassVar[str] = "rate-limit"
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        _TASK,
        Argument("rate", "RATE", "Starts at most on each worker: 10/m, 2/s, 100/h, or none."),
        _SOME,
        REMEMBER,
    )
    choice_key: ClassVar[str] = "l"

    rate: str

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Action:
        """Take ``none`` for no limit."""
        return super().from_command({**given, "rate": "" if given["rate"] == "none" else given["rate"]})

    def value_of(self, parameter: str) -> Any:
        """Return what the command says for a parameter."""
        return self.rate or "none" if parameter == "rate" else super().value_of(parameter)

    @property
    def consequence(self) -> str:
        """Say the limit."""
        return (
            f"{self.task} starts at most {self.rate} on each worker."
            if self.rate
            else f"{self.task} has no rate limit."
        )

    def check(self) -> None:
        """Refuse what Celery can't read."""
        if self.rate and not _RATE.fullmatch(self.rate):
            raise Invalid(f"{self.rate!r} is no rate: write it like 10/m, 2/s or 100/h, or none")

    def order(self) -> Order:
        """Set it."""
        return "rate_limit", {"task_name": self.task, "rate_limit": self.rate or None}

    def memory(self, worker: Worker) -> tuple[str, Mapping[str, Any]]:
        """Keep it, for all workers."""
        return f"rate {self.task}", {"rate": self.rate}


@dataclass(frozen=True)
class TimeLimit(TaskLimit):
    """Limit how long runs of a task may take; runs that have started keep their limit.

    Attributes:
        hard_s: None for no limit.
        soft_s: None for no limit.
    """

    label: ClassVar[str] = "Time limit"
    command_name: ClassVar[str] = "time-limit"
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        _TASK,
        Option("--hard", "hard_s", "Kill its child after so many seconds; never when left out.", "S", type=float),
        Option("--soft", "soft_s", "Tell it to end after so many seconds; never when left out.", "S", type=float),
        _SOME,
        REMEMBER,
    )
    choice_key: ClassVar[str] = "t"

    hard_s: float | None
    soft_s: float | None

    @property
    def consequence(self) -> str:
        """Say the limits."""
        hard = "never killed" if self.hard_s is None else f"killed after {self.hard_s:g} s"
        soft = "never told to end" if self.soft_s is None else f"told to end after {self.soft_s:g} s"
        return f"{self.task} is {soft}, {hard}."

    def check(self) -> None:
        """Refuse what ends everything at once."""
        for value in (self.hard_s, self.soft_s):
            if value is not None and value <= 0:
                raise Invalid(f"{value:g}: a time limit is a number of seconds above 0")
        if self.hard_s is not None and self.soft_s is not None and self.soft_s > self.hard_s:
            raise Invalid("the soft limit must come before the hard one")

    def order(self) -> Order:
        """Set both."""
        return "time_limit", {"task_name": self.task, "hard": self.hard_s, "soft": self.soft_s}

    def memory(self, worker: Worker) -> tuple[str, Mapping[str, Any]]:
        """Keep them, for all workers."""
        return f"time {self.task}", {"hard": self.hard_s, "soft": self.soft_s}

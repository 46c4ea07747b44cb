"""Orders to workers that limit runs of a task: how often they start, how long they take."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from celery_nexus.catalog.task_names import resolve_task
from celery_nexus.control.mailbox import Command
from celery_nexus.errors import Invalid
from celery_nexus.rows.text import command_line
from celery_nexus.rows.workers import Worker
from celery_nexus.sources import Sources
from nexus_tui.actions.orders import WorkerOrder

_RATE = re.compile(r"\d+(\.\d+)?(/[smh])?")


@dataclass(frozen=True)
class TaskLimit(WorkerOrder):
    """A limit of one task's runs, on some workers or on all.

    Attributes:
        task: Its full name, or the unique end of it.
    """

    task: str

    def settle(self, sources: Sources, workers: Sequence[Worker]) -> Self:
        """Find the task among those that the workers know."""
        told = sources.control.registered([worker.name for worker in workers])
        known = {name for tasks in told.values() for name in tasks}
        return replace(self, task=resolve_task(self.task, known)) if known else self

    @property
    def command(self) -> str:
        """The command line that does the same."""
        chosen = [word for name in self.workers for word in ("--worker", name)]
        remember = ["--remember"] if self.remember else []
        return command_line(self.verb, self.task, *self.words, *chosen, *remember)


@dataclass(frozen=True)
class RateLimit(TaskLimit):
    """Limit how often workers start runs of a task.

    Attributes:
        rate: ``10/m``, ``2/s``, ``100/h``; empty for no limit.
    """

    label: ClassVar[str] = "Rate limit"
    verb: ClassVar[str] = "rate-limit"

    rate: str

    @property
    def consequence(self) -> str:
        """Say the limit."""
        return (
            f"{self.task} starts at most {self.rate} on each worker."
            if self.rate
            else f"{self.task} has no rate limit."
        )

    @property
    def words(self) -> tuple[str, ...]:
        """The rate."""
        return (self.rate or "none",)

    def check(self) -> None:
        """Refuse what Celery can't read."""
        if self.rate and not _RATE.fullmatch(self.rate):
            raise Invalid(f"{self.rate!r} is no rate: write it like 10/m, 2/s or 100/h, or none")

    def order(self) -> Command:
        """Set it."""
        return Command("rate_limit", {"task_name": self.task, "rate_limit": self.rate or None})

    def memory(self, worker: Worker) -> tuple[str, Mapping[str, Any]]:
        """Keep it, for all workers."""
        return f"rate {self.task}", {"rate": self.rate}


@dataclass(frozen=True)
class TimeLimit(TaskLimit):
    """Limit how long runs of a task may take; runs that have started keep their limit.

    Attributes:
        hard_s: Its child is killed after so many seconds; None for no limit.
        soft_s: It is told to end after so many seconds; None for no limit.
    """

    label: ClassVar[str] = "Time limit"
    verb: ClassVar[str] = "time-limit"

    hard_s: float | None
    soft_s: float | None

    @property
    def consequence(self) -> str:
        """Say the limits."""
        hard = "never killed" if self.hard_s is None else f"killed after {self.hard_s:g} s"
        soft = "never told to end" if self.soft_s is None else f"told to end after {self.soft_s:g} s"
        return f"{self.task} is {soft}, {hard}."

    @property
    def words(self) -> tuple[str, ...]:
        """The limits."""
        hard = ("--hard", f"{self.hard_s:g}") if self.hard_s else ()
        return (*hard, *(("--soft", f"{self.soft_s:g}") if self.soft_s else ()))

    def check(self) -> None:
        """Refuse what ends everything at once."""
        for value in (self.hard_s, self.soft_s):
            if value is not None and value <= 0:
                raise Invalid(f"{value:g}: a time limit is a number of seconds above 0")
        if self.hard_s is not None and self.soft_s is not None and self.soft_s > self.hard_s:
            raise Invalid("the soft limit must come before the hard one")

    def order(self) -> Command:
        """Set both."""
        return Command("time_limit", {"task_name": self.task, "hard": self.hard_s, "soft": self.soft_s})

    def memory(self, worker: Worker) -> tuple[str, Mapping[str, Any]]:
        """Keep them, for all workers."""
        return f"time {self.task}", {"hard": self.hard_s, "soft": self.soft_s}

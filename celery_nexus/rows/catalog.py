"""Rows of the catalog: task types, their parameters, and what was submitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TaskParameter:
    """One argument of a task type, as a form shows it.

    Attributes:
        name: The keyword.
        kind: ``text``, ``integer``, ``number``, ``boolean``, ``choice``, ``choices``, ``path`` or ``json``.
        type_label: The type in words: ``list of text``, ``resize | thumbnail``.
        required: Whether it has no default.
        default: The default value (None when required).
        choices: Allowed values of ``choice`` and ``choices``.
        help: Its line of the docstring.
        is_secret: Whether its name says that its value is secret.
        fields: Of an object, or of each object of a list: what it is made of.
    """

    name: str
    kind: str
    type_label: str
    required: bool
    default: Any = None
    choices: tuple[str, ...] = ()
    help: str = ""
    is_secret: bool = False
    fields: tuple[TaskParameter, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskType:
    """A task that can be submitted.

    Attributes:
        name: Its full name.
        queue: Where a run of it goes.
        summary: First line of its docstring.
        help: The whole docstring.
        parameters: What its signature asks for; empty and ``is_known=False`` for a foreign task.
        is_known: Whether its code is here, so that a form can be drawn and arguments are checked first.
        time_limit_s: Seconds after which a run is killed; None for never, or unknown.
        soft_time_limit_s: Seconds after which a run is told to end.
        rate_limit: How often each worker starts it, in Celery's spelling; None for no limit.
    """

    name: str
    queue: str
    summary: str = ""
    help: str = ""
    parameters: tuple[TaskParameter, ...] = ()
    is_known: bool = True
    time_limit_s: float | None = None
    soft_time_limit_s: float | None = None
    rate_limit: str | None = None

    @property
    def limits(self) -> str:
        """Say its limits in words; empty when it has none, or they are not known."""
        told = (
            f"each worker starts at most {self.rate_limit}" if self.rate_limit else "",
            f"told to end after {self.soft_time_limit_s:g} s" if self.soft_time_limit_s else "",
            f"killed after {self.time_limit_s:g} s" if self.time_limit_s else "",
        )
        return "; ".join(filter(None, told))


@dataclass(frozen=True, slots=True)
class Submitted:
    """A run that was published: its id, task, queue and priority, None in an application without priorities."""

    id: str
    task: str
    queue: str
    priority: int | None

    @property
    def place(self) -> str:
        """Say where it waits: ``email_queue at priority 5``."""
        return self.queue if self.priority is None else f"{self.queue} at priority {self.priority}"


@dataclass(frozen=True, slots=True)
class Sent:
    """One piece of work: its number, what it is in words, and the id of its run, group or chord."""

    number: int
    what: str
    id: str

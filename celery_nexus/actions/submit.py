"""Submission of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from celery_nexus.actions.base import Action
from celery_nexus.actions.declaration import Argument, Key, Option, Section
from celery_nexus.actions.typed import read_array, read_object, read_time
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.sources import Sources

if TYPE_CHECKING:
    from celery_nexus.rows.catalog import Submitted


@dataclass(frozen=True)
class Submit(Action):
    """Submit a task: check its arguments and put a message into its queue.

    Attributes:
        eta: Aware.
        heard: Called with the run that was published.
    """

    label: ClassVar[str] = "Submit"
    command_name: ClassVar[str] = "submit"
    section: ClassVar[Section] = Section.MESSAGES
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        Argument("task", "[TASK]", "The task's name, or the unique end of it.", is_required=False),
        Option("--kwargs", "kwargs", "Keyword arguments, a JSON object.", "JSON"),
        Option("--args", "args", "Positional arguments, a JSON array.", "JSON"),
        Option(
            "--priority",
            "priority",
            "0 first … 9 last; 5 when left out (another application: as its own clients).",
            "N",
            type=int,
        ),
        Option("--countdown", "countdown_s", "Not before so many seconds from now.", "S", type=float),
        Option("--eta", "eta", "Not before this time, ISO 8601 with zone.", "T"),
        Option("--queue", "queue", "Another queue than the task's own.", "Q"),
    )
    key: ClassVar[Key | None] = Key("n", "submit", "submit", in_footer=True)
    choice_key: ClassVar[str] = "s"

    task: str
    args: list[Any] = field(default_factory=list[Any])
    kwargs: dict[str, Any] = field(default_factory=dict[str, Any])
    priority: int | None = None
    countdown_s: float | None = None
    eta: datetime | None = None
    queue: str | None = None
    heard: Callable[[Submitted], object] | None = field(default=None, kw_only=True, compare=False, repr=False)

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Submit:
        """Read arguments and time."""
        eta: str | None = given["eta"]
        read: dict[str, Any] = {
            "kwargs": read_object(given["kwargs"] or "{}", "--kwargs"),
            "args": read_array(given["args"] or "[]", "--args"),
            "eta": None if eta is None else read_time(eta),
        }
        return cls(**{**given, **read})

    def value_of(self, parameter: str) -> Any:
        """Return what the command says for a parameter; nothing for arguments that there are not."""
        value = super().value_of(parameter)
        return value or None if parameter in ("args", "kwargs") else value

    @property
    def question(self) -> str:
        """Name the task and where it goes."""
        place = f" to {self.queue}" if self.queue else ""
        first = "" if self.priority is None else f" at priority {self.priority}"
        return f"Submit {self.task}{place}{first}?"

    @property
    def recorded(self) -> str:
        """The command with its arguments' names alone: their values may be private and are the history's to keep."""
        return replace(self, args=["…"] * len(self.args), kwargs=dict.fromkeys(self.kwargs, "…")).command

    def run(self, sources: Sources) -> Outcome:
        """Publish; the outcome's target is the new run's id."""
        run = sources.catalog.submit(
            self.task,
            self.args,
            self.kwargs,
            priority=self.priority,
            countdown_s=self.countdown_s,
            eta=self.eta,
            queue=self.queue,
        )
        if self.heard is not None:
            self.heard(run)
        return Outcome((TargetOutcome(run.id, done=True, message=f"queued in {run.place}"),))

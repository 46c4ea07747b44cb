"""Submitting a run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from celery_nexus.privacy.masking import mask
from celery_nexus.rows.catalog import Submitted
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.sources import Sources
from nexus_tui.actions.base import Action


@dataclass(frozen=True)
class Submit(Action):
    """Submit a task: check its arguments and put a message into its queue.

    Attributes:
        task: Full task name.
        args: Positional arguments.
        kwargs: Keyword arguments.
        priority: 0 first … 9 last; None for the default.
        countdown_s: Not before so many seconds from now.
        eta: Not before this time (aware).
        queue: Another queue than the task's own.
        heard: Called with the run that was published.
    """

    task: str
    args: list[Any] = field(default_factory=list[Any])
    kwargs: dict[str, Any] = field(default_factory=dict[str, Any])
    priority: int | None = None
    countdown_s: float | None = None
    eta: datetime | None = None
    queue: str | None = None
    heard: Callable[[Submitted], object] | None = field(default=None, kw_only=True, compare=False, repr=False)

    key = "n"
    label = "Submit"

    @property
    def question(self) -> str:
        """Name the task and where it goes."""
        place = f" to {self.queue}" if self.queue else ""
        first = "" if self.priority is None else f" at priority {self.priority}"
        return f"Submit {self.task}{place}{first}?"

    @property
    def command(self) -> str:
        """The same as a command line, its secrets masked: it is shown, copied and kept by shells."""
        return self._command_line(mask(self.args), mask(self.kwargs))

    @property
    def recorded(self) -> str:
        """The command with its arguments' names alone: their values may be private and are the history's to keep."""
        return self._command_line(["…"] * len(self.args), dict.fromkeys(self.kwargs, "…"))

    def _command_line(self, args: list[Any], kwargs: dict[str, Any]) -> str:
        words = ["nexus-tui", "submit", self.task]
        if args:
            words += ["--args", json.dumps(args, ensure_ascii=False)]
        if kwargs:
            words += ["--kwargs", json.dumps(kwargs, ensure_ascii=False)]
        if self.priority is not None:
            words += ["--priority", str(self.priority)]
        if self.countdown_s is not None:
            words += ["--countdown", f"{self.countdown_s:g}"]
        if self.eta is not None:
            words += ["--eta", self.eta.isoformat()]
        if self.queue is not None:
            words += ["--queue", self.queue]
        return shlex.join(words)

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

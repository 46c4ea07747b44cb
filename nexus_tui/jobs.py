"""Jobs: the actions that were asked for while the dashboard is open, those at work and those that ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from celery_nexus.actions.base import Action
from celery_nexus.rows import moment
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.text import age, number, safe_text
from celery_nexus.steps import Steps

MOST_KEPT = 100
"""Jobs that are kept, the latest."""

CANCELLED = "cancelled"

State = Literal["counting", "asking", "working", "cancelling", "done", "partly done", "cancelled", "failed"]


@dataclass(eq=False)
class Job:
    """One action, from its confirmation on.

    Attributes:
        id: Its number, for people.
        action: What is done; once its targets were counted, on exactly these.
        steps: How far it is.
        since: When it was confirmed (aware).
        until: When it ended; None while it is at work.
        is_counted: Whether its targets are known, so that it works on them.
        is_asking: Whether many targets wait for a second confirmation.
        outcome: What became of its targets; None before it ended, and where nothing could be done.
        problem: Why nothing could be done; empty when something was.
    """

    id: str
    action: Action
    steps: Steps = field(default_factory=Steps)
    since: datetime = field(default_factory=lambda: moment.now())
    until: datetime | None = None
    is_counted: bool = False
    is_asking: bool = False
    outcome: Outcome | None = None
    problem: str = ""
    _began_at: float = field(default_factory=time.monotonic)
    _took_s: float | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether it goes on by itself: it has not ended, and waits for nobody."""
        return self.until is None and not self.is_asking

    @property
    def state(self) -> State:
        """How it is, in a word."""
        if self.is_asking:
            return "asking"
        if self.is_at_work:
            return "cancelling" if self.steps.is_stopped else "working" if self.is_counted else "counting"
        if self.outcome is not None and self.outcome.done:
            return "done"
        if self.steps.is_stopped:
            return "cancelled"
        is_partly = self.outcome is not None and any(row.done for row in self.outcome.targets)
        return "partly done" if is_partly else "failed"

    @property
    def command(self) -> str:
        """The command that does the same, as the audit log keeps it."""
        return safe_text(self.action.recorded, 400)

    @property
    def words(self) -> str:
        """Say in one line what is at work, how far it is, and for how long."""
        count = "" if self.steps.total is None else f" · {self.progress_words}"
        return f"{safe_text(self.action.recorded, 200)}{count} · for {age(self.took_s)}"

    @property
    def progress_words(self) -> str:
        """Say how many targets were looked at, of how many: ``812/1,204``; empty before that is known."""
        total = self.steps.total
        return "" if total is None else f"{number(min(self.steps.done, total))}/{number(total)}"

    @property
    def took_s(self) -> float:
        """Seconds since it began, or that it took."""
        return time.monotonic() - self._began_at if self._took_s is None else self._took_s

    @property
    def rows(self) -> tuple[TargetOutcome, ...]:
        """What became of its targets, as far as that is known."""
        return tuple(self.steps.rows) if self.outcome is None else self.outcome.targets

    def cancel(self) -> None:
        """Let it end after the step at hand."""
        self.steps.stop(CANCELLED)

    def end(self, outcome: Outcome | None = None, problem: str = "") -> None:
        """Note what came of it."""
        self.outcome, self.problem = outcome, problem
        self._took_s = self.took_s
        self.until = moment.now()


def write_results(job: Job) -> str:
    """Write what became of each target, a line each with tabs between, for a clipboard or a table."""
    lines = [f"{row.target}\t{'ok' if row.done else 'not done'}\t{row.message}" for row in job.rows]
    return "\n".join(lines) or job.problem

"""Confirmation and execution of actions as jobs, and the notices of their outcomes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from textual import work
from textual.notifications import SeverityLevel

from celery_nexus.errors import SourceError
from celery_nexus.rows.outcomes import MANY, Outcome
from celery_nexus.rows.text import safe_text
from celery_nexus.sources import Sources
from nexus_tui.jobs import MOST_KEPT, Job
from nexus_tui.screens.frame.host import Choice
from nexus_tui.terminal.keyboard import Keyboard
from nexus_tui.threads.background import Background
from nexus_tui.widgets.lines import Line

if TYPE_CHECKING:
    from celery_nexus.actions.base import Action, Plan

Done = Callable[[Outcome], None]
Refused = Callable[[str], None]

ENDS_WITHIN_S = 3.0
"""Time that a running action gets at the end of the dashboard, for its current step and its line in the audit log."""


class Asking(Keyboard, inherit_bindings=False):
    """The half of the dashboard that changes things.

    Attributes:
        jobs: The actions that were confirmed, the latest first.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.jobs: list[Job] = []
        self._asked = 0

    @property
    def sources(self) -> Sources:
        """What is changed."""
        raise NotImplementedError

    @property
    def read_only(self) -> bool:
        """Whether nothing may be."""
        raise NotImplementedError

    def read_again(self) -> None:
        """Let every source be read now."""
        raise NotImplementedError

    @property
    def running_actions(self) -> tuple[str, ...]:
        """The actions at work, each with since when."""
        return tuple(job.words for job in self.jobs if job.is_at_work)

    def use_background(self) -> None:
        """Let threads of this event loop be none that its end waits for."""
        asyncio.get_running_loop().set_default_executor(Background())

    def leave(self) -> None:
        """Leave the dashboard; while an action runs, ask first, and say what becomes of it."""
        if not self.running_actions:
            self.exit()
            return
        from nexus_tui.screens.dialogs.leave import LeaveScreen

        self.push_screen(LeaveScreen(lambda: self.running_actions), self._leave)

    def ask(
        self,
        title: str,
        choices: Sequence[Choice],
        done: Done | None = None,
        *,
        about: Sequence[Line] = (),
        default: bool = True,
    ) -> None:
        """Ask for a confirmation, do it, and say what happened; see :meth:`nexus_tui.screens.frame.host.Host.ask`."""
        if self.read_only:
            self.tell(f"{title}: read-only: {self.sources.how_to_write}", severity="warning")
            return
        choices = self._allowed(title, choices)
        if not choices:
            return
        from nexus_tui.screens.dialogs.confirm import ConfirmScreen

        def go_on(choice: Choice | None) -> None:
            if choice is not None and choice.blanks:
                self._fill(title, choice, done, about)
            elif choice is not None:
                self.carry_out(choice, done)

        self.push_screen(ConfirmScreen(title, choices, about, default=default), go_on)

    def _allowed(self, title: str, choices: Sequence[Choice]) -> Sequence[Choice]:
        """Leave out what this context does not allow; say so when nothing is left."""
        sources = self.sources
        if sources.allowed is None:
            return choices
        from celery_nexus.actions.base import is_allowed

        kept = [choice for choice in choices if is_allowed(choice.action, sources)]
        if not kept:
            allowed = ", ".join(sorted(sources.allowed)) or "nothing"
            self.tell(f"{title}: not allowed in this context; allowed are {allowed}", severity="warning")
        return kept

    def carry_out(self, choice: Choice, done: Done | None = None, refused: Refused | None = None) -> None:
        """Do what was confirmed.

        Args:
            choice: Without blanks.
            done: Called with the outcome.
            refused: Called with what is wrong when nothing came of it; by default a notice says so.
        """
        self._plan(self._begin(choice.action), done, refused or self._tell_problem)

    def tell(self, text: str, *, title: str = "", severity: str = "information") -> None:
        """Show a notice; text and title may come from outside."""
        level = cast(SeverityLevel, severity)
        self.notify(safe_text(text, 1000), title=safe_text(title, 100), severity=level, markup=False)

    def copy(self, text: str, words: str) -> None:
        """Copy a text to the terminal's clipboard (OSC 52), to tmux and to a file, and say so in words."""
        from nexus_tui.terminal.clipboard import MOST_BYTES, keep_copy

        is_short = len(text.encode("utf-8", "replace")) <= MOST_BYTES
        if is_short:
            self.copy_to_clipboard(text)
            self._hand_to_tmux(text)
        path = keep_copy(text)
        place = f"also in {path}" if is_short else f"too long for a terminal's clipboard, in {path}"
        self.tell(f"copied {safe_text(words, 200)}" + (f" · {place}" if path else ""))

    @work(thread=True, group="clipboard")
    def _hand_to_tmux(self, text: str) -> None:
        from nexus_tui.terminal.clipboard import hand_to_tmux

        hand_to_tmux(text)

    def tell_outcome(self, outcome: Outcome) -> None:
        """Show what was done."""
        severity = "information" if outcome.done else "warning"
        if len(outcome.targets) == 1:
            self.tell(outcome.targets[0].message, title=outcome.targets[0].target, severity=severity)
        else:
            self.tell(outcome.message, severity=severity)

    def _fill(self, title: str, choice: Choice, done: Done | None, about: Sequence[Line]) -> None:
        from nexus_tui.screens.dialogs.blanks import BlanksScreen

        self.push_screen(BlanksScreen(title, choice, done, about))

    def _begin(self, action: Action) -> Job:
        self._asked += 1
        job = Job(str(self._asked), action)
        self.jobs[:] = [job, *self.jobs[: MOST_KEPT - 1]]
        return job

    @work(thread=True, group="actions")
    def _plan(self, job: Job, done: Done | None, refused: Refused) -> None:
        try:
            plan = job.action.plan(self.sources)
        except SourceError as error:
            self._give_up(job, str(error), refused)
            return
        if job.steps.is_stopped:
            self._give_up(job, f"{job.steps.why}: nothing was done", refused)
        elif plan.count <= MANY:
            self._perform(job, plan.action, done, refused)
        else:
            self._say_later(self._ask_again, job, plan, done, refused)

    def _ask_again(self, job: Job, plan: Plan, done: Done | None, refused: Refused) -> None:
        from nexus_tui.screens.dialogs.typed import TypedScreen

        job.is_asking = True

        def go_on(is_typed: bool | None) -> None:
            job.is_asking = False
            if is_typed:
                self._perform_later(job, plan.action, done, refused)
            else:
                self.jobs.remove(job)

        self.push_screen(TypedScreen(plan), go_on)

    @work(thread=True, group="actions")
    def _perform_later(self, job: Job, action: Action, done: Done | None, refused: Refused) -> None:
        self._perform(job, action, done, refused)

    def _perform(self, job: Job, action: Action, done: Done | None, refused: Refused) -> None:
        from celery_nexus.actions.base import perform

        job.action, job.is_counted = action, True
        try:
            outcome = perform(action, replace(self.sources, steps=job.steps))
        except SourceError as error:
            self._give_up(job, str(error), refused)
            return
        job.end(outcome)
        self._say_later(self._performed, outcome, done)

    def _give_up(self, job: Job, problem: str, refused: Refused) -> None:
        job.end(problem=problem)
        self._say_later(refused, problem)

    def _say_later(self, say: Callable[..., object], *words: object) -> None:
        """Let the dashboard say something; one that is being left does not listen, and is not waited for."""
        self.call_later(say, *words)

    def _leave(self, is_certain: bool | None) -> None:
        if is_certain:
            for job in self.jobs:
                job.steps.stop("the dashboard was left")
            self._leave_by(time.monotonic() + ENDS_WITHIN_S)

    def _leave_by(self, deadline: float) -> None:
        if self.running_actions and time.monotonic() < deadline:
            self.set_timer(0.05, lambda: self._leave_by(deadline))
        else:
            self.exit()

    def _performed(self, outcome: Outcome, done: Done | None) -> None:
        self.tell_outcome(outcome)
        if done:
            done(outcome)
        self.read_again()

    def _tell_problem(self, problem: str) -> None:
        self.tell(problem, severity="error")

"""Confirmation and execution of actions, and the notices of their outcomes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from textual import work
from textual.notifications import SeverityLevel

from celery_nexus.errors import SourceError
from celery_nexus.rows.outcomes import MANY, Outcome
from celery_nexus.rows.text import age, safe_text
from celery_nexus.sources import Sources
from nexus_tui.background import Background
from nexus_tui.keyboard import Keyboard
from nexus_tui.screens.host import Choice
from nexus_tui.widgets.lines import Line

if TYPE_CHECKING:
    from celery_nexus.actions.base import Action, Plan

Done = Callable[[Outcome], None]
Refused = Callable[[str], None]

ENDS_WITHIN_S = 3.0
"""Time that a running action gets at the end of the dashboard, for its current step and its line in the audit log."""


@dataclass(eq=False)
class _Running:
    """An action at work."""

    what: str
    since: float = field(default_factory=time.monotonic)

    def words(self) -> str:
        return f"{self.what} · for {age(time.monotonic() - self.since)}"


class Asking(Keyboard, inherit_bindings=False):
    """The half of the dashboard that changes things."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._at_work: list[_Running] = []

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
        return tuple(running.words() for running in self._at_work)

    def use_background(self) -> None:
        """Let threads of this event loop be none that its end waits for."""
        asyncio.get_running_loop().set_default_executor(Background())

    def leave(self) -> None:
        """Leave the dashboard; while an action runs, ask first, and say what becomes of it."""
        if not self._at_work:
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
        """Ask for a confirmation, do it, and say what happened; see :meth:`nexus_tui.screens.host.Host.ask`."""
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
        self._plan(choice, done, refused or self._tell_problem)

    def tell(self, text: str, *, title: str = "", severity: str = "information") -> None:
        """Show a notice; text and title may come from outside."""
        level = cast(SeverityLevel, severity)
        self.notify(safe_text(text, 1000), title=safe_text(title, 100), severity=level, markup=False)

    def copy(self, text: str, words: str) -> None:
        """Copy a text to the terminal's clipboard (OSC 52), to tmux and to a file, and say so in words."""
        from nexus_tui.clipboard import MOST_BYTES, keep_copy

        is_short = len(text.encode("utf-8", "replace")) <= MOST_BYTES
        if is_short:
            self.copy_to_clipboard(text)
            self._hand_to_tmux(text)
        path = keep_copy(text)
        place = f"also in {path}" if is_short else f"too long for a terminal's clipboard, in {path}"
        self.tell(f"copied {safe_text(words, 200)}" + (f" · {place}" if path else ""))

    @work(thread=True, group="clipboard")
    def _hand_to_tmux(self, text: str) -> None:
        from nexus_tui.clipboard import hand_to_tmux

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

    @work(thread=True, group="actions")
    def _plan(self, choice: Choice, done: Done | None, refused: Refused) -> None:
        with self._working_on(choice.action):
            try:
                plan = choice.action.plan(self.sources)
            except SourceError as error:
                self._say_later(refused, str(error))
                return
            if plan.count <= MANY:
                self._perform(plan.action, done, refused)
                return
        self._say_later(self._ask_again, plan, done, refused)

    def _ask_again(self, plan: Plan, done: Done | None, refused: Refused) -> None:
        from nexus_tui.screens.dialogs.typed import TypedScreen

        def go_on(is_typed: bool | None) -> None:
            if is_typed:
                self._perform_later(plan.action, done, refused)

        self.push_screen(TypedScreen(plan), go_on)

    @work(thread=True, group="actions")
    def _perform_later(self, action: Action, done: Done | None, refused: Refused) -> None:
        with self._working_on(action):
            self._perform(action, done, refused)

    def _perform(self, action: Action, done: Done | None, refused: Refused) -> None:
        from celery_nexus.actions.base import perform

        try:
            outcome = perform(action, self.sources)
        except SourceError as error:
            self._say_later(refused, str(error))
            return
        self._say_later(self._performed, outcome, done)

    @contextmanager
    def _working_on(self, action: Action) -> Generator[None]:
        running = _Running(safe_text(action.recorded, 200))
        self._at_work.append(running)
        try:
            yield
        finally:
            self._at_work.remove(running)

    def _say_later(self, say: Callable[..., object], *words: object) -> None:
        """Let the dashboard say something; one that is being left does not listen, and is not waited for."""
        self.call_later(say, *words)

    def _leave(self, is_certain: bool | None) -> None:
        if is_certain:
            self.sources.leaving.set()
            self._leave_by(time.monotonic() + ENDS_WITHIN_S)

    def _leave_by(self, deadline: float) -> None:
        if self._at_work and time.monotonic() < deadline:
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

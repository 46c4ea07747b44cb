"""Asking the operator, doing what was confirmed, and saying what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from textual import work
from textual.app import App
from textual.notifications import SeverityLevel

from nexus_tui.models.actions import MANY, Outcome
from nexus_tui.models.text import safe_text
from nexus_tui.screens.host import Choice
from nexus_tui.sources import Sources
from nexus_tui.sources.errors import SourceError

if TYPE_CHECKING:
    from nexus_tui.actions.base import Action, Plan

Done = Callable[[Outcome], None]
Refused = Callable[[str], None]


class Asking(App[None], inherit_bindings=False):
    """The half of the dashboard that changes things.

    Attributes:
        sources: What is changed.
        read_only: Whether nothing may be.
    """

    sources: Sources
    read_only: bool

    def read_again(self) -> None:
        """Let every source be read now."""
        raise NotImplementedError

    def ask(self, title: str, choices: Sequence[Choice], done: Done | None = None) -> None:
        """Ask the operator to confirm one of some actions, do it, and say what happened."""
        if self.read_only:
            return
        from nexus_tui.screens.confirm import ConfirmScreen

        def answered(choice: Choice | None) -> None:
            if choice is not None and choice.blanks:
                self._fill(title, choice, done)
            elif choice is not None:
                self.carry_out(choice, done)

        self.push_screen(ConfirmScreen(title, choices), answered)

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

    def tell_outcome(self, outcome: Outcome) -> None:
        """Show what was done."""
        severity = "information" if outcome.done else "warning"
        if len(outcome.targets) == 1:
            self.tell(outcome.targets[0].message, title=outcome.targets[0].target, severity=severity)
        else:
            self.tell(outcome.message, severity=severity)

    def _fill(self, title: str, choice: Choice, done: Done | None) -> None:
        from nexus_tui.screens.blanks import BlanksScreen

        self.push_screen(BlanksScreen(title, choice, done))

    @work(thread=True, group="actions")
    def _plan(self, choice: Choice, done: Done | None, refused: Refused) -> None:
        try:
            plan = choice.action.plan(self.sources)
        except SourceError as error:
            self.call_from_thread(refused, str(error))
            return
        if plan.count > MANY:
            self.call_from_thread(self._ask_again, plan, done, refused)
        else:
            self._perform(plan.action, done, refused)

    def _ask_again(self, plan: Plan, done: Done | None, refused: Refused) -> None:
        from nexus_tui.screens.typed import TypedScreen

        def answered(is_typed: bool | None) -> None:
            if is_typed:
                self._perform_later(plan.action, done, refused)

        self.push_screen(TypedScreen(plan), answered)

    @work(thread=True, group="actions")
    def _perform_later(self, action: Action, done: Done | None, refused: Refused) -> None:
        self._perform(action, done, refused)

    def _perform(self, action: Action, done: Done | None, refused: Refused) -> None:
        from nexus_tui.actions.base import perform

        try:
            outcome = perform(action, self.sources)
        except SourceError as error:
            self.call_from_thread(refused, str(error))
            return
        self.call_from_thread(self._performed, outcome, done)

    def _performed(self, outcome: Outcome, done: Done | None) -> None:
        self.tell_outcome(outcome)
        if done:
            done(outcome)
        self.read_again()

    def _tell_problem(self, problem: str) -> None:
        self.tell(problem, severity="error")

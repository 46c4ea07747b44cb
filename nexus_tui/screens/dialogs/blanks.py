"""Dialog for the values that an action needs before it is confirmed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input

from celery_nexus.errors import SourceError
from celery_nexus.rows.outcomes import Outcome
from celery_nexus.rows.text import safe_text
from nexus_tui.screens.dialogs.confirm import ConfirmScreen
from nexus_tui.screens.dialogs.modal import Dialog
from nexus_tui.screens.dialogs.problem import Problem
from nexus_tui.screens.frame.host import Choice, Host
from nexus_tui.widgets.chrome import OneLine
from nexus_tui.widgets.fields import SafeInput
from nexus_tui.widgets.lines import Line


class BlanksScreen(Dialog[None]):
    """One field for each blank of a choice; what is typed stays until something came of it.

    Args:
        title: What it is about.
        choice: With its blanks.
        done: Called with the outcome.
        about: What is known of the targets, for the question.
    """

    DEFAULT_CSS = """
    BlanksScreen VerticalScroll { height: auto; max-height: 20; }
    BlanksScreen SafeInput { border: none; height: 1; padding: 0; background: $panel; }
    BlanksScreen SafeInput:focus { border: none; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "next", show=False),
        Binding("up", "app.focus_previous", "previous", show=False),
    ]

    def __init__(
        self,
        title: str,
        choice: Choice,
        done: Callable[[Outcome], None] | None = None,
        about: Sequence[Line] = (),
    ) -> None:
        super().__init__()
        self.about = about
        self.form_title = title
        self.choice = choice
        self._tell = done

    def compose(self) -> ComposeResult:
        """Make the box."""
        with Vertical(classes="box"):
            yield OneLine(id="head")
            with VerticalScroll(can_focus=False):
                for blank in self.choice.blanks:
                    yield OneLine(classes="label")
                    yield SafeInput(safe_text(blank.value, len(blank.value)), placeholder=safe_text(blank.hint, 200))
            yield Problem((("Enter", "accent"), (" go on   ", "plain"), ("Tab", "accent"), (" next field", "plain")))

    def on_mount(self) -> None:
        """Write the labels."""
        title = f"{self.form_title}: {self.choice.label}"
        self.query_one("#head", OneLine).show(((safe_text(title, 100), "strong"),), (("Esc closes", "dim"),))
        for line, blank in zip(self.query(".label").results(OneLine), self.choice.blanks, strict=True):
            line.show(((safe_text(blank.label, 100), "plain"),))
        self.query(SafeInput).first().focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Ask about the action that was filled in, or say what is wrong."""
        event.stop()
        if self.choice.fill is None:
            return
        try:
            action = self.choice.fill([field.value.strip() for field in self.query(SafeInput)])
        except SourceError as error:
            self._say(str(error))
            return
        self._say("")
        whole = replace(self.choice, action=action, blanks=(), fill=None)
        self.app.push_screen(ConfirmScreen(self.form_title, [whole], self.about), self._confirmed)

    def _confirmed(self, choice: Choice | None) -> None:
        if choice is not None:
            cast(Host, self.app).carry_out(choice, self._done, self._say)

    def _done(self, outcome: Outcome) -> None:
        """Close when anything was changed; else say why nothing was, and keep what was typed."""
        if self._tell:
            self._tell(outcome)
        if any(target.done for target in outcome.targets):
            self.dismiss()
        else:
            self._say(outcome.message)

    def _say(self, problem: str) -> None:
        if self.is_attached:
            self.query_one(Problem).say(problem)

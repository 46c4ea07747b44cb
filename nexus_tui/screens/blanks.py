"""What is typed before an action is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input

from nexus_tui.models.text import safe_text
from nexus_tui.screens.host import Choice
from nexus_tui.screens.modal import Dialog
from nexus_tui.sources.errors import SourceError
from nexus_tui.widgets.chrome import OneLine
from nexus_tui.widgets.fields import SafeInput


class BlanksScreen(Dialog[Choice]):
    """One field for each blank of a choice; Enter gives the choice back with its action made of what was typed."""

    DEFAULT_CSS = """
    BlanksScreen VerticalScroll { height: auto; max-height: 20; }
    BlanksScreen SafeInput { border: none; height: 1; padding: 0; background: $panel; }
    BlanksScreen SafeInput:focus { border: none; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "next", show=False),
        Binding("up", "app.focus_previous", "previous", show=False),
    ]

    def __init__(self, title: str, choice: Choice) -> None:
        super().__init__()
        self.form_title = title
        self.choice = choice

    def compose(self) -> ComposeResult:
        """Make the box."""
        with Vertical(classes="box"):
            yield OneLine(id="head")
            with VerticalScroll(can_focus=False):
                for blank in self.choice.blanks:
                    yield OneLine(classes="label")
                    yield SafeInput(safe_text(blank.value, len(blank.value)), placeholder=safe_text(blank.hint, 200))
            yield OneLine(id="problem")

    def on_mount(self) -> None:
        """Write the labels."""
        title = f"{self.form_title}: {self.choice.label}"
        self.query_one("#head", OneLine).show(((safe_text(title, 100), "strong"),), (("Esc closes", "dim"),))
        for line, blank in zip(self.query(".label").results(OneLine), self.choice.blanks, strict=True):
            line.show(((safe_text(blank.label, 100), "plain"),))
        self._say("")
        self.query(SafeInput).first().focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the filled choice back, or say what is wrong."""
        event.stop()
        typed = [field.value.strip() for field in self.query(SafeInput)]
        if self.choice.fill is None:
            return
        try:
            action = self.choice.fill(typed)
        except SourceError as error:
            self._say(str(error))
            return
        self.dismiss(replace(self.choice, action=action, blanks=(), fill=None))

    def _say(self, problem: str) -> None:
        problem_line = ((f"▲ {safe_text(problem, 300)}", "bad"),)
        keys = (("Enter", "accent"), (" go on   ", "plain"), ("Tab", "accent"), (" next field", "plain"))
        self.query_one("#problem", OneLine).show(problem_line if problem else keys)

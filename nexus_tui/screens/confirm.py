"""The question before anything is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Key

from nexus_tui.models.text import safe_text
from nexus_tui.screens.host import Choice, Host
from nexus_tui.screens.modal import Dialog
from nexus_tui.widgets.lines import BLANK, Line, LineView, width_of, wrap

_COMMAND_LINES = 5
_A_FEW = 4


class ConfirmScreen(Dialog[Choice]):
    """Shows what each choice does and the command line that does the same; Enter does the highlighted one."""

    DEFAULT_CSS = """
    ConfirmScreen > .box { border: round $warning; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "confirm", "do it"),
        Binding("down,j", "move(1)", "next", show=False),
        Binding("up,k", "move(-1)", "previous", show=False),
        Binding("c", "copy", "copy the command", show=False),
        Binding("n,q", "cancel", "don't", show=False),
    ]

    def __init__(self, title: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self.question_title = title
        self.choices = tuple(choices)
        self.index = 0

    def compose(self) -> ComposeResult:
        """Make the box."""
        with Vertical(classes="box"):
            yield Question(self)

    @property
    def choice(self) -> Choice:
        """The highlighted choice."""
        return self.choices[self.index]

    def on_key(self, event: Key) -> None:
        """Highlight the choice whose key was pressed; ``y`` does the highlighted one."""
        for index, choice in enumerate(self.choices):
            if event.character == choice.key:
                self._highlight(index)
                event.stop()
                return
        if event.character == "y":
            self.action_confirm()

    def action_move(self, steps: int) -> None:
        """Highlight another choice."""
        self._highlight((self.index + steps) % len(self.choices))

    def action_confirm(self) -> None:
        """Do the highlighted one."""
        self.dismiss(self.choice)

    def line_of(self, choice: Choice) -> str:
        """Spell the command line that does the same as a choice, wherever it is typed."""
        return cast(Host, self.app).sources.addressed(choice.action.command)

    def action_copy(self) -> None:
        """Copy the command line."""
        self.app.copy_to_clipboard(self.line_of(self.choice))
        self.app.notify("copied the command", markup=False)

    def _highlight(self, index: int) -> None:
        self.index = index
        question = self.query_one(Question)
        question.refresh(layout=True)
        question.redraw()


class Question(LineView):
    """The text of the dialog."""

    DEFAULT_CSS = "Question { height: auto; }"

    def __init__(self, screen: ConfirmScreen) -> None:
        super().__init__()
        self._screen = screen

    def get_content_height(self, container: Any, viewport: Any, width: int) -> int:
        """Count the lines that are needed."""
        return len(self._write(width))

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Write title, choices, question, command, keys."""
        lines = self._write(width)
        if len(lines) <= height:
            return lines
        return [*lines[: height - 2], *lines[-2:]]

    def _write(self, width: int) -> list[Line]:
        screen, choice = self._screen, self._screen.choice
        width = max(width, 10)
        lines: list[Line] = [((line, "strong"),) for line in wrap(safe_text(screen.question_title), width)]
        lines.append(BLANK)
        if len(screen.choices) > 1:
            lines += [*self._choices(width), BLANK]
        lines += [((part, "warn"),) for part in _words(safe_text(choice.action.question), width)]
        lines += [((part, "dim"),) for part in _words(safe_text(choice.action.help()), width)]
        lines.append(BLANK)
        command = _words("$ " + safe_text(self._screen.line_of(choice)), width)
        lines += [((part, "good"),) for part in command[:_COMMAND_LINES]]
        if len(command) > _COMMAND_LINES:
            lines.append((("… (c copies all of it)", "dim"),))
        lines.append(BLANK)
        lines.append((("Enter", "accent"), (f" {choice.label}   ", "plain"), ("Esc", "accent"), (" don't   ", "plain"),
                      ("c", "accent"), (" copy the command", "plain")))  # fmt: skip
        return lines

    def _choices(self, width: int) -> list[Line]:
        """Write the choices: a few one below the other, many one after the other."""
        lines: list[Line] = []
        line: Line = BLANK
        many = len(self._screen.choices) > _A_FEW
        for index, choice in enumerate(self._screen.choices):
            chosen = index == self._screen.index
            look = "cursor" if chosen else "plain"
            label = f" {choice.label} " if choice.label else " "
            chip: Line = (("▸" if chosen else " ", "accent"), (f" {choice.key}", f"accent+{look}"), (label, look))
            if line and (not many or width_of((*line, *chip)) > width):
                lines.append(line)
                line = BLANK
            line = (*line, *chip)
        return [*lines, line]


def _words(text: str, width: int) -> list[str]:
    """Wrap at spaces where there are some."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [part for row in [*lines, line] for part in wrap(row, width)]

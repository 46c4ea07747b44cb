"""Confirmation dialog of an action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from textual.binding import Binding, BindingType
from textual.events import Key

from celery_nexus.rows.text import safe_text
from nexus_tui.screens.dialogs.choosing import Chooser
from nexus_tui.screens.dialogs.modal import Question
from nexus_tui.screens.frame.host import Choice, Host
from nexus_tui.widgets.lines import BLANK, Line, fit
from nexus_tui.widgets.tables.sight import read_key_time
from nexus_tui.widgets.wrapping import wrap

_COMMAND_LINES = 5


class ConfirmScreen(Question[Choice]):
    """Shows what each choice does and the command line that does the same; Enter does the highlighted one.

    A key that was pressed before the question could be read answers nothing.

    Args:
        title: What it is about.
        choices: What can be done.
        about: What is known of the targets.
        default: Whether the first choice is highlighted; without, Enter does nothing before one is chosen.
    """

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

    def __init__(
        self, title: str, choices: Sequence[Choice], about: Sequence[Line] = (), *, default: bool = True
    ) -> None:
        super().__init__()
        self.question_title = title
        self.about = tuple(about)
        self.chooser = Chooser(choices, default=default)

    @property
    def choice(self) -> Choice | None:
        """The highlighted choice; None before one is chosen."""
        return self.chooser.chosen

    def on_key(self, event: Key) -> None:
        """Highlight the choice whose key was pressed, or filter; ``y`` does the highlighted one."""
        if self.chooser.take(event.key, event.character):
            event.stop()
            self.write_anew()
        elif event.character == "y":
            event.stop()  # the screen below, which is in front by then, has a meaning for it, too
            self._confirm(event.time)

    def action_move(self, steps: int) -> None:
        """Highlight another choice."""
        self.chooser.move(steps)
        self.write_anew()

    def action_confirm(self) -> None:
        """Do the highlighted one."""
        self._confirm(read_key_time())

    def line_of(self, choice: Choice) -> str:
        """Spell the command line that does the same as a choice, wherever it is typed."""
        return cast(Host, self.app).sources.address_command(choice.action.command)

    def action_copy(self) -> None:
        """Copy the command line."""
        if self.choice is not None:
            cast(Host, self.app).copy(self.line_of(self.choice), "the command")

    def _confirm(self, at: float) -> None:
        # A form changes nothing yet: it may be opened blindly.
        if self.choice is not None and (self.choice.blanks or at >= self.readable_at):
            self.dismiss(self.choice)

    def write(self, width: int) -> list[Line]:
        """Write title, choices, question, command, keys."""
        choice = self.choice
        width = max(width, 10)
        lines: list[Line] = [((line, "strong"),) for line in wrap(safe_text(self.question_title), width)]
        lines += [fit(line, width) for line in self.about]
        lines.append(BLANK)
        if len(self.chooser.choices) > 1:
            lines += [*self.chooser.lines(width), BLANK]
        lines += [((part, "warn"),) for part in _wrap("" if choice is None else choice.action.question, width)]
        if choice is None:
            lines += [((part, "warn"),) for part in _wrap(self.chooser.hint, width)]
            return [*lines, BLANK, (("Esc", "accent"), (" don't", "plain"))]
        lines += [((part, "dim"),) for part in _wrap(choice.action.help(), width)]
        command = _wrap("$ " + self.line_of(choice), width)
        lines += [BLANK, *(((part, "good"),) for part in command[:_COMMAND_LINES])]
        if len(command) > _COMMAND_LINES:
            lines.append((("… (c copies all of it)", "dim"),))
        lines.append(BLANK)
        lines.append((("Enter", "accent"), (f" {choice.label}   ", "plain"), ("Esc", "accent"), (" don't   ", "plain"),
                      ("c", "accent"), (" copy the command", "plain")))  # fmt: skip
        return lines


def _wrap(text: str, width: int) -> list[str]:
    return [part for part in wrap(safe_text(text), width) if part]

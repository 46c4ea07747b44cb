"""Prompt line for filters and commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Input

from nexus_tui.widgets.chrome import OneLine
from nexus_tui.widgets.fields import SafeInput


class Prompt(Vertical):
    """A sign (``/`` or ``:``), a field, and under it what is wrong with it."""

    DEFAULT_CSS = """
    Prompt { height: auto; dock: bottom; display: none; margin-bottom: 1; background: $surface; }
    Prompt SafeInput { border: none; height: 1; padding: 0 1; background: $surface; }
    Prompt SafeInput:focus { border: none; background: $surface; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel")]

    class Typed(Message):
        """The text changed."""

        def __init__(self, sign: str, text: str) -> None:
            super().__init__()
            self.sign, self.text = sign, text

    class Entered(Typed):
        """Enter was pressed."""

    class Cancelled(Message):
        """Esc was pressed: nothing is to stay."""

        def __init__(self, sign: str) -> None:
            super().__init__()
            self.sign = sign

    def __init__(self) -> None:
        super().__init__()
        self.sign = ""

    def compose(self) -> ComposeResult:
        """Make the field and the line under it."""
        yield SafeInput(select_on_focus=False)
        yield OneLine()

    @property
    def is_open(self) -> bool:
        """Whether it is on the screen."""
        return bool(self.display)

    def open(self, sign: str, text: str = "", *, words: Sequence[str] = (), hint: str = "") -> None:
        """Show it and take the keys."""
        self.sign = sign
        field = self.query_one(SafeInput)
        field.suggester = SuggestFromList(words, case_sensitive=False) if words else None
        field.placeholder = ""
        with self.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)
        self.complain("", hint=hint)
        self.display = True
        self.screen.set_focus(field)  # at once: what is typed next must not be taken for a key of the view

    def close(self) -> None:
        """Hide it; the caller gives the focus back."""
        self.display = False

    def complain(self, problem: str, place: int | None = None, *, hint: str = "") -> None:
        """Say what is wrong under its place in the field (None: at the start), or a hint when nothing is."""
        start = " " * (1 + (place or 0))
        if problem:
            self.query_one(OneLine).show(((start, "plain"), (f"▲ {problem}", "bad")))
        else:
            self.query_one(OneLine).show(((f" {self.sign} ", "accent"), (hint, "dim")))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Pass the text on while it is typed."""
        event.stop()
        self.post_message(self.Typed(self.sign, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Pass the text on."""
        event.stop()
        self.post_message(self.Entered(self.sign, event.value))

    def action_cancel(self) -> None:
        """Give up."""
        self.post_message(self.Cancelled(self.sign))

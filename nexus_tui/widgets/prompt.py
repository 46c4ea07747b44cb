"""Prompt line for filters and commands, with completion and history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from celery_nexus.rows.text import number, safe_text
from nexus_tui.widgets.chrome import OneLine
from nexus_tui.widgets.completion import Candidate, Complete
from nexus_tui.widgets.fields import SafeInput
from nexus_tui.widgets.lines import Span

MOST_REMEMBERED = 200
"""Most lines of a history."""

_LONGEST = 60
"""Most characters of a candidate that are shown."""

_MOST_SHOWN = 40
"""Most candidates that are drawn; the line cuts them at its width."""


def _nothing(_text: str) -> Sequence[Candidate]:
    return ()


class Prompt(Vertical):
    """A sign (``/`` or ``:``), a field, under it what is wrong with it, and how it can go on.

    Tab takes the next way to go on; up and down go through what was entered before.
    """

    DEFAULT_CSS = """
    Prompt { height: auto; dock: bottom; display: none; margin-bottom: 1; background: $surface; }
    Prompt SafeInput { border: none; height: 1; padding: 0 1; background: $surface; }
    Prompt SafeInput:focus { border: none; background: $surface; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("tab", "complete(1)", "complete", show=False),
        Binding("shift+tab", "complete(-1)", "complete backwards", show=False),
        Binding("up", "recall(-1)", "earlier line", show=False),
        Binding("down", "recall(1)", "later line", show=False),
    ]

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
        self._complete: Complete = _nothing
        self._offered: Sequence[Candidate] = ()
        self._at: int | None = None
        self._history: list[str] = []
        self._place = 0
        self._typed = ""

    def compose(self) -> ComposeResult:
        """Make the field, the line under it, and the line of candidates."""
        yield SafeInput(select_on_focus=False)
        yield OneLine(id="problem")
        yield OneLine(id="candidates")

    @property
    def is_open(self) -> bool:
        """Whether it is on the screen."""
        return bool(self.display)

    def open(
        self,
        sign: str,
        text: str = "",
        *,
        complete: Complete = _nothing,
        history: list[str] | None = None,
        hint: str = "",
    ) -> None:
        """Show it and take the keys.

        Args:
            sign: ``/`` or ``:``.
            text: What stands there.
            complete: Offers ways to go on.
            history: What was entered before, the latest last; :meth:`remember` adds to it.
            hint: What is said while nothing is wrong.
        """
        self.sign, self._complete, self._history = sign, complete, [] if history is None else history
        self._place = len(self._history)
        self._write(text)
        self.complain("", hint=hint)
        self.offer()
        self.display = True
        self.screen.set_focus(self.query_one(SafeInput))  # at once: what is typed next must not be a key of the view

    def close(self) -> None:
        """Hide it; the caller gives the focus back."""
        self.display = False

    def remember(self, text: str) -> None:
        """Add what was entered to the history."""
        text = text.strip()
        if text:
            self._history[:] = [*(line for line in self._history if line != text), text][-MOST_REMEMBERED:]

    def complain(self, problem: str, place: int | None = None, *, hint: str = "") -> None:
        """Say what is wrong under its place in the field (None: at the start), or a hint when nothing is."""
        start = " " * (1 + cell_len(self.query_one(SafeInput).value[: place or 0]))
        line = self.query_one("#problem", OneLine)
        if problem:
            line.show(((start, "plain"), (f"▲ {problem}", "bad")))
        else:
            line.show(((f" {self.sign} ", "accent"), (hint, "dim")))

    def offer(self) -> None:
        """Show how the text can go on: also when what is known of that has changed."""
        if self._at is None:
            self._offered = self._complete(self.query_one(SafeInput).value)
        spans: list[Span] = [(" Tab ", "accent")] if self._offered else []
        first = self._at or 0
        for place, one in enumerate(self._offered[first : first + _MOST_SHOWN], first):
            spans.append((f" {safe_text(one.word, _LONGEST)} ", "plain+cursor" if place == self._at else "plain"))
            spans.append(("" if one.count is None else f"{number(one.count)} ", "dim"))
        self.query_one("#candidates", OneLine).show(tuple(spans))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Pass the text on while it is typed."""
        event.stop()
        self._at, self._place = None, len(self._history)
        self.offer()
        self.post_message(self.Typed(self.sign, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Pass the text on."""
        event.stop()
        self.post_message(self.Entered(self.sign, event.value))

    def action_complete(self, steps: int) -> None:
        """Go on as the next candidate says; where there is but one, offer what comes behind it."""
        if not self._offered:
            return
        self._at = (0 if steps > 0 else -1) if self._at is None else self._at + steps
        self._at %= len(self._offered)
        self._write(self._offered[self._at].text)
        if len(self._offered) == 1:
            self._at = None
        self.offer()
        self.post_message(self.Typed(self.sign, self.query_one(SafeInput).value))

    def action_recall(self, steps: int) -> None:
        """Show a line that was entered before; after the latest what was typed."""
        place = max(0, min(self._place + steps, len(self._history)))
        if place == self._place:
            return
        if self._place == len(self._history):
            self._typed = self.query_one(SafeInput).value
        self._place, self._at = place, None
        self._write(self._history[place] if place < len(self._history) else self._typed)
        self.offer()
        self.post_message(self.Typed(self.sign, self.query_one(SafeInput).value))

    def action_cancel(self) -> None:
        """Give up."""
        self.post_message(self.Cancelled(self.sign))

    def _write(self, text: str) -> None:
        field = self.query_one(SafeInput)
        with self.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)

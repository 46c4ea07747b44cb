"""Base class of dialogs."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from textual._time import get_time
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from nexus_tui.widgets.lines import Line, LineView

T = TypeVar("T")


class Dialog(ModalScreen[T]):
    """A box in the middle of the screen; Esc closes it without doing anything."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 50%; }
    Dialog OneLine { background: transparent; }
    Dialog VerticalScroll {
        scrollbar-size-vertical: 1; scrollbar-background: $surface; scrollbar-color: $panel;
        scrollbar-background-hover: $surface; scrollbar-background-active: $surface;
    }
    Dialog > .box {
        width: 90%; max-width: 110; height: auto; max-height: 90%;
        background: $surface; border: round $primary; padding: 0 1;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "close")]

    def action_cancel(self) -> None:
        """Close without doing anything."""
        self.dismiss(None)


class Question(Dialog[T]):
    """A dialog that knows since when its text can be read: a key that was pressed before answers nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.readable_at = math.inf

    def compose(self) -> ComposeResult:
        """Make the box."""
        with Vertical(classes="box"):
            yield Words(self)

    @abstractmethod
    def write(self, width: int) -> list[Line]:
        """Write all lines of the text, so wide."""

    def write_anew(self) -> None:
        """Show the text as it is now."""
        words = self.query_one(Words)
        words.refresh(layout=True)
        words.redraw()


class Words(LineView):
    """The text of a question."""

    DEFAULT_CSS = "Words { height: auto; }"

    def __init__(self, question: Question[Any]) -> None:
        super().__init__()
        self._question = question

    def note_painted(self) -> None:
        """Learn that the question can be read now."""
        if self._lines:
            self._question.readable_at = min(self._question.readable_at, get_time())

    def get_content_height(self, container: Any, viewport: Any, width: int) -> int:
        """Count the lines that are needed."""
        return len(self._question.write(width))

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Write the text; where it has no room, its end is what says which key does what."""
        lines = self._question.write(width)
        return lines if len(lines) <= height else [*lines[: height - 2], *lines[-2:]]

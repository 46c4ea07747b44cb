"""The frame of dialogs."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

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

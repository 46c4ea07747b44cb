"""Dialog with the formats of an export."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from nexus_tui.screens.dialogs.modal import Question
from nexus_tui.view_export import FORMATS
from nexus_tui.widgets.lines import BLANK, Line

_WORDS = {"csv": "the rows, as a spreadsheet reads them", "json": "the rows with all that is known", "svg": "a picture"}


class FormatsScreen(Question[str]):
    """Asks for the format of an export: its key, or Enter for the first.

    Args:
        has_rows: Whether there are rows.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "first", "export"),
        *(Binding(key, f"choose('{kind}')", kind, show=False) for key, kind in FORMATS.items()),
        Binding("q,e", "cancel", "close", show=False),
    ]

    def __init__(self, *, has_rows: bool) -> None:
        super().__init__()
        self._kinds = {key: kind for key, kind in FORMATS.items() if has_rows or kind == "svg"}

    def action_first(self) -> None:
        """Take the first."""
        self.dismiss(next(iter(self._kinds.values())))

    def action_choose(self, kind: str) -> None:
        """Take one."""
        if kind in self._kinds.values():
            self.dismiss(kind)

    def write(self, width: int) -> list[Line]:
        """Write the formats and the keys."""
        rows: list[Line] = [
            ((f"  {key}  ", "accent"), (f"{kind.upper():<6}", "strong"), (_WORDS[kind], "plain"))
            for key, kind in self._kinds.items()
        ]
        keys: Line = (("Enter", "accent"), (" the first   ", "plain"), ("Esc", "accent"), (" none", "plain"))
        return [(("Export this view", "strong"),), BLANK, *rows, BLANK, keys]

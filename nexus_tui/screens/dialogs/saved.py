"""Dialog with the filters that were saved for a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType

from celery_nexus.connection.errors import ConfigError
from celery_nexus.rows.text import safe_text
from nexus_tui.screens.dialogs.modal import Question
from nexus_tui.widgets.lines import BLANK, Line, fit, pad
from nexus_tui.widgets.wrapping import wrap

_LISTED = 15
"""Most filters that are shown at once."""


class SavedFiltersScreen(Question[str]):
    """Lists filters by name; Enter uses one, d removes one.

    Args:
        kind: Of which list they are.
        saved: Filters by name.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "use"),
        Binding("down,j", "move(1)", "next", show=False),
        Binding("up,k", "move(-1)", "previous", show=False),
        Binding("d", "remove", "remove", show=False),
        Binding("q,f", "cancel", "close", show=False),
    ]

    def __init__(self, kind: str, saved: Mapping[str, str]) -> None:
        super().__init__()
        self._kind = kind
        self._saved = dict(saved)
        self._at = 0
        self._problem = ""

    @property
    def _chosen(self) -> str:
        return list(self._saved)[self._at] if self._saved else ""

    def action_move(self, steps: int) -> None:
        """Highlight another one."""
        if self._saved:
            self._at = (self._at + steps) % len(self._saved)
            self.write_anew()

    def action_choose(self) -> None:
        """Use the highlighted one."""
        if self._saved:
            self.dismiss(self._saved[self._chosen])

    def action_remove(self) -> None:
        """Remove the highlighted one."""
        from nexus_tui.preferences.saved_filters import remove_filter

        if not self._saved:
            return
        try:
            remove_filter(self._kind, self._chosen)
        except ConfigError as wrong:
            self._problem = safe_text(str(wrong), 300)
        else:
            del self._saved[self._chosen]
            self._at = min(self._at, max(len(self._saved) - 1, 0))
        self.write_anew()

    def write(self, width: int) -> list[Line]:
        """Write the filters and the keys."""
        width = max(width, 10)
        lines: list[Line] = [((f"Saved filters · {safe_text(self._kind, 40)}", "strong"),), BLANK]
        top = max(0, min(self._at - _LISTED // 2, len(self._saved) - _LISTED))
        names = list(self._saved)[top : top + _LISTED]
        room = max((cell_len(safe_text(name, 30)) for name in names), default=0)
        for name in names:
            is_chosen = name == self._chosen
            look = "cursor" if is_chosen else "plain"
            row: Line = (
                ("▸ " if is_chosen else "  ", "accent"),
                (f"{pad(safe_text(name, 30), room)}  ", f"strong+{look}"),
                (safe_text(self._saved[name], 200), look),
            )
            lines.append(fit(row, width))
        if not names:
            told = "There are none yet: type a filter with /, then :save NAME keeps it"
            lines += [((part, "plain"),) for part in wrap(told, width)]
        lines += [((part, "bad"),) for part in wrap(self._problem, width) if part]
        use: Line = (
            (("Enter", "accent"), (" use   ", "plain"), ("d", "accent"), (" remove   ", "plain")) if names else ()
        )
        return [*lines, BLANK, (*use, ("Esc", "accent"), (" close", "plain"))]

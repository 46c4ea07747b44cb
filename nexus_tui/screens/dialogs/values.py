"""Dialog with the values of a row, to copy one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar, cast

from rich.cells import cell_len
from textual.binding import Binding, BindingType

from celery_nexus.privacy.masking import mask
from celery_nexus.rows.text import raw_json, safe_text
from nexus_tui.screens.dialogs.modal import Question
from nexus_tui.widgets.lines import BLANK, Line, fit, pad

_LISTED = 15
"""Most values that are shown at once."""

_FIRST = ("result", "kwargs", "args", "error", "command", "path", "log", "id", "name")
"""Fields that are copied most often."""

MOST_VALUES = 500
"""Most values that are offered."""


class ValuesScreen(Question[str]):
    """Lists what can be copied of a row, secrets masked; Enter or a digit copies one.

    Args:
        title: What the row is called.
        item: A row of the models.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "copy"),
        Binding("down,j", "move(1)", "next", show=False),
        Binding("up,k", "move(-1)", "previous", show=False),
        *(Binding(str(number), f"pick({number})", "copy", show=False) for number in range(1, 10)),
        Binding("q,a", "cancel", "close", show=False),
    ]

    def __init__(self, title: str, item: Any) -> None:
        super().__init__()
        self._title = title
        self._values = list_values(item)
        self._at = 0

    def action_move(self, steps: int) -> None:
        """Highlight another one."""
        if self._values:
            self._at = (self._at + steps) % len(self._values)
            self.write_anew()

    def action_choose(self) -> None:
        """Copy the highlighted one."""
        if self._values:
            self.dismiss(self._values[self._at][1])

    def action_pick(self, number: int) -> None:
        """Copy the one of that number."""
        if number <= len(self._values):
            self.dismiss(self._values[number - 1][1])

    def write(self, width: int) -> list[Line]:
        """Write the values and the keys."""
        width = max(width, 10)
        lines: list[Line] = [((f"Copy of {safe_text(self._title, 60)}", "strong"),), BLANK]
        top = max(0, min(self._at - _LISTED // 2, len(self._values) - _LISTED))
        shown = self._values[top : top + _LISTED]
        room = max((cell_len(safe_text(name, 30)) for name, _ in shown), default=0)
        for place, (name, value) in enumerate(shown, top):
            look = "cursor" if place == self._at else "plain"
            digit = f"{place + 1}" if place < 9 else " "
            row: Line = (
                ("▸" if place == self._at else " ", "accent"),
                (f" {digit}  ", "accent"),
                (f"{pad(safe_text(name, 30), room)}  ", f"dim+{look}"),
                (safe_text(value, 300), look),
            )
            lines.append(fit(row, width))
        if len(self._values) > len(shown):
            lines.append(((f"  {top + 1}–{top + len(shown)} of {len(self._values)}", "dim"),))
        return [*lines, BLANK, (("Enter", "accent"), (" copy   ", "plain"), ("Esc", "accent"), (" close", "plain"))]


def list_values(item: Any) -> list[tuple[str, str]]:
    """List the values of a row with their paths (``result.path``), secrets masked: first what is copied most often."""
    fields = cast("dict[str, Any]", mask(json.loads(raw_json(item))))
    order = [*(name for name in _FIRST if name in fields), *(name for name in fields if name not in _FIRST)]
    found: list[tuple[str, str]] = []
    for name in order:
        for pair in _walk(name, fields[name]):
            found.append(pair)
            if len(found) == MOST_VALUES:
                return found
    return found


def _walk(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            yield from _walk(f"{path}.{name}", inner)
    elif isinstance(value, list):
        for place, inner in enumerate(cast("list[Any]", value)):
            yield from _walk(f"{path}.{place}", inner)
    elif isinstance(value, str):
        if value:
            yield path, value
    elif value is not None and not isinstance(value, bool):
        yield path, json.dumps(value)

"""Choices of a dialog: highlighted by key, by arrows, or by a filter."""

from __future__ import annotations

from collections.abc import Sequence

from celery_nexus.rows.text import safe_text
from nexus_tui.screens.frame.host import Choice
from nexus_tui.widgets.lines import BLANK, Line, fit, width_of

_A_FEW = 4
"""Most choices that are written one below the other; more are written one after the other."""

_MANY = 20
"""Most choices without a list and a filter."""

_LISTED = 8
"""Height of the list, in lines."""


class Chooser:
    """What can be chosen, and what is.

    Args:
        choices: In their order.
        default: Whether the first is highlighted from the start.
    """

    def __init__(self, choices: Sequence[Choice], *, default: bool = True) -> None:
        self.choices = tuple(choices)
        self.chosen: Choice | None = self.choices[0] if default and self.choices else None
        self._filter = ""
        self._is_typing = False

    @property
    def visible(self) -> list[Choice]:
        """Those that the filter leaves."""
        words = self._filter.lower().split()
        return [choice for choice in self.choices if all(word in choice.label.lower() for word in words)]

    @property
    def hint(self) -> str:
        """Say how one is chosen."""
        if not self.visible:
            return "Nothing is called so: Esc clears the filter."
        return f"Choose one: its key, or the arrows{', or / to filter' if self._is_long else ''}; then Enter."

    def take(self, key: str, character: str | None) -> bool:
        """Take a key that chooses or filters; tell whether it did."""
        if self._is_typing:
            return self._type(key, character)
        if key == "slash" and self._is_long:
            self._is_typing = True
            return True
        for choice in self.choices:
            if character and character == choice.key:
                self.chosen = choice
                return True
        if key == "escape" and self._filter:
            self._narrow("")
            return True
        return False

    def move(self, steps: int) -> None:
        """Highlight the next choice, or the one before."""
        visible = self.visible
        if not visible:
            return
        if self.chosen not in visible:
            self.chosen = visible[0 if steps > 0 else -1]
        else:
            self.chosen = visible[(visible.index(self.chosen) + steps) % len(visible)]

    def lines(self, width: int) -> list[Line]:
        """Write the choices, the highlighted one marked."""
        return self._list(width) if self._is_long else self._rows(width)

    @property
    def _is_long(self) -> bool:
        return len(self.choices) > _MANY

    def _type(self, key: str, character: str | None) -> bool:
        if key in ("down", "up"):
            return False
        if key in ("enter", "escape"):
            self._is_typing = False
            self._narrow(self._filter if key == "enter" else "")
        elif key == "backspace":
            self._narrow(self._filter[:-1])
        elif character and character.isprintable():
            self._narrow(self._filter + character)
        return True

    def _narrow(self, text: str) -> None:
        self._filter = text
        if self.chosen not in self.visible:
            self.chosen = None

    def _list(self, width: int) -> list[Line]:
        visible = self.visible
        at = visible.index(self.chosen) if self.chosen in visible else 0
        top = max(0, min(at - _LISTED // 2, len(visible) - _LISTED))
        sign = "/" + safe_text(self._filter, 60) + ("▏" if self._is_typing else "")
        count = f"  {len(visible):,} of {len(self.choices):,}, {top + 1 if visible else 0:,} and on"
        head: Line = ((sign if self._is_typing or self._filter else "/ filters", "accent"), (count, "dim"))
        return [head, *(fit(self._chip(choice), width) for choice in visible[top : top + _LISTED])]

    def _rows(self, width: int) -> list[Line]:
        lines: list[Line] = []
        line: Line = BLANK
        many = len(self.choices) > _A_FEW
        for choice in self.choices:
            chip = self._chip(choice)
            if line and (not many or width_of((*line, *chip)) > width):
                lines.append(line)
                line = BLANK
            line = (*line, *chip)
        return [*lines, line]

    def _chip(self, choice: Choice) -> Line:
        is_chosen = choice is self.chosen
        look = "cursor" if is_chosen else "plain"
        label = f" {choice.label} " if choice.label else " "
        return (("▸" if is_chosen else " ", "accent"), (f" {choice.key or ' '}", f"accent+{look}"), (label, look))

"""Checkbox list: the state is written as ``[x]``, never by colour alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType

from celery_nexus.rows.text import safe_text
from nexus_tui.widgets.lines import Line, LineView, fit, with_look


class Choices(LineView, can_focus=True):
    """Choices with a tick each; Space ticks the one under the cursor."""

    DEFAULT_CSS = "Choices { height: auto; max-height: 10; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "tick", "tick", show=False),
        Binding("down", "move(1)", "next", show=False),
        Binding("up", "move(-1)", "previous", show=False),
    ]

    def __init__(self, choices: Sequence[str], ticked: Iterable[str] = (), *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.choices = tuple(choices)
        self.ticked = set(ticked)
        self.cursor = 0
        self._top = 0

    @property
    def chosen(self) -> list[str]:
        """The ticked choices, in the order of the list."""
        return [choice for choice in self.choices if choice in self.ticked]

    def get_content_height(self, container: Any, viewport: Any, width: int) -> int:
        """Count the choices."""
        return len(self.choices)

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw the visible choices."""
        self._top = max(self.cursor - height + 1, min(self._top, self.cursor))
        lines: list[Line] = []
        for index, choice in list(enumerate(self.choices))[self._top : self._top + height]:
            on = choice in self.ticked
            sign = ("[x] ", "good") if on else ("[ ] ", "dim")
            line = fit(((" ", "plain"), sign, (safe_text(choice), "strong" if on else "plain")), width)
            lines.append(with_look(line, "cursor") if self.has_focus and index == self.cursor else line)
        return lines

    def action_tick(self) -> None:
        """Tick or untick the choice under the cursor."""
        self.ticked ^= {self.choices[self.cursor]}
        self.redraw()

    def action_move(self, steps: int) -> None:
        """Move the cursor."""
        self.cursor = max(0, min(self.cursor + steps, len(self.choices) - 1))
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Tick what was clicked."""
        if self._top + event.y < len(self.choices):
            self.cursor = self._top + event.y
            self.action_tick()

    def watch_has_focus(self, has_focus: bool) -> None:
        """Draw the cursor as active or resting."""
        super().watch_has_focus(has_focus)
        self.redraw()

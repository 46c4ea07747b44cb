"""Dialog with the user's contexts, to switch to one."""

from __future__ import annotations

import os
from typing import ClassVar

from textual.binding import Binding, BindingType

from celery_nexus.privacy.masking import mask_text
from celery_nexus.rows.text import safe_text
from nexus_tui.front_door.contexts import EXAMPLE, Context, ContextsFile
from nexus_tui.screens.dialogs.modal import Question
from nexus_tui.widgets.lines import BLANK, Line, fit
from nexus_tui.widgets.wrapping import wrap

_LISTED = 20
"""Most contexts that are shown at once."""


class ContextsScreen(Question[str]):
    """Lists the contexts with what they are and what is wrong with them; Enter goes to one.

    Args:
        found: The user's file.
        current: Name of the one that is open; None: of none.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "go there"),
        Binding("down,j", "move(1)", "next", show=False),
        Binding("up,k", "move(-1)", "previous", show=False),
        Binding("q", "cancel", "close", show=False),
    ]

    def __init__(self, found: ContextsFile, current: str | None) -> None:
        super().__init__()
        self._found = found
        self._names = list(found.contexts)
        self._current = current
        self._at = self._names.index(current) if current in self._names else 0

    def action_move(self, steps: int) -> None:
        """Highlight another one."""
        if self._names:
            self._at = (self._at + steps) % len(self._names)
            self.write_anew()

    def action_choose(self) -> None:
        """Go to the highlighted one."""
        if self._names:
            self.dismiss(self._names[self._at])

    def write(self, width: int) -> list[Line]:
        """Write the contexts, the file's place, the keys."""
        width = max(width, 10)
        lines: list[Line] = [(("Contexts", "strong"),), BLANK]
        top = max(0, min(self._at - _LISTED // 2, len(self._names) - _LISTED))
        names = self._names[top : top + _LISTED]
        lines += [fit(self._row(self._found.contexts[name]), width) for name in names]
        about = [problem for problem in self._found.problems if not problem.context]
        lines += [((part, "bad"),) for problem in about for part in wrap(safe_text(str(problem)), width)]
        if not self._names and not about:
            lines += [(("There are none yet; begin the file so:", "plain"),), BLANK]
            lines += [((f"  {line}", "good"),) for line in EXAMPLE.split("\n")]
        lines += [BLANK, *(((part, "dim"),) for part in wrap(safe_text(self._found.path), width)), BLANK]
        go: Line = (("Enter", "accent"), (" go there   ", "plain")) if self._names else ()
        return [*lines, (*go, ("Esc", "accent"), (" close", "plain"))]

    def _row(self, context: Context) -> Line:
        is_chosen = context.name == self._names[self._at]
        place = mask_text(context.broker or context.app or "")
        return (
            ("▸ " if is_chosen else "  ", "accent"),
            (f" {safe_text(context.name, 30)} ", f"chip-{context.shown_colour}"),
            (f" {safe_text(place, 80)}", "cursor" if is_chosen else "plain"),
            ("  open now" if context.name == self._current else "", "accent"),
            *self._flags(context),
        )

    def _flags(self, context: Context) -> Line:
        if any(problem.context == context.name for problem in self._found.problems):
            return (("  ▲ wrong: nexus-tui contexts says what", "bad"),)
        missing = context.list_missing_variables(os.environ)
        if missing:
            return ((f"  ▲ {', '.join(missing)} not set", "warn"),)
        return (
            (("  production", "warn"),)
            if context.production
            else (("  read-only" if context.read_only else "", "dim"),)
        )

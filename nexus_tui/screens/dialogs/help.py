"""The keys of a view, read from its bindings."""

from __future__ import annotations

from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen

from celery_nexus.rows.text import safe_text
from nexus_tui.screens.dialogs.modal import Dialog
from nexus_tui.screens.frame.host import Host
from nexus_tui.screens.frame.offers import explain_refusal, is_offer
from nexus_tui.widgets.lines import BLANK, Line
from nexus_tui.widgets.reader import Reader


class HelpScreen(Dialog[None]):
    """Every key that does something on the screen below."""

    DEFAULT_CSS = "HelpScreen > .box { height: 90%; max-width: 76; } HelpScreen Reader { height: 1fr; }"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,question_mark", "cancel", "close", show=False)]

    def __init__(self, below: Screen[None]) -> None:
        super().__init__()
        self._lines = key_lines(below)
        self._about = safe_text((type(below).__doc__ or "").partition("\n")[0].replace("``", ""), 200)

    def compose(self) -> ComposeResult:
        """Make the page."""
        with Vertical(classes="box"):
            yield Reader("Keys of this view · Esc closes")

    def on_mount(self) -> None:
        """Write the page."""
        reader = self.query_one(Reader)
        reader.show([((f" {self._about}", "plain"),), BLANK, *self._lines])
        reader.focus()


def key_lines(screen: Screen[None]) -> list[Line]:
    """List a screen's keys: those that change the world apart, then the others; keys of one action together."""
    keys: dict[str, list[str]] = {}
    words: dict[str, str] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if not binding.description or binding.system:
            continue
        keys.setdefault(binding.action, []).append(screen.app.get_key_display(binding))
        words[binding.action] = binding.tooltip or binding.description
    refusals = {action: explain_refusal(action, cast(Host, screen.app).sources) for action in keys}
    rows = {
        action: _row(", ".join(dict.fromkeys(keys[action])), words[action], is_allowed=not refusals[action])
        for action in keys
    }
    changes = [row for action, row in rows.items() if is_offer(action)]
    lines: list[Line] = []
    if changes:
        lines += [((" Changes the world, and asks first", "warn"),), *changes]
        lines += [((f"   grey: {why}", "dim"),) for why in dict.fromkeys(filter(None, refusals.values()))]
        lines.append(BLANK)
    lines.append(((" Looks", "accent"),))
    return lines + [row for action, row in rows.items() if not is_offer(action)]


def _row(keys: str, words: str, *, is_allowed: bool) -> Line:
    return ((f"   {keys:<18}", "strong" if is_allowed else "dim"), (words, "plain" if is_allowed else "dim"))

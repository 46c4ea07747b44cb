"""One line of names to choose from, the chosen one inverted."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.message import Message

from celery_nexus.rows.text import safe_text
from nexus_tui.widgets.lines import Line, LineView, Span, fit

MOST_CHARACTERS = 24


class Chips(LineView):
    """Names, each in its colour; a click chooses one."""

    DEFAULT_CSS = "Chips { height: 1; }"

    class Chosen(Message):
        """A name was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._chips: Sequence[tuple[str, str, str]] = ()
        self._chosen = ""

    def show(self, chips: Sequence[tuple[str, str, str]], chosen: str) -> None:
        """Show other names: what each is called, its words, and its look."""
        if (chips, chosen) != (self._chips, self._chosen):
            self._chips, self._chosen = chips, chosen
            self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw them; those that have no room are left out."""
        spans: list[Span] = [(" ", "plain")]
        spans += [(text, "tab" if name == self._chosen else look) for name, text, look in self._drawn()]
        return [fit(tuple(spans), width)]

    def on_click(self, event: events.Click) -> None:
        """Choose the name that was clicked."""
        start = 1
        for name, text, _ in self._drawn():
            if start <= event.x < start + len(text):
                self.post_message(self.Chosen(name))
            start += len(text)

    def _drawn(self) -> list[tuple[str, str, str]]:
        return [(name, f" {safe_text(words, MOST_CHARACTERS)} ", look) for name, words, look in self._chips]

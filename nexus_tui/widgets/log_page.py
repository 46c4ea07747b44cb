"""Page of a log: lines that are added above and below while one reads on, and matches of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.reader import Reader


class LogPage(Reader):
    """A reader of a part of something long: at its ends it asks for more.

    Args:
        title: Words of the panel's title.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "search(1)", "next match"),
        Binding("N", "search(-1)", "match before"),
    ]

    class More(Message):
        """What is before the first line (-1) or after the last one (1) is wanted."""

        def __init__(self, direction: int) -> None:
            super().__init__()
            self.direction = direction

        def can_replace(self, message: Message) -> bool:
            """One wish is enough."""
            return isinstance(message, LogPage.More) and message.direction == self.direction

    class Search(Message):
        """The next match (1), or the one before (-1), is wanted."""

        def __init__(self, direction: int) -> None:
            super().__init__()
            self.direction = direction

    class Followed(Message):
        """The end is looked at, or no longer."""

    def __init__(self, title: str = "", *, id: str | None = None) -> None:
        super().__init__(title, at_end=True, id=id)
        self._head = 1
        self.is_searching = False
        self._first = 0

    @property
    def is_at_end(self) -> bool:
        """Whether the last line is looked at, and what comes after it is shown at once."""
        return self._at_end

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave ``n`` to others while nothing is searched for."""
        return self.is_searching if action == "search" else super().check_action(action, parameters)

    def put(self, text: Sequence[Line], first: int, *, stale: str = "") -> None:
        """Show lines of which the first has a number; what is looked at stays where it is."""
        before = self._first - first
        self._first = first
        if before > 0:
            self.top += self.count_wrapped(text[:before])
        elif before < 0:
            self.top = max(0, self.top - self.count_wrapped(self._text[:-before]))
        self.show(text, stale=stale)

    def reveal(self, place: int) -> None:
        """Bring a line to the middle of the page."""
        self._at_end = False
        self.top = max(0, self.count_wrapped(self._text[:place]) - self.size.height // 2)
        self.redraw()

    def follow(self) -> None:
        """Go to the end, and stay there."""
        self.action_edge(1)

    def action_search(self, direction: int) -> None:
        """Go to another match."""
        self.post_message(self.Search(direction))

    def action_edge(self, last: int) -> None:
        """Go to the first line that is here, or to the end of all."""
        super().action_edge(last)
        self.post_message(self.Followed())
        if not last:
            self.post_message(self.More(-1))

    def scroll_lines(self, top: int) -> None:
        """Scroll, and ask for more at the ends."""
        was_at_end = self._at_end
        super().scroll_lines(top)
        if top < 0:
            self.post_message(self.More(-1))
        elif top > self.top:
            self.post_message(self.More(1))
        if was_at_end != self._at_end:
            self.post_message(self.Followed())

"""The pane beside a list: lines about the row under its cursor."""

from __future__ import annotations

from collections.abc import Sequence

from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.reader import Reader


class Detail(Reader, can_focus=False):
    """Lines about one row; the keys stay with the list."""

    def tell(self, title: str, text: Sequence[Line], *, stale: str = "") -> None:
        """Show another row's lines, from their beginning, or the same row's anew."""
        if title != self.title:
            self.title, self.top = title, 0
        self.show(text, stale=stale)

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Draw nothing while there is no row."""
        return super().build(width, height) if self.title else ()

"""Dialog with the full text of an input error."""

from __future__ import annotations

from collections.abc import Sequence

from celery_nexus.rows.text import safe_text
from nexus_tui.widgets.lines import Line, LineView, fit, width_of
from nexus_tui.widgets.wrapping import wrap

_MOST = 6


class Problem(LineView):
    """The keys of a form; when something is wrong that, over as many lines as it takes."""

    DEFAULT_CSS = "Problem { height: auto; }"

    def __init__(self, keys: Line, right: Line = ()) -> None:
        super().__init__(id="problem")
        self._keys = keys
        self._right = right
        self._problem = ""

    def say(self, problem: str, keys: Line | None = None) -> None:
        """Show what is wrong, or the keys when nothing is."""
        self._problem = safe_text(problem, 1000)
        self._keys = self._keys if keys is None else keys
        self.refresh(layout=True)
        self.redraw()

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Count the lines."""
        return len(self._write(max(width, 10)))

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Write them."""
        return self._write(max(width, 10))

    def _write(self, width: int) -> list[Line]:
        parts = list(wrap(f"▲ {self._problem}", width))[:_MOST] if self._problem else []
        *lines, last = [((part, "bad"),) for part in parts] or [self._keys]
        room = max(width - width_of(self._right), 0)
        if parts and width_of(last) > room:
            return [*lines, last]
        return [*lines, (*fit(last, room), *self._right)]

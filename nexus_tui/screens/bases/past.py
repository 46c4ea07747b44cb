"""Base class of views of the past: a time span, and a table of figures that follows the history."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from celery_nexus.rows import moment
from nexus_tui.screens.bases.reading import ReadingScreen
from nexus_tui.widgets.tables.table import Table

SPANS = {"1h": 3600.0, "24h": 86_400.0, "7d": 7 * 86_400.0, "30d": 30 * 86_400.0}
"""Spans that ``t`` goes through: their names in filters, and seconds."""

FIRST_SPAN = "24h"


@dataclass(frozen=True, slots=True)
class _Figures:
    span: str
    minute: int
    version: int
    rows: tuple[Any, ...]


class PastScreen(ReadingScreen[_Figures]):
    """Figures over a span of time; ``t`` takes another one."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("t", "span", "time span")]

    source = "history"

    nothing: ClassVar[str]
    """What is said when there are no rows, with ``{span}``."""

    def __init__(self) -> None:
        super().__init__()
        self.span = FIRST_SPAN

    @abstractmethod
    def rows_since(self, since: float) -> Sequence[Any]:
        """Read the rows; runs in a thread."""

    @property
    def path(self) -> str:
        """Say over which time."""
        return f"the last {self.span}"

    def draw(self, now: datetime) -> None:
        """Show the rows, once those of this span are there."""
        table = self.query_one("#rows", Table)
        figures = self.value
        if figures is not None and figures.span == self.span:
            table.empty = self.explain_no_runs(self.nothing.format(span=self.span))
            table.fill(figures.rows)
        table.say(stale=self.trouble(now) or self.host.troubles.history)

    def read_selection(self) -> Any:
        """Return the row under the cursor."""
        return self.query_one("#rows", Table).aimed_item

    def action_span(self) -> None:
        """Take the next span of time."""
        names = list(SPANS)
        self.span = names[(names.index(self.span) + 1) % len(names)]
        self.query_one("#rows", Table).reset()
        self.read_now()
        self.redraw_now()

    def read(self) -> _Figures:
        """Read the figures, unless neither the history nor the span nor the minute has changed."""
        history, span, now = self.host.sources.history, self.span, moment.now().timestamp()
        key = (span, int(now // 60), history.version())
        last = self.value
        if last and (last.span, last.minute, last.version) == key:
            return last
        return _Figures(*key, tuple(self.rows_since(now - SPANS[span])))

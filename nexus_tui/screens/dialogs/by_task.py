"""Dialog with a queue's messages counted by task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message as TextualMessage

from celery_nexus.errors import SourceError
from celery_nexus.rows.text import number, percent, safe_text
from celery_nexus.sources import Sources
from nexus_tui.screens.dialogs.modal import Dialog
from nexus_tui.widgets.lines import BLANK, Line
from nexus_tui.widgets.reader import Reader


class ByTaskScreen(Dialog[None]):
    """Counts of a queue's waiting messages, the most frequent task first."""

    DEFAULT_CSS = "ByTaskScreen > .box { height: auto; } ByTaskScreen Reader { height: auto; max-height: 30; }"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,t", "cancel", "close", show=False)]

    class Counted(TextualMessage):
        """The counts are there, or what is wrong."""

        def __init__(self, counts: Mapping[str, int], problem: str) -> None:
            super().__init__()
            self.counts, self.problem = counts, problem

    def __init__(self, queue: str, sources: Sources) -> None:
        super().__init__()
        self._queue = queue
        self._sources = sources

    def compose(self) -> ComposeResult:
        """Make the page."""
        with Vertical(classes="box"):
            yield Reader(f"{safe_text(self._queue, 60)} by task · Esc closes")

    def on_mount(self) -> None:
        """Count."""
        reader = self.query_one(Reader)
        reader.show([((" Counting …", "dim"),)])
        reader.focus()
        self._count()

    @work(thread=True, exclusive=True)
    def _count(self) -> None:
        try:
            self.post_message(self.Counted(self._sources.broker.count_by_task(self._queue), ""))
        except SourceError as error:
            self.post_message(self.Counted({}, safe_text(str(error), 300)))

    def on_by_task_screen_counted(self, event: Counted) -> None:
        """Write the page."""
        self.query_one(Reader).show([((f" {event.problem}", "bad"),)] if event.problem else write_lines(event.counts))


def write_lines(counts: Mapping[str, int]) -> list[Line]:
    """Write counts as lines: how many, their share, the task."""
    total = sum(counts.values())
    if not total:
        return [((" Nothing waits here.", "dim"),)]
    lines: list[Line] = [
        (
            (f" {number(count):>9}", "strong"),
            (f"  {percent(100 * count / total):>5}  ", "dim"),
            (safe_text(task, 100) or "not a message of Celery", "plain" if task else "warn"),
        )
        for task, count in counts.items()
    ]
    return [*lines, BLANK, ((f" {number(total):>9}", "strong"), ("         in all", "dim"))]

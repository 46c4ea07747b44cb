"""Screens with a list, and what is under its cursor in a pane: below the list, or beside it on a wide terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from textual import on
from textual.containers import Container
from textual.message import Message as TextualMessage
from textual.widget import Widget

from celery_nexus.rows import moment
from nexus_tui.screens.bases.base import NexusScreen
from nexus_tui.threads.poller import Feed
from nexus_tui.widgets.detail import Detail
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.tables.table import Table


class ListPane(Container):
    """A list, and the pane beside or below it.

    The rules are this widget's own: Textual takes those of a screen's first base alone.
    """

    SCOPED_CSS = False
    DEFAULT_CSS = """
    ListPane { height: 1fr; }
    ListPane Detail { display: none; }
    .-tall ListPane Detail { display: block; height: 12; }
    .-wide ListPane { layout: horizontal; }
    .-wide ListPane Table { width: 3fr; }
    .-wide ListPane Detail { display: block; width: 2fr; height: 1fr; margin-left: 1; }
    """


class ListScreen(NexusScreen):
    """A list whose row under the cursor is told in full, where there is room for it."""

    _described: Any = None
    """The row that the pane tells of."""

    def list_and_detail(self, table: Table) -> Iterable[Widget]:
        """Make the list and its pane."""
        with ListPane(id="list"):
            yield table
            yield Detail(id="detail")

    def describe(self, item: Any, now: datetime) -> tuple[str, Sequence[Line]]:
        """Say what the pane tells of a row: its title, safe for the screen, and lines."""
        raise NotImplementedError

    def show_detail(self, now: datetime) -> None:
        """Tell of the row under the cursor."""
        table, detail = self.query_one("#rows", Table), self.query_one("#detail", Detail)
        if detail.display:
            item = self._described = table.current
            title, lines = self.describe(item, now) if item is not None else ("", ())
            detail.tell(title, lines, stale=table.stale)

    @on(Table.Aimed)
    def _aimed(self) -> None:
        if self.query_one("#rows", Table).current is not self._described:  # else it was drawn with its list
            self.show_detail(moment.now())


class ReadingListScreen(ListScreen):
    """A list whose pane also shows what has to be read about the row under the cursor."""

    more_source: ClassVar[str]
    """Which source is read: ``broker`` or ``history``."""

    class MoreRead(TextualMessage):
        """What there is about the row under the cursor was read."""

    def __init__(self) -> None:
        super().__init__()
        self._more: Feed[tuple[str, Any]] | None = None
        self._more_key = ""

    def on_mount(self) -> None:
        """Begin to read."""
        self._more = Feed(
            self.more_source, self._read_more, lambda: self.post_message(self.MoreRead()), interval_s=1.0, calm_s=1.5
        )
        self._more.start()

    def on_unmount(self) -> None:
        """Stop reading."""
        if self._more:
            self._more.stop()

    def own_feeds(self) -> Iterable[Feed[Any]]:
        """Return the pane's feed, too."""
        yield from super().own_feeds()
        if self._more:
            yield self._more

    def read_more(self, key: str) -> Any:
        """Read what there is about a row; runs in a thread."""
        raise NotImplementedError

    def more(self, key: str) -> Any:
        """Return what was read about a row; None while it is on its way."""
        if key != self._more_key:
            self._more_key = key
            if self._more:
                self._more.read_now()
        read = self._more.reading.value if self._more else None
        return read[1] if read and read[0] == key else None

    @on(MoreRead)
    def _more_read(self) -> None:
        if not self.host.frozen:
            self.show_detail(moment.now())

    def _read_more(self) -> tuple[str, Any]:
        key = self._more_key
        is_shown = key and self.query_one("#detail").display
        return key, self.read_more(key) if is_shown else None

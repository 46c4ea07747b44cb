"""Queues view, and the view of one queue's messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from celery_nexus.actions.queues import PauseQueue, ResumeQueue
from celery_nexus.errors import SourceError
from celery_nexus.filters.parser import parse
from celery_nexus.rows import moment
from celery_nexus.rows.broker import Message, QueueStats
from celery_nexus.rows.text import UNKNOWN, number, safe_text, short_id
from nexus_tui.screens.bases.arranging import ArrangedScreen
from nexus_tui.screens.bases.beside import ListScreen, ReadingListScreen
from nexus_tui.screens.bases.filtering import FilteringScreen
from nexus_tui.screens.bases.operations import QueueOperations, RunOperations, gate_of
from nexus_tui.screens.bases.reading import ReadingScreen
from nexus_tui.screens.frame.offers import bindings
from nexus_tui.screens.panes.details import describe_message, describe_queue
from nexus_tui.screens.queue_search import QueueSearch
from nexus_tui.screens.tables import cells
from nexus_tui.screens.tables.needs import weigh_queue
from nexus_tui.screens.tables.queue_past import QueueMore, add_chart
from nexus_tui.view_export import MOST_ROWS
from nexus_tui.widgets.completion import Candidate
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.tables.arrangement import Arrangement
from nexus_tui.widgets.tables.table import Table

NOTHING_WAITS = "Nothing waits here: press n to submit a task"
NO_MATCH = "Nothing that waits here matches: / changes the filter, Esc in it shows everything"
NO_QUEUES = "No queues known yet"
MOST_COMING = 8
"""Messages of a queue that the pane shows."""

HOUR_S = 3600
"""Span of the chart of a queue."""

LOOK_AROUND = 1000
"""Messages in front of the page that are searched for the cursor's: that many may be taken meanwhile."""


class QueuesScreen(ArrangedScreen, ReadingListScreen, QueueOperations):
    """Every queue; the pane says who takes from one and what is next to run; Enter opens its messages."""

    view = "queues"

    more_source = "broker"

    def body(self) -> Iterable[Widget]:
        """Make the table."""
        table = Table(
            cells.QUEUE_COLUMNS,
            cells.queue_cells,
            lambda queue: queue.name,
            title="Queues",
            empty=NO_QUEUES,
            arrangement=Arrangement(cells.QUEUE_COLUMNS, weigh_queue, cells.QUEUE_FIELDS),
            id="rows",
        )
        yield from self.list_and_detail(table)

    def describe(self, item: Any, now: datetime) -> tuple[str, Sequence[Line]]:
        """Tell of the queue under the cursor."""
        more: QueueMore | None = self.more(item.name)
        words = describe_queue(item, more and more.coming)
        size = self.query_one("#detail").size
        lines = add_chart(words, more.slices if more else (), size.width, size.height - 1, now)
        return safe_text(item.name), lines

    def read_more(self, key: str) -> QueueMore:
        """Read what is next to run in a queue, and what moved in the last hour."""
        coming, history = self.host.sources.broker.messages(key, MOST_COMING), self.host.sources.history
        try:
            slices = history.chart(moment.now().timestamp() - HOUR_S, queue=key)
        except SourceError:  # the view is about the broker: without a history there is no chart
            slices = []
        return QueueMore(coming, slices)

    def draw(self, now: datetime) -> None:
        """Show the queues."""
        table = self.query_one("#rows", Table)
        queues = self.host.snapshot.queues.value
        if queues is not None:
            table.fill(queues)
        table.say(stale=self.host.troubles.broker, note=cells.RATES_NOTE)
        self.show_detail(now)

    def read_selection(self) -> Any:
        """Return the queue under the cursor."""
        return self.query_one("#rows", Table).aimed_item

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        self.app.push_screen(QueueScreen(event.item.name))


@dataclass(frozen=True, slots=True)
class Messages:
    """What was read of a queue: a part of it, or all that was found by a filter, and how far that is."""

    offset: int
    rows: Sequence[Message]
    filter_text: str = ""
    progress: str = ""


class QueueScreen(FilteringScreen, ListScreen, RunOperations, ReadingScreen[Messages]):
    """The messages that wait in a queue, in the order in which they will run; ``/`` searches all of them."""

    view = "queues"
    source = "broker"
    interval_s = 0.5
    calm_s = 0.8

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(PauseQueue, ResumeQueue),
        Binding("t", "by_task", "count by task", show=False),
    ]

    def __init__(self, queue: str) -> None:
        super().__init__()
        self.queue = queue
        self._search: QueueSearch | None = None
        self._offset = 0
        self._is_wanted = False

    def body(self) -> Iterable[Widget]:
        """Make the table."""
        table = Table(
            cells.MESSAGE_COLUMNS,
            cells.message_cells,
            lambda message: message.id,
            title="Waiting in run order",
            empty=NOTHING_WAITS,
            id="rows",
        )
        yield from self.list_and_detail(table)

    def describe(self, item: Any, now: datetime) -> tuple[str, Sequence[Line]]:
        """Tell of the message under the cursor."""
        return f"{safe_text(cells.short_task(item.task) or UNKNOWN)} {short_id(item.id)}", describe_message(item)

    @property
    def path(self) -> str:
        """Name the queue and what waits in it."""
        stats = self._stats()
        if stats is None:
            return safe_text(self.queue, 60)
        paused = " · ∥ paused" if stats.paused else ""
        filtered = f" /{safe_text(self.filter_text, 60)}" if self.filter_text else ""
        return f"{safe_text(self.queue, 60)} · {number(stats.waiting)} waiting{paused}{filtered}"

    def draw(self, now: datetime) -> None:
        """Show the messages."""
        table = self.query_one("#rows", Table)
        stats = self._stats()
        table.empty = NOTHING_WAITS if self._search is None else NO_MATCH
        page = self.value
        if page is not None and page.filter_text == self.filter_text:
            full = len(page.rows) >= table.page and self._search is None
            last = page.offset + len(page.rows)
            table.show(page.rows, offset=page.offset, total=stats.waiting if stats and full else last)
        table.say(stale=self.trouble(now), note=self._note(stats))
        self.show_detail(now)

    def _note(self, stats: QueueStats | None) -> str:
        """Say how far a search is, else what is wrong with the queue."""
        page = self.value
        if page is not None and page.progress and page.filter_text == self.filter_text:
            return page.progress
        if stats is None:
            return ""
        if stats.paused:
            return "∥ paused: nothing of it starts before P resumes it"
        return safe_text(f"▲ {stats.verdict}: {stats.reason}", 200) if stats.verdict else ""

    def read_selection(self) -> Any:
        """Return the message under the cursor."""
        return self.query_one("#rows", Table).aimed_item

    def read_exported(self, table: Table) -> Sequence[Any]:
        """Read the messages that match, in run order."""
        if self._search is not None:
            return self._search.rows
        return self.host.sources.broker.messages(self.queue, MOST_ROWS)

    def ids_from(self, first: int, count: int) -> list[str]:
        """Read ids of the queue's messages."""
        if self._search is not None:
            return [message.id for message in self._search.rows[first : first + count]]
        return [message.id for message in self.host.sources.broker.messages(self.queue, count, first)]

    @property
    def filter_kind(self) -> str:
        """Messages have fields of runs, not of queues."""
        return "messages"

    @property
    def filter_text(self) -> str:
        """The filter."""
        return "" if self._search is None else self._search.filter_text

    def complete_filter(self, text: str) -> Sequence[Candidate]:
        """Offer fields of runs and their values in the history."""
        return self.host.complete_run_filter(text)

    def check_filter(self, text: str) -> None:
        """Look at a filter while it is typed: the queue is searched when it is entered."""
        parse(text)

    def set_filter(self, text: str) -> None:
        """Look through the whole queue for what matches; without a filter show all of it."""
        parse(text)
        broker = self.host.sources.broker
        self._search = QueueSearch(lambda: broker.search(self.queue, text), text) if text.strip() else None
        self._offset = 0
        self.query_one("#rows", Table).reset()
        self.read_now()
        self.redraw_now()

    def offer_gate(self) -> None:
        """Ask to pause the queue, or to resume it."""
        gate_of(self.host, self.queue)

    def action_by_task(self) -> None:
        """Count what waits by task."""
        from nexus_tui.screens.dialogs.by_task import ByTaskScreen

        self.app.push_screen(ByTaskScreen(self.queue, self.host.sources))

    def draw_read(self) -> None:
        """Show the messages; those that were scrolled to also on a frozen screen."""
        if not self.host.frozen or self._is_wanted:
            self._is_wanted = False
            self.redraw_now()

    @on(Table.Wanted)
    def _wanted(self, event: Table.Wanted) -> None:
        self._is_wanted = True
        if event.offset != self._offset:
            self._offset = event.offset
            self.read_now()

    @on(Table.HeadClicked)
    def _head_clicked(self) -> None:
        self.host.tell("Messages are listed in the order in which they run: / filters them, B gives another priority")

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        if event.item.id:
            self.host.open_run(event.item.id)
        else:
            self.action_raw()

    def read(self) -> Messages:
        """Read the visible page; when the queue got shorter in front of it, the one that holds the cursor's message."""
        search = self._search
        if search is not None:
            return Messages(0, search.go_on(), search.filter_text, search.words)
        return Messages(*self._read_page())

    def _read_page(self) -> tuple[int, Sequence[Message]]:
        broker, table = self.host.sources.broker, self.query_one("#rows", Table)
        offset = self._offset
        messages = broker.messages(self.queue, table.page, offset)
        is_lost = table.cursor_id and all(message.id != table.cursor_id for message in messages)
        if offset and (not messages or (is_lost and table.is_near(offset))):
            return self._around(table, offset, messages)
        return offset, messages

    def _around(self, table: Table, offset: int, messages: list[Message]) -> tuple[int, list[Message]]:
        broker = self.host.sources.broker
        first = max(0, offset - LOOK_AROUND)
        around = broker.messages(self.queue, LOOK_AROUND + table.page, first)
        if not around:
            self._offset = 0
            return 0, broker.messages(self.queue, table.page, 0)
        place = next((place for place, row in enumerate(around) if row.id == table.cursor_id), None)
        if place is None and messages:
            return offset, messages
        start = max(0, (len(around) if place is None else place) - table.page // 2)
        self._offset = first + start
        return self._offset, around[start : start + table.page]

    def _stats(self) -> QueueStats | None:
        queues = self.host.snapshot.queues.value or ()
        return next((queue for queue in queues if queue.name == self.queue), None)

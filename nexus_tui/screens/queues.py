"""Queues view, and the view of one queue's messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from celery_nexus.actions.queues import PauseQueue, ResumeQueue
from celery_nexus.rows.broker import Message, QueueStats
from celery_nexus.rows.text import UNKNOWN, number, safe_text, short_id
from nexus_tui.screens.arranging import ArrangedScreen
from nexus_tui.screens.beside import ListScreen, ReadingListScreen
from nexus_tui.screens.details import describe_message, describe_queue
from nexus_tui.screens.offers import bindings
from nexus_tui.screens.operations import QueueOperations, RunOperations, gate_of
from nexus_tui.screens.reading import ReadingScreen
from nexus_tui.screens.tables import cells
from nexus_tui.screens.tables.needs import weigh_queue
from nexus_tui.widgets.arrangement import Arrangement
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.table import Table

NO_QUEUES = "No queues known yet"
MOST_COMING = 8
"""Messages of a queue that the pane shows."""

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
        return safe_text(item.name), describe_queue(item, self.more(item.name))

    def read_more(self, key: str) -> list[Message]:
        """Read what is next to run in a queue."""
        return self.host.sources.broker.messages(key, MOST_COMING)

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


class QueueScreen(ListScreen, RunOperations, ReadingScreen[tuple[int, list[Message]]]):
    """The messages that wait in a queue, in the order in which they will run."""

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
        self._offset = 0
        self._is_wanted = False

    def body(self) -> Iterable[Widget]:
        """Make the table."""
        table = Table(
            cells.MESSAGE_COLUMNS,
            cells.message_cells,
            lambda message: message.id,
            title="Waiting in run order",
            empty="Nothing waits here: press n to submit a task",
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
        return f"{safe_text(self.queue, 60)} · {number(stats.waiting)} waiting{paused}"

    def draw(self, now: datetime) -> None:
        """Show the messages."""
        table = self.query_one("#rows", Table)
        if self.value is not None:
            offset, messages = self.value
            stats = self._stats()
            full = len(messages) >= table.page
            table.show(messages, offset=offset, total=stats.waiting if stats and full else offset + len(messages))
        stats = self._stats()
        note = "∥ paused: nothing of it starts before P resumes it" if stats and stats.paused else ""
        note = note or (safe_text(f"▲ {stats.verdict}: {stats.reason}", 200) if stats and stats.verdict else "")
        table.say(stale=self.trouble(now), note=note)
        self.show_detail(now)

    def read_selection(self) -> Any:
        """Return the message under the cursor."""
        return self.query_one("#rows", Table).aimed_item

    def ids_from(self, first: int, count: int) -> list[str]:
        """Read ids of the queue's messages."""
        return [message.id for message in self.host.sources.broker.messages(self.queue, count, first)]

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

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        if event.item.id:
            self.host.open_run(event.item.id)
        else:
            self.action_raw()

    def read(self) -> tuple[int, list[Message]]:
        """Read the visible page; when the queue got shorter in front of it, the one that holds the cursor's message."""
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

"""Contexts: the brokers of the user's file on one screen, to see where trouble is and to go there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from textual import on
from textual.message import Message as TextualMessage
from textual.widget import Widget

from celery_nexus.errors import Unreachable
from celery_nexus.filters.table import Field, Kind
from celery_nexus.rows.text import UNKNOWN, age, number, safe_text
from nexus_tui.documents import place_of
from nexus_tui.front_door.contexts import EXAMPLE, ContextsFile
from nexus_tui.front_door.glances import ContextRow, Glance, Glances, sum_up
from nexus_tui.screens.bases.arranging import ArrangedScreen
from nexus_tui.screens.bases.beside import ListScreen
from nexus_tui.screens.tables.cells import Cells, text
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.tables.arrangement import Arrangement
from nexus_tui.widgets.tables.columns import Column
from nexus_tui.widgets.tables.table import Table


def _seen(name: str) -> Callable[[Any], Any]:
    """Make a reader of one figure of a glance."""

    def read(row: Any) -> Any:
        return row.glance and getattr(row.glance, name)

    return read


COLUMNS = (
    Column("CONTEXT", 16, flex=1, field=Field("name", Kind.NAME)),
    Column("WAITING", 9, right=True, field=Field("waiting", Kind.NUMBER, _seen("waiting"))),
    Column("OLDEST", 8, right=True, field=Field("oldest", Kind.DURATION, _seen("oldest_age_s"))),
    Column("FAILED 1 H", 10, right=True, field=Field("failed", Kind.NUMBER, _seen("failed"))),
    Column("STATE", 22, flex=3, field=Field("state", Kind.TEXT, lambda row: _state(row)[0])),
    Column("IN FLIGHT", 9, right=True, field=Field("in_flight", Kind.NUMBER, _seen("in_flight"))),
    Column("WHERE", 26, flex=2, field=Field("where", Kind.TEXT, lambda row: place_of(row.context))),
)


class ContextsScreen(ArrangedScreen, ListScreen):
    """Every context of your file with what waits there, how long, and what failed; Enter goes there.

    Args:
        found: The user's file.
    """

    view = "contexts"

    class Changed(TextualMessage):
        """A broker was looked at."""

    def __init__(self, found: ContextsFile) -> None:
        super().__init__()
        self._found = found
        self._glances: Glances | None = None

    @property
    def path(self) -> str:
        """Say what is open."""
        return "contexts"

    def body(self) -> Iterable[Widget]:
        """Make the table."""
        example = EXAMPLE.replace("\n", "  ")
        table = Table(
            COLUMNS,
            context_cells,
            lambda row: row.name,
            title="Contexts",
            empty=f"There are none yet: begin {safe_text(self._found.path, 200)} with {example}",
            ageing=True,
            arrangement=Arrangement(COLUMNS),
            id="rows",
        )
        yield from self.list_and_detail(table)

    def on_mount(self) -> None:
        """Begin to look; the cursor is on the one that is open."""
        context = self.host.context
        current = None if context is None else (context.name, self._look_at_current)
        self._glances = Glances(self._found, current, lambda: self.post_message(self.Changed()))
        self._glances.start()
        names = list(self._found.contexts)
        self.redraw_now()
        if current is not None and current[0] in names:
            self.query_one(Table).action_go(names.index(current[0]))

    def _look_at_current(self) -> Glance:
        """Sum up what the dashboard reads anyway."""
        queues, hour = self.host.snapshot.queues.value, self.host.recent.hour
        if queues is None:
            raise Unreachable(self.host.troubles.broker or "its queues are not read yet")
        return sum_up(queues, hour.failed if hour else None)

    def on_unmount(self) -> None:
        """Stop looking."""
        if self._glances:
            self._glances.stop()

    def draw(self, now: datetime) -> None:
        """Show what is known of each."""
        table = self.query_one(Table)
        if self._glances:
            table.fill(self._glances.rows())
        problems = [str(problem) for problem in self._found.problems if not problem.context]
        table.say(stale=safe_text("; ".join(problems), 300), note=safe_text(self._found.path, 100))
        self.show_detail(now)

    def describe(self, item: Any, now: datetime) -> tuple[str, Sequence[Line]]:
        """Tell of the context under the cursor."""
        return safe_text(item.name, 60), describe_context(item)

    def read_selection(self) -> Any:
        """Return the context under the cursor."""
        row = self.query_one(Table).aimed_item
        return row.context if row else None

    def action_why(self) -> None:
        """Say why nothing is known of a broker."""
        row: ContextRow | None = self.query_one(Table).aimed_item
        if row is not None:
            self.host.tell(row.trouble or "Enter goes there: w then says what holds a queue", title=row.name)

    def action_read_again(self) -> None:
        """Look at every broker now."""
        if self._glances:
            self._glances.look_now()
        super().action_read_again()

    @on(Changed)
    def _changed(self) -> None:
        if not self.host.frozen:
            self.redraw_now()

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        if event.item.is_open:
            self.action_back()
        elif problem := self.host.switch_context(event.item.name):
            self.host.tell(problem, severity="error")


def context_cells(row: ContextRow) -> Cells:
    """Draw a context."""
    glance = row.glance
    look = "dim" if row.trouble else "plain"
    return (
        ((f" {safe_text(row.name, 30)} ", f"chip-{row.context.shown_colour}"),),
        _figure(glance and glance.waiting, look),
        text(_oldest(glance), look),
        _figure(glance and glance.failed, "bad" if glance and glance.failed and not row.trouble else look),
        text(*_state(row)),
        _figure(glance and glance.in_flight, look),
        text(place_of(row.context), "dim"),
    )


def describe_context(row: ContextRow) -> list[Line]:
    """Say what a context is, what may be changed there, and what stands in the way."""
    context = row.context
    changes = "none: read-only" if context.read_only else "after :unlock 15m REASON" if context.production else "yes"
    allowed = "all" if context.allow is None else ", ".join(context.allow) or "none"
    facts = [("where", place_of(context)), ("changes", changes), ("allowed", allowed)]
    lines: list[Line] = [((f" {name:<9}", "dim"), *text(value)) for name, value in facts]
    if row.trouble:
        lines.append(((f" {safe_text(row.trouble, 1000)}", "warn"),))
    return lines


def _figure(value: int | None, look: str) -> Line:
    return ((number(value), "dim" if value is None else look),)


def _oldest(glance: Glance | None) -> str:
    if glance is None:
        return UNKNOWN
    return "–" if not glance.waiting else age(glance.oldest_age_s)


def _state(row: ContextRow) -> tuple[str, str]:
    """Say what stands in the way, else how it is opened."""
    if row.trouble:
        return f"▲ {row.trouble}", "warn"
    if row.glance is None:
        return "looking …", "dim"
    kept = "production" if row.context.production else "read-only" if row.context.read_only else ""
    words = [word for word in ("open now" if row.is_open else "", kept) if word]
    return " · ".join(words), "accent" if row.is_open else "warn" if row.context.production else "dim"

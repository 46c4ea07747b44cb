"""Audit: what operators changed, by whom, with which command, and what became of each target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from textual import on
from textual.widget import Widget

from celery_nexus.actions.queues import Undo
from celery_nexus.filters.table import Field, Kind
from celery_nexus.rows import moment
from celery_nexus.rows.audit import AuditEntry
from celery_nexus.rows.text import age, clock, number, safe_text
from nexus_tui.screens.bases.arranging import ArrangedScreen
from nexus_tui.screens.bases.beside import ListScreen
from nexus_tui.screens.bases.reading import ReadingScreen
from nexus_tui.screens.frame.host import Choice
from nexus_tui.screens.tables.cells import Cells, text
from nexus_tui.widgets.lines import BLANK, Line
from nexus_tui.widgets.tables.arrangement import Arrangement
from nexus_tui.widgets.tables.columns import Column
from nexus_tui.widgets.tables.table import Table

MOST_ENTRIES = 500
MOST_TARGETS = 50
"""Targets of one change that the pane lists."""

COLUMNS = (
    Column("WHEN", 9, right=True, field=Field("age", Kind.DURATION, lambda entry: _age_of(entry))),
    Column("ACTION", 16, field=Field("action", Kind.NAME)),
    Column("OUTCOME", 26, flex=3, field=Field("outcome", Kind.TEXT, lambda entry: entry.message)),
    Column("WHO", 12, flex=1, field=Field("who", Kind.NAME, lambda entry: f"{entry.user}@{entry.origin}")),
    Column("TARGETS", 7, right=True, field=Field("targets", Kind.NUMBER, lambda entry: entry.count)),
    Column("COMMAND", 24, flex=2, field=Field("command")),
)

FIELDS = (
    Field("target", Kind.NAME, lambda entry: tuple(target.target for target in entry.targets), is_shown=False),
    Field("via", is_shown=False),
)
"""Fields of changes without a column."""


class AuditScreen(ArrangedScreen, ListScreen, ReadingScreen[Sequence[AuditEntry]]):
    """Changes by operators, the latest first; U takes the one under the cursor back."""

    view = "audit"
    source = "broker"
    interval_s = 2.0
    calm_s = 3.0

    def body(self) -> Iterable[Widget]:
        """Make the table."""
        empty = "Nothing was changed yet: every change from here or the command line is kept"
        table = Table(
            COLUMNS,
            entry_cells,
            lambda entry: entry.id,
            title="Audit",
            empty=empty,
            follows=True,
            ageing=True,
            arrangement=Arrangement(COLUMNS, more=FIELDS),
            id="rows",
        )
        yield from self.list_and_detail(table)

    def draw(self, now: datetime) -> None:
        """Show the entries."""
        table, entries = self.query_one("#rows", Table), self.value
        if entries is not None:
            table.fill(entries)
        table.say(stale=self.trouble(now))
        self.show_detail(now)

    def describe(self, item: Any, now: datetime) -> tuple[str, Sequence[Line]]:
        """Tell of the change under the cursor."""
        return safe_text(item.action), describe_entry(item)

    def read_selection(self) -> Any:
        """Return the entry under the cursor."""
        return self.query_one("#rows", Table).aimed_item

    def name_of_selected(self) -> str:
        """Return the command that does the same, which ``c`` copies."""
        entry = self.read_selection()
        return entry.command if entry else ""

    def action_why(self) -> None:
        """Nothing holds what was done."""

    def offer_undo(self) -> None:
        """Ask to take back the change under the cursor, or say that nothing can."""
        entry: AuditEntry | None = self.read_selection()
        if entry is None or not entry.undo:
            self.host.tell("This change can't be taken back" if entry else "Nothing to undo")
            return
        label = f"take back: {safe_text(entry.message, 60)}"
        self.host.ask("Take back", [Choice.of(Undo(entry.undo), label)])

    @on(Table.Opened)
    def _opened(self) -> None:
        self.action_raw()

    def read(self) -> Sequence[AuditEntry]:
        """Read the log."""
        return tuple(self.host.sources.broker.audit.read(MOST_ENTRIES))


def entry_cells(entry: AuditEntry) -> Cells:
    """Draw a change."""
    return (
        ((f"{age(_age_of(entry))} ago", "dim"),),
        text(entry.action, "plain" if entry.done else "warn"),
        text(entry.message, "plain" if entry.done else "warn"),
        text(f"{entry.user}@{entry.origin}", "dim"),
        ((number(entry.count), "plain"),),
        text(entry.command, "dim"),
    )


def _age_of(entry: AuditEntry) -> float:
    return (moment.now() - entry.at).total_seconds()


def describe_entry(entry: AuditEntry) -> list[Line]:
    """Say who did what when, how to take it back, and what happened to each target."""
    undo = f"U, or nexus-tui undo {safe_text(entry.undo)}" if entry.undo else "can't be taken back"
    lines: list[Line] = [
        ((" when     ", "dim"), (clock(entry.at), "plain")),
        ((" who      ", "dim"), (safe_text(f"{entry.user} from {entry.origin}"), "plain")),
        ((" command  ", "dim"), (safe_text(entry.command), "plain")),
        ((" undo     ", "dim"), (undo, "plain" if entry.undo else "dim")),
        BLANK,
    ]
    for target in entry.targets[:MOST_TARGETS]:
        sign = ("✓", "good") if target.done else ("✗", "warn")
        name = safe_text(target.target)
        lines.append(((" ", "plain"), sign, (f" {name}  ", "plain"), (safe_text(target.message), "dim")))
    if entry.count > min(len(entry.targets), MOST_TARGETS):
        rest = entry.count - min(len(entry.targets), MOST_TARGETS)
        lines.append(((f"   and {number(rest)} more", "dim"),))
    return lines

"""Failures view: failed runs grouped by type and place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from celery_nexus.filters.table import Field, Kind
from celery_nexus.rows import moment
from celery_nexus.rows.history import ErrorGroup
from celery_nexus.rows.text import age, number, safe_text
from nexus_tui.screens.bases.arranging import ArrangedScreen
from nexus_tui.screens.bases.beside import ListScreen
from nexus_tui.screens.bases.past import PastScreen
from nexus_tui.screens.panes.details import describe_failures
from nexus_tui.screens.tables.cells import Cells, short_task, text
from nexus_tui.widgets.charts.glyphs import spark
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.tables.arrangement import Arrangement
from nexus_tui.widgets.tables.columns import Column
from nexus_tui.widgets.tables.table import Table

MAX_GROUPS = 500
_SPARK = 12

COLUMNS = (
    Column("FAILURE", 20, flex=1, field=Field("error", Kind.TEXT, lambda group: group.type)),
    Column("COUNT", 7, right=True, field=Field("count", Kind.NUMBER)),
    Column("OVER TIME", _SPARK),
    Column("LAST", 11, right=True, field=Field("last", Kind.DURATION, lambda group: _since(group.last_at))),
    Column("TASK", 18, flex=1, field=Field("task", Kind.TEXT, lambda group: group.tasks)),
    Column("FIRST", 11, right=True, field=Field("first", Kind.DURATION, lambda group: _since(group.first_at))),
    Column("PLACE", 22, flex=1, field=Field("place")),
    Column("SAYS", 20, flex=2, field=Field("says", Kind.TEXT, lambda group: group.message)),
)


FIELDS = (Field("new", Kind.TEXT, lambda group: group.new_since),)
"""Fields to filter by beside the columns: ``new:v2.4``."""


class FailuresScreen(ArrangedScreen, ListScreen, PastScreen):
    """Failed runs by type and place of their exception; Enter shows the runs."""

    view = "failures"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("d", "dead_letters", "dead letters")]

    nothing = "Nothing failed in the last {span}: t looks further back"

    def body(self) -> Iterable[Widget]:
        """Make the table."""
        nothing = self.nothing.format(span=self.span)
        table = Table(
            COLUMNS,
            group_cells,
            group_id,
            title="Failures",
            empty=nothing,
            ageing=True,
            arrangement=Arrangement(COLUMNS, more=FIELDS),
            id="rows",
        )
        yield from self.list_and_detail(table)

    def describe(self, item: Any, now: datetime) -> tuple[str, Sequence[Line]]:
        """Tell of the group under the cursor."""
        return safe_text(item.type), describe_failures(item, now)

    def draw(self, now: datetime) -> None:
        """Show the groups, and the one under the cursor in full."""
        super().draw(now)
        self.show_detail(now)

    def rows_since(self, since: float) -> Sequence[ErrorGroup]:
        """Read the groups, the largest first."""
        return self.host.sources.history.failures(since, limit=MAX_GROUPS)

    def name_of_selected(self) -> str:
        """Return the id of the group's latest run."""
        group = self.read_selection()
        return group.latest_id if group else ""

    def run_of_selected(self) -> str:
        """Return the id of the group's latest run."""
        return self.name_of_selected()

    def action_dead_letters(self) -> None:
        """Show what was set aside for a person."""
        self.host.obey("dead-letters")

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        self.host.obey(f"tasks {runs_of(event.item, self.span)}")


def group_id(group: ErrorGroup) -> str:
    """Tell groups apart."""
    return f"{group.type}\n{group.place}"


def runs_of(group: ErrorGroup, span: str) -> str:
    """Write the filter of a group's runs."""
    words = f'state:failure age:<{span} error:"{_quoted(group.type)}"'
    return f'{words} task:"{_quoted(group.tasks[0])}"' if len(group.tasks) == 1 and group.tasks[0] != "?" else words


def group_cells(group: ErrorGroup) -> Cells:
    """Draw a group."""
    tasks = short_task(group.tasks[0]) or "?"
    more = f" +{len(group.tasks) - 1}" if len(group.tasks) > 1 else ""
    return (
        (("✗ ", "bad"), *((("new ", "warn"),) if group.new_since else ()), *text(group.type, "bad")),
        ((number(group.count), "strong"),),
        spark(group.per_slice, _SPARK, "bad"),
        ((f"{age(_since(group.last_at))} ago", "plain"),),
        (*text(tasks), (more, "dim")),
        ((f"{age(_since(group.first_at))} ago", "dim"),),
        text(group.place or "–", "dim"),
        text(group.message.partition(": ")[2].partition("\n")[0], "dim"),
    )


def _since(at: float) -> float:
    return moment.now().timestamp() - at


def _quoted(value: Any) -> str:
    return str(value).replace('"', "*").replace("\\", "*")

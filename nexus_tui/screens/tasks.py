"""Tasks view: runs, live and past, in one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from textual import on, work
from textual.message import Message as TextualMessage
from textual.timer import Timer
from textual.widget import Widget

from celery_nexus.errors import SourceError
from celery_nexus.filters.errors import FilterError
from celery_nexus.filters.parser import parse
from celery_nexus.rows.runs import RunPage
from celery_nexus.rows.text import UNKNOWN, clock, safe_text, short_id
from nexus_tui.screens.bases.beside import ListScreen
from nexus_tui.screens.bases.filtering import FilteringScreen
from nexus_tui.screens.bases.operations import RunOperations
from nexus_tui.screens.bases.reading import ReadingScreen
from nexus_tui.screens.panes.details import describe_run
from nexus_tui.screens.tables import cells
from nexus_tui.view_export import MOST_ROWS
from nexus_tui.widgets.completion import Candidate
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.prompt import Prompt
from nexus_tui.widgets.tables.table import Table

FILTER_HINT = "state:failure queue:ai task:*pdf* worker:ai@* runtime:>30s age:<1h -state:retry (a OR b)"
NO_RUNS = "No runs yet: press n to submit one"

BUDGET_S = 2.0
"""Time limit of a page: few filters need to look at each run of a long history; the page then says how far it looked.
"""

LOOK_AROUND = 1000
"""Rows up and down that are searched for the cursor's run when it is not where the table's growth says."""

TYPING_PAUSE_S = 0.15


@dataclass(frozen=True, slots=True)
class _Page:
    filter_text: str
    version: int
    offset: int
    found: RunPage


class TasksScreen(FilteringScreen, ListScreen, RunOperations, ReadingScreen[_Page]):
    """Every run that the history knows, newest first; ``/`` filters."""

    view = "tasks"
    filter_hint = FILTER_HINT
    source = "history"
    interval_s = 0.4
    calm_s = 0.7

    class Checked(TextualMessage):
        """A filter was checked while it was typed."""

        def __init__(self, text: str, problem: str, place: int | None, *, is_entered: bool) -> None:
            super().__init__()
            self.text, self.problem, self.place, self.is_entered = text, problem, place, is_entered

    def __init__(self, filter_text: str = "") -> None:
        super().__init__()
        self._filter_text = filter_text
        self._offset = 0
        self._typing: Timer | None = None
        self._is_wanted = False

    def body(self) -> Iterable[Widget]:
        """Make the table."""
        table = Table(
            cells.RUN_COLUMNS,
            cells.run_cells,
            lambda run: run.id,
            title="Tasks",
            empty=NO_RUNS,
            follows=True,
            ageing=True,
            id="rows",
        )
        yield from self.list_and_detail(table)

    def describe(self, item: Any, now: datetime) -> tuple[str, Sequence[Line]]:
        """Tell of the run under the cursor."""
        title = f"{safe_text(cells.short_task(item.task) or UNKNOWN)} {short_id(item.id)}"
        return title, describe_run(item, now)

    @property
    def path(self) -> str:
        """Say what is filtered."""
        return f"/{safe_text(self.filter_text, 80)}" if self.filter_text else ""

    def draw(self, now: datetime) -> None:
        """Show the page of runs."""
        table = self.query_one("#rows", Table)
        page, looked_to, whole = self.value, None, ""
        if page is not None and page.filter_text == self.filter_text:
            no_runs = self.explain_no_runs(NO_RUNS)
            table.empty = "No run matches: / to change the filter" if self.filter_text else no_runs
            table.show(page.found.runs, offset=page.offset, total=page.found.total)
            looked_to, whole = page.found.looked_to, page.found.total_words
        note = f"looked back to {clock(looked_to, now)}: narrow the filter" if looked_to else ""
        table.say(stale=self.trouble(now) or self.host.troubles.history, note=note, whole=whole)
        self.show_detail(now)

    def read_selection(self) -> Any:
        """Return the run under the cursor."""
        return self.query_one("#rows", Table).aimed_item

    def read_exported(self, table: Table) -> Sequence[Any]:
        """Read the runs that match, the newest first."""
        return self.host.sources.history.runs(self.filter_text, MOST_ROWS)

    def ids_from(self, first: int, count: int) -> list[str]:
        """Read ids of runs that match."""
        return [run.id for run in self.host.sources.history.runs(self.filter_text, count, first)]

    def set_filter(self, text: str) -> None:
        """Show the runs that match; what is wrong with the filter is said where it is typed."""
        parse(text)
        if text != self.filter_text:
            self._filter_text = text
            self._offset = 0
            table = self.query_one("#rows", Table)
            table.reset()
            self.read_now()
        self.redraw_now()

    @property
    def filter_text(self) -> str:
        """The filter."""
        return self._filter_text

    def complete_filter(self, text: str) -> Sequence[Candidate]:
        """Offer fields of runs and their values in the history."""
        return self.host.complete_run_filter(text)

    @on(Table.HeadClicked)
    def _head_clicked(self) -> None:
        self.host.tell("Runs are listed by time: filter instead, by runtime:>30s or waited:>5m")

    def filter_typed(self, text: str) -> None:
        """Check the filter when the typing pauses."""
        if self._typing:
            self._typing.stop()
        self._typing = self.set_timer(TYPING_PAUSE_S, lambda: self._check(text, enter=False))

    def filter_entered(self, text: str) -> bool:
        """Check the filter, then use it; the prompt stays open until it is right."""
        if self._typing:
            self._typing.stop()
        if not text.strip():
            self.set_filter("")
            return True
        self._check(text, enter=True)
        return False

    @on(Checked)
    def _checked(self, event: Checked) -> None:
        prompt = self.query_one(Prompt)
        if not prompt.is_open or prompt.sign != "/":
            return
        is_unfinished = event.place is not None and event.place >= len(event.text) and not event.is_entered
        prompt.complain("" if is_unfinished else event.problem, event.place, hint=FILTER_HINT)
        if not event.problem:
            self.set_filter(event.text)

    @work(thread=True, exclusive=True, group="filter")
    def _check(self, text: str, *, enter: bool) -> None:
        try:
            self.host.sources.history.check(text)
            parse(text)
        except (SourceError, FilterError) as error:
            place = getattr(error, "position", None)
            self.post_message(self.Checked(text, safe_text(str(error), 300), place, is_entered=enter))
            return
        self.post_message(self.Checked(text, "", None, is_entered=enter))
        if enter:
            self.app.call_from_thread(self._close_prompt, text)

    def draw_read(self) -> None:
        """Show the runs; those that were scrolled to also on a frozen screen."""
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
        self.host.open_run(event.item.id)

    def read(self) -> _Page:
        """Read the visible page, unless neither history nor wish has changed."""
        history = self.host.sources.history
        table = self.query_one("#rows", Table)
        is_held = not table.is_following
        offset = self._offset if is_held else 0
        text, version = self.filter_text, history.version()
        last = self.value
        if last and (last.filter_text, last.version, last.offset) == (text, version, offset):
            return last
        found = history.page(text, table.page, offset, BUDGET_S)
        grown = max(found.total - last.found.total, 0) if last and last.filter_text == text and is_held else 0
        if grown:  # rows came in at the top: the same runs are further down
            offset = self._offset = offset + grown
            found = history.page(text, table.page, offset, BUDGET_S)
        if is_held and table.cursor_id and all(run.id != table.cursor_id for run in found.runs):
            offset, found = self._around(table, text, offset, found)
        return _Page(text, version, offset, found)

    def _around(self, table: Table, text: str, offset: int, found: RunPage) -> tuple[int, RunPage]:
        """Look for the cursor's run near the page, where rows went that were in front of it; else keep the page."""
        if not found.runs or not table.is_near(offset):
            return offset, found
        first = max(0, offset - LOOK_AROUND)
        ids = [run.id for run in self.host.sources.history.runs(text, table.page + 2 * LOOK_AROUND, first)]
        if table.cursor_id not in ids:
            return offset, found
        offset = self._offset = max(0, first + ids.index(table.cursor_id) - table.page // 2)
        return offset, self.host.sources.history.page(text, table.page, offset, BUDGET_S)

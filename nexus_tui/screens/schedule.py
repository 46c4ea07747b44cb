"""Schedule view: what beat sends by the clock, when it is due, what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from celery_nexus.actions.schedule import BackfillEntry, PauseEntry, ResumeEntry, RunEntry, SkipEntry
from celery_nexus.errors import NotFound
from celery_nexus.rows import moment
from celery_nexus.rows.schedule import DayAhead, Schedule, ScheduleEntry
from celery_nexus.rows.text import clock, number, safe_text
from nexus_tui.screens.bases.arranging import ArrangedScreen
from nexus_tui.screens.bases.base import NexusScreen
from nexus_tui.screens.bases.beside import ListScreen
from nexus_tui.screens.bases.reading import ReadingScreen, require_present
from nexus_tui.screens.frame.host import Choice
from nexus_tui.screens.frame.offers import bindings
from nexus_tui.screens.panes.entry_details import describe_beats, describe_entry
from nexus_tui.screens.tables.schedule_cells import ENTRY_COLUMNS, ENTRY_FIELDS, entry_cells, weigh_entry
from nexus_tui.widgets.charts.day import DayBars
from nexus_tui.widgets.chrome import OneLine
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.reader import Reader
from nexus_tui.widgets.tables.arrangement import Arrangement
from nexus_tui.widgets.tables.table import Table

MOST_ENTRIES = 500
READ_EVERY_S = 5.0
CALM_S = 10.0
"""Pause between two readings while nothing changes: each asks for the latest runs of every entry."""

NO_ENTRIES = "Nothing is sent by the clock: no schedule was found"
_SECOND = timedelta(seconds=1)


class EntryOperations(NexusScreen):
    """A screen on which entries can be run, paused, resumed and skipped."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(RunEntry, PauseEntry, ResumeEntry, SkipEntry, BackfillEntry)]

    def target_entries(self) -> list[ScheduleEntry]:
        """Return the entries that a key is about; none, and said why, when there is none."""
        raise NotImplementedError

    def offer_run_entry(self) -> None:
        """Ask to publish a run now."""
        if entries := self.target_entries():
            self._ask("Run now", entries, Choice.of(RunEntry(_names(entries)), "run now"))

    def offer_entry_gate(self) -> None:
        """Ask to pause entries that beat sends, or to resume those that are paused."""
        entries = self.target_entries()
        active = [entry for entry in entries if entry.is_enabled]
        if active:
            self._ask("Pause", active, Choice.of(PauseEntry(_names(active)), "pause"))
        elif entries:
            self._ask("Resume", entries, Choice.of(ResumeEntry(_names(entries)), "resume"))

    def offer_skip_entry(self) -> None:
        """Ask to let the next due time pass without a run."""
        if entries := self.target_entries():
            self._ask("Skip the next run of", entries, Choice.of(SkipEntry(_names(entries)), "skip it"))

    def offer_missed(self) -> None:
        """Ask to publish the runs that were missed."""
        entries = self.target_entries()
        if len(entries) > 1:
            self.host.tell("this is done for one entry at a time: \\ clears the marks", severity="warning")
        elif entries:
            self._ask_missed(entries[0])

    def _ask_missed(self, entry: ScheduleEntry) -> None:
        missed, name = entry.missed, safe_text(entry.name, 60)
        if missed is None or missed.unknown:
            why = missed.unknown if missed else "the history was not read"
            self.host.tell(f"what {name} missed is not known: {why}", severity="warning")
            return
        if not missed.count or not missed.due_at:
            since = f" since {clock(missed.since)}" if missed.since else ""
            self.host.tell(f"{name} missed nothing{since}")
            return
        first, last = missed.due_at[0], missed.due_at[-1]
        since = first if missed.count == len(missed.due_at) else missed.since or first
        every = BackfillEntry(entry.name, since, only_missed=True)
        latest = BackfillEntry(entry.name, last - _SECOND, last, only_missed=True)
        choices = [Choice.of(every, f"run all {number(missed.count)} that were missed", key="a")]
        if missed.count > 1:
            choices.append(Choice.of(latest, f"run the latest alone, {clock(last)}", key="l"))
        self.host.ask(f"Missed runs of {name}", choices)

    def _ask(self, verb: str, entries: Sequence[ScheduleEntry], choice: Choice) -> None:
        named = safe_text(entries[0].name, 60) if len(entries) == 1 else f"{len(entries):,} entries"
        self.host.ask(f"{verb} {named}", [choice], lambda _outcome: self.action_read_again())

    def run_of_selected(self) -> str:
        """Return the id of the entry's latest recorded run; empty when there is none."""
        return next((run.id for entry in self.target_entries()[:1] for run in entry.outcomes[:1]), "")

    def action_why(self) -> None:
        """Say what is wrong with the entry, if anything is."""
        for entry in self.target_entries()[:1]:
            told = entry.problem or entry.next_words(moment.now())
            self.host.tell(told, title=entry.name, severity="warning" if weigh_entry(entry) == 0 else "information")


class ScheduleScreen(ArrangedScreen, ListScreen, ReadingScreen[Schedule], EntryOperations):
    """Entries of the schedule, trouble first, then what is due next; Enter tells all of one."""

    view = "schedule"
    source = "schedule"
    interval_s = READ_EVERY_S
    calm_s = CALM_S

    DEFAULT_CSS = """
    ScheduleScreen #day { display: none; height: 5; }
    ScheduleScreen.-tall #day { display: block; }
    """

    def body(self) -> Iterable[Widget]:
        """Make beat's line, the day and the table."""
        yield OneLine(id="beats")
        yield DayBars("Next 24 h · runs due a quarter of an hour", id="day")
        table = Table(
            ENTRY_COLUMNS,
            self._cells,
            lambda entry: entry.name,
            title="Schedule",
            empty=NO_ENTRIES,
            ageing=True,
            arrangement=Arrangement(ENTRY_COLUMNS, weigh_entry, ENTRY_FIELDS),
            id="rows",
        )
        yield from self.list_and_detail(table)

    def on_mount(self) -> None:
        """Keep up with the clock."""
        self.set_interval(READ_EVERY_S, self.draw_read)

    def draw_read(self) -> None:
        """Draw what was read anew, or what the clock says, while it can be seen."""
        if self.is_current:
            super().draw_read()

    def read(self) -> Schedule:
        """Read the entries, and the runs of the next day."""
        require_present(self.host)
        return self.host.sources.schedule.read(MOST_ENTRIES, day_ahead=True)

    def draw(self, now: datetime) -> None:
        """Show what was read."""
        table, found, stale = self.query_one("#rows", Table), self.value, self.trouble(now)
        if found is not None:
            self.query_one("#beats", OneLine).show(describe_beats(found.beats))
            table.fill(found.entries)
            stale = stale or "; ".join(safe_text(problem, 120) for problem in found.problems)
            self._draw_day(found, stale)
        whole = f"{found.total:,}" if found and found.total > len(found.entries) else ""
        table.say(stale=stale, whole=whole)
        self.show_detail(now)

    def describe(self, item: Any, now: datetime) -> tuple[str, Sequence[Line]]:
        """Tell of the entry under the cursor."""
        return safe_text(item.name), describe_entry(item, now)

    def read_selection(self) -> Any:
        """Return the entry under the cursor."""
        return self.query_one("#rows", Table).aimed_item

    def target_entries(self) -> list[ScheduleEntry]:
        """Return the marked entries, else the one under the cursor."""
        rows = [row.item for row in self.query_one("#rows", Table).target_rows() if row.item is not None]
        if not rows:
            self.host.tell("No entry is under the cursor", severity="warning")
        return rows

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        self.app.push_screen(EntryScreen(event.item.name))

    def _draw_day(self, found: Schedule, stale: str) -> None:
        day = self.query_one("#day", DayBars)
        if found.day is not None and day.display:
            counts, steady = sum_day(found.day)
            note = f"beside {number(steady)} due all the time" if steady else ""
            day.show(counts, found.day.since, note=note, stale=stale)

    def _cells(self, entry: ScheduleEntry) -> tuple[Line, ...]:
        found = self.value
        counts = found.day.counts.get(entry.name, ()) if found and found.day else ()
        return entry_cells(entry, counts, moment.now())


class EntryScreen(ReadingScreen[ScheduleEntry | None], EntryOperations):
    """All of one entry: times, arguments, latest runs, and the due times that passed without one."""

    view = "schedule"
    source = "schedule"
    interval_s = READ_EVERY_S
    calm_s = CALM_S

    BINDINGS: ClassVar[list[BindingType]] = [Binding("t", "runs", "its runs")]

    def __init__(self, name: str) -> None:
        super().__init__()
        self.entry_name = name

    def body(self) -> Iterable[Widget]:
        """Make the page."""
        yield Reader("Entry", id="page")

    @property
    def path(self) -> str:
        """Name the entry."""
        return safe_text(self.entry_name, 60)

    def on_mount(self) -> None:
        """Give the keys to the page."""
        self.focus_body()

    def read(self) -> ScheduleEntry | None:
        """Read the entry; None when it is no longer there."""
        try:
            return self.host.sources.schedule.entry(self.entry_name)
        except NotFound:
            return None

    def focus_body(self) -> None:
        """Give the keys to the page."""
        self.query_one(Reader).focus()

    def draw(self, now: datetime) -> None:
        """Write the page."""
        entry = self.value
        lines: Sequence[Line] = [((" Reading …", "dim"),)]
        if entry is not None:
            lines = describe_entry(entry, now)
        elif self._feed and self._feed.reading.taken_at:
            lines = [((f" The schedule has no entry {safe_text(self.entry_name, 80)} any more.", "warn"),)]
        self.query_one(Reader).show(lines, stale=self.trouble(now))

    def read_selection(self) -> Any:
        """Return the entry."""
        return self.value

    def target_entries(self) -> list[ScheduleEntry]:
        """Return the entry, once it was read."""
        entry = self.read_selection()
        return [entry] if entry else []

    def action_runs(self) -> None:
        """Show the runs of its task."""
        for entry in self.target_entries():
            self.host.obey(f'tasks task:"{entry.task}"' if '"' not in entry.task else "tasks")


def sum_day(day: DayAhead) -> tuple[list[int], int]:
    """Add up the runs of the next day; what is due in every quarter of an hour would hide the rest, and is left out.

    Returns:
        Runs in each quarter of an hour, and how many entries were left out.
    """
    known = [counts for counts in day.counts.values() if any(counts)]
    seldom = [counts for counts in known if not all(counts)]
    shown = seldom or known
    return [sum(slices) for slices in zip(*shown, strict=True)], len(known) - len(shown)


def _names(entries: Sequence[ScheduleEntry]) -> tuple[str, ...]:
    return tuple(entry.name for entry in entries)

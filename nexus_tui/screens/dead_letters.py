"""Dead letters: messages and runs that were set aside for a person, why, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from textual import on
from textual.widget import Widget

from celery_nexus.actions.dead_letters import DropDeadLetters, RetryDeadLetters
from celery_nexus.errors import NotFound
from celery_nexus.filters.table import Field, Kind
from celery_nexus.rows import moment
from celery_nexus.rows.dead_letters import DeadLetter
from celery_nexus.rows.text import UNKNOWN, age, clock, safe_lines, safe_text, short_id
from nexus_tui.screens.bases.arranging import ArrangedScreen
from nexus_tui.screens.bases.beside import ReadingListScreen
from nexus_tui.screens.bases.reading import ReadingScreen, require_present
from nexus_tui.screens.frame.host import Choice
from nexus_tui.screens.frame.offers import bindings
from nexus_tui.screens.panes.details import tell_fact
from nexus_tui.screens.tables.cells import Cells, short_task, text, text_or_unknown
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.tables.arrangement import Arrangement
from nexus_tui.widgets.tables.columns import Column
from nexus_tui.widgets.tables.table import Table

MOST_LETTERS = 500
MOST_MESSAGE_LINES = 200

COLUMNS = (
    Column("REASON", 16, field=Field("reason", Kind.NAME)),
    Column("TASK", 22, flex=1, field=Field("task")),
    Column("RUN", 8, field=Field("run", Kind.NAME, lambda letter: letter.run_id)),
    Column("AGE", 9, right=True, field=Field("age", Kind.DURATION, lambda letter: _age_of(letter))),
    Column("QUEUE", 16, field=Field("queue", Kind.NAME)),
    Column("DETAIL", 24, flex=3, field=Field("detail")),
    Column("WORKER", 16, field=Field("worker", Kind.NAME)),
)


class DeadLettersScreen(ArrangedScreen, ReadingListScreen, ReadingScreen[Sequence[DeadLetter]]):
    """What was set aside, the newest first, with the message; R puts it back, D drops it, for a day with a way back."""

    view = "failures"
    source = "broker"
    more_source = "broker"
    interval_s = 2.0
    calm_s = 5.0

    BINDINGS = bindings(RetryDeadLetters, DropDeadLetters)  # pyright: ignore[reportAssignmentType]

    def body(self) -> Iterable[Widget]:
        """Make the table."""
        table = Table(
            COLUMNS,
            letter_cells,
            lambda letter: letter.id,
            title="Dead letters",
            empty="Nothing was set aside",
            ageing=True,
            arrangement=Arrangement(COLUMNS),
            id="rows",
        )
        yield from self.list_and_detail(table)

    @property
    def path(self) -> str:
        """Name it."""
        return "dead letters"

    def draw(self, now: datetime) -> None:
        """Show the letters."""
        table = self.query_one("#rows", Table)
        if self.value is not None:
            table.fill(self.value)
        table.say(stale=self.trouble(now))
        self.show_detail(now)

    def describe(self, item: Any, now: datetime) -> tuple[str, Sequence[Line]]:
        """Tell of the letter under the cursor, with its message."""
        return safe_text(item.id), describe_letter(item, self.more(item.id), now)

    def read(self) -> Sequence[DeadLetter]:
        """Read the newest letters."""
        require_present(self.host)
        return self.host.sources.dead_letters.list(MOST_LETTERS)

    def read_more(self, key: str) -> DeadLetter | None:
        """Read a letter with its message; None when it is no longer there."""
        try:
            return self.host.sources.dead_letters.show(key)
        except NotFound:
            return None

    def read_selection(self) -> Any:
        """Return the letter under the cursor."""
        return self.query_one("#rows", Table).aimed_item

    def name_of_selected(self) -> str:
        """Return the id of its run, which ``c`` copies and ``w`` explains."""
        letter: DeadLetter | None = self.read_selection()
        return (letter.run_id or letter.id) if letter else ""

    def run_of_selected(self) -> str:
        """Return the id of the letter's run; empty when it names none."""
        letter: DeadLetter | None = self.read_selection()
        return (letter.run_id or "") if letter else ""

    def offer_retry_letter(self) -> None:
        """Ask to put letters back into their queues."""
        if ids := self._ids():
            self._ask("Retry", Choice.of(RetryDeadLetters(ids)))

    def offer_drop_letter(self) -> None:
        """Ask to delete letters."""
        if ids := self._ids():
            self._ask("Drop", Choice.of(DropDeadLetters(ids)))

    def _ids(self) -> tuple[str, ...]:
        return self.query_one("#rows", Table).targets()

    def _ask(self, verb: str, choice: Choice) -> None:
        count = len(self._ids())
        named = "1 dead letter" if count == 1 else f"{count:,} dead letters"
        self.host.ask(f"{verb} {named}", [choice], lambda _outcome: self.action_read_again())

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        if event.item.run_id:
            self.host.open_run(event.item.run_id)
        else:
            self.action_raw()


def letter_cells(letter: DeadLetter) -> Cells:
    """Draw a letter."""
    return (
        (("✗ ", "bad"), *text(letter.reason, "bad")),
        text_or_unknown(short_task(letter.task)),
        text(short_id(letter.run_id) if letter.run_id else UNKNOWN, "dim"),
        ((f"{age(_age_of(letter))} ago", "plain"),),
        text(letter.queue),
        text(letter.detail),
        text(letter.worker, "dim"),
    )


def describe_letter(letter: DeadLetter, whole: DeadLetter | None, now: datetime) -> list[Line]:
    """Say why it was set aside, what its starts came to, and what the message is; ``whole`` has the message."""
    where = f"{letter.queue}, priority {letter.priority}, by {letter.worker}"
    starts = whole.deliveries if whole else letter.deliveries
    return [
        tell_fact("reason", text(letter.reason, "bad")),
        tell_fact("detail", text(letter.detail)),
        tell_fact("set aside", ((f"{age(_age_of(letter))} ago, {clock(letter.at, now)}", "plain"),)),
        tell_fact("taken from", text(where)),
        tell_fact("task", text_or_unknown(letter.task, "strong")),
        tell_fact("run", text_or_unknown(letter.run_id, "dim")),
        *(tell_fact("" if place else "starts", text(describe_start(start))) for place, start in enumerate(starts)),
        *(
            tell_fact("" if place else "message", ((line, "plain"),))
            for place, line in enumerate(safe_lines(whole.shown if whole else "…")[:MOST_MESSAGE_LINES])
        ),
    ]


def describe_start(start: Mapping[str, Any]) -> str:
    """Say what a start came to, where, and how far it got."""
    lost, progress = start.get("lost"), start.get("progress")
    end = "put its message back" if lost == "rejected" else f"its {lost} died"
    done = f", {progress:g} done" if isinstance(progress, int | float) else ""
    return f"{end} on {start.get('worker')}{done}"


def _age_of(letter: DeadLetter) -> float:
    return (moment.now() - letter.at).total_seconds()

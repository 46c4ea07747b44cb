"""Logs: what all programs wrote, merged by time, from the end back to the beginning of the files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from celery_nexus.rows.logs import LEVELS, Level, LogLine
from celery_nexus.rows.text import clock, safe_text
from celery_nexus.rows.workers import Program
from nexus_tui.screens.bases.reading import ReadingScreen
from nexus_tui.screens.log_lines import draw_line, explain_nothing, look_of
from nexus_tui.widgets.chips import Chips
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.log_page import LogPage
from nexus_tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from celery_nexus.stack.log_search import Match
    from celery_nexus.stack.log_view import LogView

MOST_LINES = 1000
"""Lines about one run."""

ALL = "all programs"
_SHOWN_LEVELS: tuple[Level, ...] = ("DEBUG", "WARNING", "ERROR")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Wish:
    """Which lines are wanted.

    Attributes:
        program: Of one program or all.
        level: Of this level or a more important one.
        word: With a word.
        run_id: About this run, from whole logs; empty for no certain one.
    """

    program: str = ALL
    level: Level = LEVELS[0]
    word: str = ""
    run_id: str = ""

    def keeps(self, line: LogLine) -> bool:
        """Tell whether a line is wanted."""
        return LEVELS.index(line.level) >= LEVELS.index(self.level) and self.word.lower() in line.text.lower()


@dataclass(frozen=True)
class _Read:
    """What was read for a wish.

    Attributes:
        wish: The wish.
        view: What is looked at.
        match: The line that was searched for and found last.
        place: Its number in the view; None where none was found in this reading.
        told: What the operator has to be told.
        number: Of the order that it answers; 0 for none.
    """

    wish: _Wish
    view: LogView
    match: Match | None = None
    place: int | None = None
    told: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be read beside what is new: ``end``, ``back``, ``on`` or ``search``."""

    what: str
    number: int
    word: str = ""
    direction: int = -1


class LogsScreen(ReadingScreen[_Read]):
    """Every program's log as one; ``/`` searches (n, N go on), ``&`` keeps lines with a word, l the important ones.

    Args:
        run_id: Only lines about this run, from whole logs.
        program: Only lines of this program; empty for all.
    """

    view = "logs"
    source = "supervisor"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "search"),
        Binding("ampersand", "only", "only lines with"),
        Binding("o", "next_program", "program"),
    ]

    def __init__(self, run_id: str = "", program: str = "") -> None:
        super().__init__()
        self._wish = _Wish(program=program or ALL, run_id=run_id)
        self._word = ""
        self._order: _Order | None = None
        self._orders = self._answered = 0
        self._sign = "/"

    def body(self) -> Iterable[Widget]:
        """Make the page."""
        yield Chips(id="programs")
        yield LogPage("Logs", id="page")

    @property
    def path(self) -> str:
        """Say which lines are shown."""
        wish = self._wish
        level = "" if wish.level == LEVELS[0] else f"≥ {wish.level}"
        word = f"&{safe_text(wish.word, 40)}" if wish.word else ""
        searched = f"/{safe_text(self._word, 40)}" if self._word else ""
        run = f"run {safe_text(wish.run_id, 40)}" if wish.run_id else ""
        return " · ".join(filter(None, (run, safe_text(wish.program, 30), level, word, searched)))

    def on_mount(self) -> None:
        """Give the keys to the page."""
        self.focus_body()

    def focus_body(self) -> None:
        """Give the keys to the page."""
        self._page.focus()

    def draw(self, now: datetime) -> None:
        """Write the lines."""
        read, programs, page = self.value, self._programs, self._page
        names = [program.name for program in programs]
        chips = [(ALL, "all", "plain"), *((name, name, look_of(place)) for place, name in enumerate(names))]
        self.query_one(Chips).show(chips, self._wish.program)
        page.is_searching = bool(self._word)
        follows = " · following" if page.is_at_end and not self._wish.run_id else ""
        page.title = f"Logs · {self.path}{follows}"
        lines: list[Line] = [((" Reading …", "dim"),)]
        first = 0
        if not programs:
            lines = [((f" {explain_nothing(is_foreign=self.host.sources.is_foreign)}", "dim"),)]
        elif read is not None and read.wish == self._wish:
            found, first = read.view.lines, read.view.first
            lines = [draw_line(line, names.index(line.program), self._word) for line in found if line.program in names]
            lines = lines or [((" No such lines: l, o and & change which are shown", "dim"),)]
            if read.view.looked_to is not None:
                page.title += f" · looked back to {clock(read.view.looked_to, now)}"
        page.put(lines, first, stale=self.trouble(now))
        if read is not None and read.number > self._answered:
            self._answer(read)

    def _answer(self, read: _Read) -> None:
        """Do with the page what an order was for."""
        self._answered = read.number
        if read.place is not None:
            self._page.reveal(read.place)
        if read.told:
            self.host.tell(read.told)

    # Keys

    def action_filter(self) -> None:
        """Type a word to search for."""
        self._sign = "/"
        self.query_one(Prompt).open("/", self._word, hint="a word, a run's id: Enter finds it, N goes back, n on")

    def action_only(self) -> None:
        """Type a word that the lines have to contain."""
        self._sign = "&"
        self.query_one(Prompt).open("/", self._wish.word, hint="only lines with this word")

    def filter_entered(self, text: str) -> bool:
        """Search for a word, or keep the lines with it."""
        if self._sign == "&":
            self._want(replace(self._wish, word=text.strip(), run_id=""))
            return True
        self._word = text.strip()
        self._page.is_searching = bool(self._word)
        if self._word:
            self._give(_Order("search", self._next_number(), self._word, -1))
        self.redraw_now()
        return True

    def action_logs(self) -> None:
        """Show all lines, those of warnings and errors, or of errors alone."""
        self._want(replace(self._wish, level=_next_of(_SHOWN_LEVELS, self._wish.level), run_id=""))

    def action_next_program(self) -> None:
        """Show the next program's lines, and after the last one those of all."""
        names = (ALL, *(program.name for program in self._programs))
        self._want(replace(self._wish, program=_next_of(names, self._wish.program), run_id=""))

    def action_read_again(self) -> None:
        """Read the logs and every source now."""
        if self._wish.run_id or self._page.is_at_end:
            self._order = _Order("end", self._next_number())
        super().action_read_again()

    def name_of_selected(self) -> str:
        """Return the run or the word, which ``c`` copies."""
        return self._wish.run_id or self._word or self._wish.word

    def action_why(self) -> None:
        """Say what holds the run whose lines are shown."""
        if self._wish.run_id:
            super().action_why()

    @on(Chips.Chosen)
    def _chip_chosen(self, event: Chips.Chosen) -> None:
        self._want(replace(self._wish, program=event.name, run_id=""))

    @on(LogPage.Search)
    def _search_wanted(self, event: LogPage.Search) -> None:
        self._give(_Order("search", self._next_number(), self._word, event.direction))

    @on(LogPage.More)
    def _more_wanted(self, event: LogPage.More) -> None:
        read = self.value
        if event.direction > 0 and read is not None and read.view.is_at_end:
            if not self._page.is_at_end:
                self._page.follow()
        elif read is not None and not (event.direction < 0 and read.view.is_first):
            self._give(_Order("on" if event.direction > 0 else "back", self._next_number()))

    @on(LogPage.Followed)
    def _followed(self) -> None:
        if self._page.is_at_end and self.value is not None and not self.value.view.is_at_end:
            self._give(_Order("end", self._next_number()))
        self.redraw_now()

    @property
    def _page(self) -> LogPage:
        return self.query_one("#page", LogPage)

    @property
    def _programs(self) -> tuple[Program, ...]:
        return tuple(program for program in self.host.snapshot.programs.value or () if program.log)

    def _next_number(self) -> int:
        self._orders += 1
        return self._orders

    def _give(self, order: _Order) -> None:
        self._order = order
        self.read_now()

    def _want(self, wish: _Wish) -> None:
        self._wish = wish
        self._page.follow()
        self.read_now()
        self.redraw_now()

    # Reading, in a thread

    def read(self) -> _Read:
        """Read what is wanted, and what was ordered."""
        from celery_nexus.stack import log_view

        wish, order, last = self._wish, self._order, self.value
        self._order = None
        chosen = [program for program in self._programs if wish.program in (ALL, program.name)]
        is_same = last is not None and last.wish == wish and _names(last.view.programs) == _names(chosen)
        if last is None or not is_same or (order and order.what == "end"):
            return _Read(wish, _open(wish, chosen), number=order.number if order else 0)
        if order is not None and order.what == "search":
            return self._search(last, order)
        if order is not None:
            look = log_view.look_back if order.what == "back" else log_view.look_on
            return replace(last, view=look(last.view), place=None, told="", number=order.number)
        if wish.run_id:  # whole logs may be long: they are read again when nothing was found, or when asked
            return last if last.view.lines else _Read(wish, _open(wish, chosen))
        view = log_view.follow(last.view) if self._page.is_at_end else last.view
        return last if view is last.view else replace(last, view=view, place=None, told="")

    def _search(self, last: _Read, order: _Order) -> _Read:
        from celery_nexus.stack.log_view import find_line, search

        found = search(last.view, order.word, order.direction, last.match, lambda: self._order is None)
        if found is None and self._order is not None:  # another one was given meanwhile
            return replace(last, place=None, told="", number=order.number)
        if found is None:
            where = "after" if order.direction > 0 else "before"
            told = f"no line with {safe_text(order.word, 60)} {where} this"
            return replace(last, place=None, told=told, number=order.number)
        view, match = found
        place = find_line(view, order.word, match)
        return replace(last, view=view, match=match, place=place, told="", number=order.number)


def _open(wish: _Wish, programs: Sequence[Program]) -> LogView:
    """Look at the end of the logs, or at all lines about a run."""
    from celery_nexus.stack.log_view import LogView, open_end
    from celery_nexus.stack.log_window import LogWindow, find_end
    from celery_nexus.stack.logs import find_lines

    if not wish.run_id:
        return open_end(programs, wish.keeps)
    lines = tuple(find_lines(programs, wish.run_id, MOST_LINES))
    return LogView(programs, wish.keeps, (LogWindow(lines, {}, find_end(programs)),))


def _names(programs: Sequence[Program]) -> list[tuple[str, str]]:
    return [(program.name, program.log) for program in programs]


def _next_of(values: Sequence[_T], value: _T) -> _T:
    return values[(values.index(value) + 1) % len(values)] if value in values else values[0]

"""Logs: what all programs wrote, merged by time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from celery_nexus.rows.logs import LEVELS, Level, LogLine
from celery_nexus.rows.text import safe_text
from celery_nexus.rows.workers import Program
from nexus_tui.screens.reading import ReadingScreen
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.prompt import Prompt
from nexus_tui.widgets.reader import Reader

MOST_LINES = 1000
"""Of each log, and in all."""

ALL = "all programs"
_COLOURS = ("cyan", "green", "magenta", "yellow", "blue")
_LOOKS: dict[Level, str] = {"DEBUG": "dim", "INFO": "plain", "WARNING": "warn", "ERROR": "bad"}
_SHOWN_LEVELS: tuple[Level, ...] = ("DEBUG", "WARNING", "ERROR")
_NAME_CELLS = 14
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Wish:
    """Which lines are wanted.

    Attributes:
        program: Of one program or all.
        level: Of this level or a more important one.
        word: With a word.
        is_whole: From whole logs, and not only from their ends.
    """

    program: str = ALL
    level: Level = LEVELS[0]
    word: str = ""
    is_whole: bool = False


class LogsScreen(ReadingScreen[tuple[_Wish, Sequence[LogLine]]]):
    """The end of every program's log; ``/`` keeps the lines with a word, ``l`` the important ones, ``o`` a program's.

    Args:
        run_id: Only lines about this run, from whole logs.
    """

    view = "logs"
    source = "supervisor"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter"),
        Binding("l", "level", "level"),
        Binding("o", "next_program", "program"),
    ]

    def __init__(self, run_id: str = "") -> None:
        super().__init__()
        self._wish = _Wish(word=run_id, is_whole=bool(run_id))
        self._is_anew = False
        self._files: list[tuple[int, int] | None] = []

    def body(self) -> Iterable[Widget]:
        """Make the page."""
        yield Reader("Logs", at_end=True, id="page")

    @property
    def path(self) -> str:
        """Say which lines are shown."""
        wish = self._wish
        level = "" if wish.level == LEVELS[0] else f"≥ {wish.level}"
        word = f"/{safe_text(wish.word, 40)}" if wish.word else ""
        return " · ".join(filter(None, (safe_text(wish.program, 30), level, word)))

    def on_mount(self) -> None:
        """Give the keys to the page."""
        self.focus_body()

    def focus_body(self) -> None:
        """Give the keys to the page."""
        self.query_one(Reader).focus()

    def draw(self, now: datetime) -> None:
        """Write the lines."""
        read = self.value
        lines: list[Line] = [((" Reading …", "dim"),)]
        if not self._programs:
            lines = [((f" {_explain_nothing(is_foreign=self.host.sources.is_foreign)}", "dim"),)]
        elif read is not None and read[0] == self._wish:
            names = [program.name for program in self._programs]
            lines = [_draw_line(line, names.index(line.program)) for line in read[1] if line.program in names]
            lines = lines or [((" No such lines: l, o and / change which are shown", "dim"),)]
        reader = self.query_one(Reader)
        reader.title = f"Logs · {self.path}"
        reader.show(lines, stale=self.trouble(now))

    def action_filter(self) -> None:
        """Type a word that the lines have to contain."""
        self.query_one(Prompt).open("/", self._wish.word, hint="a word, a run's id: only lines with it")

    def filter_entered(self, text: str) -> bool:
        """Keep the lines with a word."""
        self._want(replace(self._wish, word=text.strip(), is_whole=False))
        return True

    def action_level(self) -> None:
        """Show all lines, those of warnings and errors, or of errors alone."""
        self._want(replace(self._wish, level=_next_of(_SHOWN_LEVELS, self._wish.level), is_whole=False))

    def action_next_program(self) -> None:
        """Show the next program's lines, and after the last one those of all."""
        names = (ALL, *(program.name for program in self._programs))
        self._want(replace(self._wish, program=_next_of(names, self._wish.program)))

    def action_read_again(self) -> None:
        """Read the logs and every source now."""
        self._is_anew = True
        super().action_read_again()

    def name_of_selected(self) -> str:
        """Return the word, which ``c`` copies."""
        return self._wish.word

    def action_why(self) -> None:
        """Say what holds the run whose lines are shown."""
        if self._wish.word:
            super().action_why()

    @property
    def _programs(self) -> tuple[Program, ...]:
        return tuple(program for program in self.host.snapshot.programs.value or () if program.log)

    def _want(self, wish: _Wish) -> None:
        self._wish = wish
        self.read_now()
        self.redraw_now()

    def read(self) -> tuple[_Wish, Sequence[LogLine]]:
        """Read the wanted lines, unless neither wish nor files have changed."""
        from celery_nexus.stack.logs import find_lines, read_logs

        wish, is_anew = self._wish, self._is_anew
        last = self.value
        chosen = [program for program in self._programs if wish.program in (ALL, program.name)]
        files = [_stat(program.log) for program in chosen]
        if last and last[0] == wish and not is_anew:
            has_found = wish.is_whole and last[1]  # whole logs may be long: they are read again when asked
            if has_found or files == self._files:
                return last
        self._is_anew = False
        if wish.is_whole:
            lines = find_lines(chosen, wish.word, MOST_LINES)
        else:
            lines = read_logs(chosen, MOST_LINES, wish.level, wish.word)
        self._files = files  # not so when they could not be read
        return wish, tuple(lines)


def _stat(path: str) -> tuple[int, int] | None:
    """Read a file's size and time of change; None of one that is not there."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _draw_line(line: LogLine, place: int) -> Line:
    name = line.program.removeprefix("workers:")
    return (
        (f" {safe_text(name, _NAME_CELLS):<{_NAME_CELLS}} ", _COLOURS[place % len(_COLOURS)]),
        (line.text, _LOOKS[line.level]),
    )


def _next_of(values: Sequence[_T], value: _T) -> _T:
    return values[(values.index(value) + 1) % len(values)] if value in values else values[0]


def _explain_nothing(*, is_foreign: bool) -> str:
    if is_foreign:
        return "No logs here: this application's programs write where they were started"
    return "No logs: Supervisor does not run; nexus-tui up starts the stack"

"""What is written to a terminal that shows something already."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pyte
import pytest
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size

from nexus_tui.terminal.canvas import Canvas, change_style

SIZE = Size(24, 4)
PLAIN = Style(color="#e0e0e0", bgcolor="#101010")
DIM, BOLD = PLAIN + Style(color="#808080"), PLAIN + Style(bold=True)
CURSOR = PLAIN + Style(bgcolor="#303060", bold=True)
STYLES = (PLAIN, DIM, BOLD, CURSOR, PLAIN + Style(reverse=True), PLAIN + Style(underline=True), Style())
WORDS = ("a", "queue", "  ", "   x  ", "数", "数据", "é", "e\u0301", "█▌", "▸ 12", " ")


def write(canvas: Canvas, y: int, *spans: tuple[str, Style], x: int = 0) -> str:
    return canvas.write([(y, x, [Segment(*span) for span in spans])], SIZE, ColorSystem.TRUECOLOR)


def test_what_the_terminal_shows_already_is_not_written():
    canvas = Canvas()
    line = (("email_queue", PLAIN), ("  12", BOLD))
    assert write(canvas, 1, *line)
    assert write(canvas, 1, *line) == ""


def test_only_the_cells_that_differ_are_written_with_the_style_they_need():
    canvas = Canvas()
    write(canvas, 1, ("email_queue    ", PLAIN), ("12", PLAIN), ("  4", PLAIN))
    written = write(canvas, 1, ("email_queue    ", PLAIN), ("13", PLAIN), ("  4", PLAIN))
    assert written == "\x1b[2;17H\x1b[38;2;224;224;224;48;2;16;16;16m3\x1b[0m"


def test_a_canvas_that_forgot_writes_everything():
    canvas = Canvas()
    first = write(canvas, 0, ("email", PLAIN))
    canvas.forget()
    assert write(canvas, 0, ("email", PLAIN)) == first


def test_another_size_of_the_terminal_is_written_as_a_whole():
    canvas = Canvas()
    pieces = [(0, 0, [Segment("email", PLAIN)])]
    first = canvas.write(pieces, SIZE, ColorSystem.TRUECOLOR)
    assert canvas.write(pieces, Size(30, 4), ColorSystem.TRUECOLOR) == first


@pytest.mark.parametrize(
    ("before", "after", "is_blank", "written"),
    [
        ("", "1;7", False, "\x1b[1;7m"),
        ("1", "1;7", False, "\x1b[7m"),
        ("1;7", "1", False, "\x1b[0m\x1b[1m"),
        ("38;2;1;2;3;48;2;0;0;0", "38;2;9;9;9;48;2;0;0;0", False, "\x1b[38;2;9;9;9m"),
        ("38;2;1;2;3;48;2;0;0;0", "48;2;0;0;0", True, ""),
        ("31", "", False, "\x1b[0m"),
        ("38;5;12", "38;5;12;48;5;1", True, "\x1b[48;5;1m"),
        ("1;4", "", True, "\x1b[0m"),
    ],
)
def test_a_style_follows_another_by_what_differs(before: str, after: str, is_blank: bool, written: str):
    assert change_style(before, after, is_blank=is_blank) == written


def looks(screen: pyte.Screen) -> list[list[tuple[object, ...]]]:
    """What a person sees: of a blank only its background and lines."""
    rows: list[list[tuple[object, ...]]] = []
    for y in range(screen.lines):
        row: list[tuple[object, ...]] = []
        for x in range(screen.columns):
            cell = screen.buffer[y][x]
            seen = (cell.data, cell.bg, cell.underscore, cell.reverse)
            is_blank = cell.data == " " and not cell.reverse
            row.append(seen if is_blank else (*seen, cell.fg, cell.bold))
        rows.append(row)
    return rows


def a_line(rnd: random.Random) -> list[tuple[str, Style]]:
    spans: list[tuple[str, Style]] = []
    while sum(Segment(text).cell_length for text, _ in spans) < SIZE.width:
        spans.append((rnd.choice(WORDS), rnd.choice(STYLES)))
    cells = Segment.adjust_line_length([Segment(*span) for span in spans], SIZE.width, PLAIN)
    return [(segment.text, segment.style or PLAIN) for segment in cells]


def paint(screen: pyte.Screen, text: str) -> None:
    pyte.Stream(screen).feed(text)


def spell_out(y: int, spans: Sequence[tuple[str, Style]]) -> str:
    parts = [style.render(text, color_system=ColorSystem.TRUECOLOR) for text, style in spans]
    return f"\x1b[{y + 1};1H{''.join(parts)}"


@pytest.mark.parametrize("seed", range(20))
def test_a_terminal_shows_the_same_as_when_every_line_is_written_whole(seed: int):
    rnd = random.Random(seed)
    canvas, ours, whole = Canvas(), pyte.Screen(*SIZE), pyte.Screen(*SIZE)
    for screen in (ours, whole):
        paint(screen, "\x1b[?7l")  # lines are not wrapped, as Textual's driver says
    for _ in range(30):
        y, line = rnd.randrange(SIZE.height), a_line(rnd)
        paint(ours, write(canvas, y, *line))
        paint(whole, spell_out(y, line))
        assert looks(ours) == looks(whole)

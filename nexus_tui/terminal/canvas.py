"""Memory of what the terminal shows, cell by cell, so that only what differs is written.

Textual writes each changed line of a widget from its left edge, with every style spelled out and taken back. Over a
slow line that is most of what is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from rich.cells import cell_len, split_graphemes
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Size
from textual.strip import Strip

Cell = tuple[str, str]
"""The text of a cell (nothing behind a wide character), and the parameters of its style (SGR)."""

Piece = tuple[int, int, Iterable[Segment]]
"""A part of a line: line, column, and what stands there."""

_UNKNOWN: Cell = ("", "?")
_BRIDGED = 4
"""Unchanged cells that are written again, where moving the cursor over them would cost as much."""

_SEEN_ON_BLANKS = frozenset({"4", "7", "9", "21", "53"})
"""Attributes that a blank shows: lines at it, and reversed colours."""

_COLOURS = {"38": "foreground", "48": "background"}


class Canvas:
    """The cells of a terminal."""

    def __init__(self) -> None:
        self._size = Size(0, 0)
        self._lines: list[list[Cell]] = []
        self._pen = "?"

    def forget(self) -> None:
        """Learn that the terminal may show something else: everything is written again."""
        self._size = Size(0, 0)

    def write(self, pieces: Iterable[Piece], size: Size, colours: ColorSystem) -> str:
        """Return what makes the terminal show some pieces of lines; empty when it shows them already.

        Args:
            pieces: What shall be seen.
            size: Of the terminal.
            colours: What it can draw.
        """
        if size != self._size:
            self._size = size
            self._lines = [[_UNKNOWN] * size.width for _ in range(size.height)]
        self._pen = ""  # every piece of output leaves the terminal without a style
        written: list[str] = []
        for y, x, segments in pieces:
            if y < size.height:
                self._write_piece(written, y, x, cells_of(segments, colours)[: size.width - x])
        if written and self._pen:
            written.append("\x1b[0m")
        return "".join(written)

    def _write_piece(self, written: list[str], y: int, x: int, new: list[Cell]) -> None:
        line = self._lines[y]
        end = x + len(new)
        old = line[x:end]
        if old == new:
            return
        line[x:end] = new
        for start, stop in _find_stretches(old, new):
            written.append(f"\x1b[{y + 1};{x + start + 1}H")
            self._write_cells(written, y, x, new, start, stop)

    def _write_cells(self, written: list[str], y: int, x: int, new: list[Cell], start: int, stop: int) -> None:
        pen = self._pen
        for index in range(start, stop):
            text, style = new[index]
            if not text:
                continue
            change = change_style(pen, style, is_blank=text == " ")
            if change:
                written.append(change)
                pen = style
            written.append(text)
            if not text.isascii() and (len(text) > 1 or cell_len(text) > 1) and index + 2 < stop:
                written.append(f"\x1b[{y + 1};{x + index + cell_len(text) + 1}H")  # terminals differ in such widths
        self._pen = pen


class ChangedCells(CompositorUpdate):
    """An update of the screen, of which only cells are written that the terminal does not show yet.

    A picture of the whole screen is written as a whole: it also mends what other programs wrote there.

    Args:
        update: What Textual's compositor made.
        canvas: What the terminal shows; learns what is written.
        size: Of the terminal.
    """

    def __init__(self, update: ChopsUpdate | LayoutUpdate, canvas: Canvas, size: Size) -> None:
        self._update = update
        self._canvas = canvas
        self._size = size

    def render_segments(self, console: Console) -> str:
        """Return what is written to the terminal."""
        if isinstance(self._update, LayoutUpdate) and self._update.region.size == self._size:
            self._canvas.forget()
        colours = console._color_system or ColorSystem.TRUECOLOR  # pyright: ignore[reportPrivateUsage]
        return self._canvas.write(pieces_of(self._update), self._size, colours)


def pieces_of(update: ChopsUpdate | LayoutUpdate) -> Iterator[Piece]:
    """Yield the parts of lines of an update of Textual's compositor."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            yield y, update.region.x, [segment for strip in strips for segment in strip]
        return
    for y, first, last in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x <= last and end > first:
                yield y, x, strip


def cells_of(segments: Iterable[Segment], colours: ColorSystem) -> list[Cell]:
    """Split what is drawn into cells; blanks keep what can be seen of their style."""
    cells: list[Cell] = []
    for text, style, control in segments:
        if control:
            continue
        own = "" if style is None else _parameters(style, colours)
        blank = (" ", _style_of_blanks(own))
        if text.isascii():
            cells += [blank if character == " " else (character, own) for character in text]
            continue
        for character, width in _characters(text):
            cells.append(blank if character == " " else (character, own))
            cells += [("", own)] * (width - 1)
    return cells


@lru_cache(maxsize=8192)
def change_style(before: str, after: str, *, is_blank: bool) -> str:
    """Return the shortest sequence from one style to another; empty when nothing that is seen differs."""
    if before == after:
        return ""
    old_attributes, old_foreground, old_background = _split(before)
    attributes, foreground, background = _split(after)
    if is_blank and background == old_background and not (old_attributes | attributes) & _SEEN_ON_BLANKS:
        return ""
    is_taken_back = (old_attributes - attributes) or (old_foreground and not foreground)
    if is_taken_back or (old_background and not background):
        return f"\x1b[0m\x1b[{after}m" if after else "\x1b[0m"
    added = [
        *sorted(attributes - old_attributes, key=int),
        *([foreground] if foreground != old_foreground else ()),
        *([background] if background != old_background else ()),
    ]
    return f"\x1b[{';'.join(added)}m" if added else ""


def _find_stretches(old: Sequence[Cell], new: Sequence[Cell]) -> Iterator[tuple[int, int]]:
    """Find the cells that differ, joined where little lies between them."""
    start = stop = -1
    for index, (before, after) in enumerate(zip(old, new, strict=False)):
        if before == after:
            continue
        if start < 0:
            start = _begin(new, index)
        elif index - stop > _BRIDGED:
            yield start, stop
            start = _begin(new, index)
        stop = index + 1
    if start >= 0:
        yield start, stop


def _begin(new: Sequence[Cell], index: int) -> int:
    """A wide character is written from its first cell."""
    while index and not new[index][0]:
        index -= 1
    return index


@lru_cache(maxsize=4096)
def _characters(text: str) -> Sequence[tuple[str, int]]:
    """Split a text into what a cell, or two, hold; a mark without a letter before it is left out."""
    spans, _ = split_graphemes(text)
    return [(text[start:end], width) for start, end, width in spans if width]


@lru_cache(maxsize=4096)
def _parameters(style: Style, colours: ColorSystem) -> str:
    return Strip.render_ansi(style, colours)


@lru_cache(maxsize=4096)
def _style_of_blanks(style: str) -> str:
    """Leave out of a style what a blank does not show."""
    attributes, foreground, background = _split(style)
    seen = attributes & _SEEN_ON_BLANKS
    return ";".join([*sorted(seen, key=int), *([foreground] if seen and foreground else ()), background]).strip(";")


@lru_cache(maxsize=4096)
def _split(style: str) -> tuple[frozenset[str], str, str]:
    """Split SGR parameters into attributes, foreground and background."""
    attributes: set[str] = set()
    colours = {"foreground": "", "background": ""}
    codes = iter(style.split(";") if style else ())
    for code in codes:
        if code in _COLOURS:
            kind = next(codes, "")
            rest = [next(codes, "") for _ in range(3 if kind == "2" else 1)]
            colours[_COLOURS[code]] = ";".join([code, kind, *rest])
        elif len(code) > 1 and code[:-1] in ("3", "9"):
            colours["foreground"] = code
        elif len(code) > 1 and code[:-1] in ("4", "10"):
            colours["background"] = code
        else:
            attributes.add(code)
    return frozenset(attributes), colours["foreground"], colours["background"]

"""Extent of a worksheet, from a quick scan of its XML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from html import unescape

from workers.services.documents.sheets.cells import Cell, ErrorCell, OddCells, column_number
from workers.services.documents.sheets.serial_dates import SerialDates

MAX_CELLS = 5_000_000
MAX_PLACES = 12_000_000
"""Cells and the empty places before them in their rows."""
MAX_DENSE_CELLS = 8_000_000
_DENSE_ENOUGH = 40
"""Most places for each cell in a box that is laid out."""
MAX_COLUMNS = 16_384
MAX_ROWS = 1_048_576
_CELLS = re.compile(rb' r="([A-Z]{1,4})(?=[0-9])')
_LONGER = {count: re.compile(rb' r="[A-Z]{%d}' % (count + 1)) for count in (1, 2)}
_WIDTHS = (26, 702, MAX_COLUMNS)
_ROWS = re.compile(rb'<row(?: [^>]*?)? r="([0-9]{1,12})"')
_PREFIXED_ROWS = re.compile(rb'<(?:\w+:)?row\s[^>]*?\br="([0-9]{1,12})"')


MAX_ODD_CELLS = 100_000
_CELL = rb'<c r="([A-Z]{1,3})([0-9]{1,7})"[^>]*?'
_VALUE = rb"[^>]*>(?:<f[^>]*(?:/>|>[^<]*</f>))?<v>([^<]*)</v>"
_NEGATIVE = rb"[^>]*>(?:<f[^>]*(?:/>|>[^<]*</f>))?<v>(-[^<]*)</v>"
_ERROR_MARKS = ((b"e", b' t="e"'), (b"'", b" t='e'"))
"""Each after a byte of it that cells seldom have: that byte alone is looked for ten times as quickly."""
_UNSOLVED = re.compile(
    rb'<c(?![^>]* t="str")[^>]*><f(?:\s[^>]*)?(?:/>|>[^<]*</f>)(?:<v\s*/>|<v></v>)?</c>'  # a text may be empty
)
"""Formulas whose result is not stored."""
_START = re.compile(rb"<(?:\w+:)?worksheet\b[^>]*>")
_END_OF_CELLS = re.compile(rb"</(?:\w+:)?sheetData\s*>|<(?:\w+:)?sheetData\s*/>")
MAX_REST_BYTES = 16 << 20
_LINK_FORMULA = re.compile(
    rb'<c r="([A-Z]{1,3}[0-9]{1,7})"[^>]*><f[^>]*>(?:[^<]*[^\w<])?HYPERLINK\((?:("|&quot;)(.*?)(?:"|&quot;))?'
)
MAX_LINK_FORMULAS = 10_000
_ERRORS = re.compile(_CELL + rb' t="e"' + _VALUE)


@dataclass(frozen=True)
class Extent:
    """What a look through a sheet's XML found.

    Attributes:
        cells: Number of cells.
        rows: Last row that is claimed.
        columns: Last column, or a bound of it.
        odd: Errors, and times before zero: cells that the quick reader gives as something else.
        is_regular: Whether all odd cells were found where they stand.
        unsolved: Number of formulas without a stored result.
        rest: Its XML without the cells; empty when that could not be cut out.
        links: Cells and first arguments of HYPERLINK formulas; of one that is computed, nothing.
    """

    cells: int
    rows: int
    columns: int
    odd: OddCells = field(default_factory=lambda: {})
    is_regular: bool = True
    unsolved: int = 0
    rest: bytes = b""
    links: tuple[tuple[str, str], ...] = ()

    @property
    def is_dense(self) -> bool:
        """Whether its bounding box may be laid out in memory."""
        box = self.rows * self.columns
        return box <= MAX_DENSE_CELLS and box <= max(self.cells, 1000) * _DENSE_ENOUGH


def measure(chunks: Callable[[], Iterator[bytes]], dates: SerialDates) -> Extent:
    """Count a sheet's cells, find the box that the cells and rows claim, and the cells that are read wrong quickly.

    Columns are bounded roughly first (one, two or three letters), and looked up one by one only when the rough box
    is no dense one.
    """
    cells = rows = claimed = 0
    letters = 1
    odd = _OddCells(dates)
    rest = _Rest()
    for window in _windows(chunks()):
        plain = window.count(b"<c ")
        cells += plain or window.count(b":c ") + window.count(b"<c>")
        numbers = (_ROWS if plain else _PREFIXED_ROWS).findall(window)
        rows += len(numbers) or window.count(b"row>")
        claimed = max(claimed, *map(int, numbers), 0)
        odd.look_through(window, is_plain=bool(plain))
        rest.take(window)
        while letters < len(_WIDTHS) and _LONGER[letters].search(window):
            letters += 1
    width = max(min(_WIDTHS[letters - 1], cells), 1)
    rough = Extent(
        cells, max(claimed, rows), width, odd.found, odd.is_regular, odd.unsolved, rest.xml(), tuple(odd.links)
    )
    if rough.is_dense:
        return rough
    found: set[bytes] = set()
    for window in _windows(chunks()):
        found.update(_CELLS.findall(window))
    width = max((column_number(name.decode()) for name in found), default=0)
    # Cells may leave out where they are, and then follow each other.
    return replace(rough, columns=width or min(cells, MAX_COLUMNS) or 1)


class _Rest:
    """Collects the XML before and after the cells: a worksheet of its own without any."""

    def __init__(self) -> None:
        self._head = b""
        self._pieces: list[bytes] = []
        self._bytes = 0

    def take(self, window: bytes) -> None:
        """Take the next window, which is never cut inside of a tag."""
        if not self._head and (start := _START.search(window)):
            self._head = window[: start.end()]
        if self._pieces:
            self._put(window)
        elif b"h" in window and (end := _END_OF_CELLS.search(window)):
            self._put(window[end.end() :])

    def _put(self, piece: bytes) -> None:
        self._bytes += len(piece)
        if self._bytes <= MAX_REST_BYTES:
            self._pieces.append(piece)

    def xml(self) -> bytes:
        """Give what was found; nothing when it is not written as usual, or too long."""
        is_whole = self._head and self._pieces and self._bytes <= MAX_REST_BYTES
        return b"".join([self._head, *self._pieces]) if is_whole else b""


class _OddCells:
    """Finds errors and negative times in windows of a sheet's XML."""

    def __init__(self, dates: SerialDates) -> None:
        self.found: OddCells = {}
        self.is_regular = True
        self.unsolved = 0
        self.links: list[tuple[str, str]] = []
        self._dates = dates
        styles = b"|".join(b"%d" % style for style in sorted(dates.dates - dates.spans))
        self._negative = re.compile(_CELL + rb' s="(' + styles + rb')"' + _NEGATIVE) if styles else None
        self._count = 0

    def look_through(self, window: bytes, *, is_plain: bool) -> None:
        """Take the next window; cells that are not written as usual make the sheet irregular."""
        marks = sum(window.count(mark) for byte, mark in _ERROR_MARKS if byte in window)
        if marks:
            errors = _ERRORS.findall(window) if is_plain else []
            self.is_regular &= len(errors) == marks
            for column, row, text in errors:
                self._put(column, row, ErrorCell(unescape(text.decode("utf-8", "replace"))))
        if b"f" in window and b"<f" in window:  # as with the marks of errors: most cells have no f
            self.unsolved += len(_UNSOLVED.findall(window))
            if b"HYPERLINK(" in window and len(self.links) < MAX_LINK_FORMULAS:
                found = _LINK_FORMULA.findall(window)
                self.links += ((cell.decode(), unescape(text.decode("utf-8", "replace"))) for cell, _, text in found)
        if self._negative and b"v>-" in window:
            self.is_regular &= is_plain
            for column, row, style, text in self._negative.findall(window):
                self._put(column, row, _number_of(text, style, self._dates))

    def _put(self, column: bytes, row: bytes, cell: Cell) -> None:
        self._count += 1
        self.is_regular &= self._count <= MAX_ODD_CELLS and 0 < int(row) <= MAX_ROWS
        if self.is_regular:
            self.found.setdefault(int(row), {})[column_number(column.decode()) - 1] = cell


def _number_of(text: bytes, style: bytes, dates: SerialDates) -> Cell:
    try:
        return dates.value(float(text), style.decode())
    except ValueError:
        return text.decode("utf-8", "replace")


def _windows(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut a stream of XML before a cell, or where there is none between elements."""
    tail = b""
    for chunk in chunks:
        whole = tail + chunk
        end = whole.rfind(b"<c ")
        end = end if end > 0 else whole.rfind(b"<")
        if end > 0:
            yield whole[:end]
            tail = whole[end:]
        else:
            tail = whole
    yield tail

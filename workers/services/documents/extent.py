"""How large a worksheet is, from a quick look through its XML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from workers.services.documents.cells import column_number

MAX_CELLS = 5_000_000
MAX_PLACES = 12_000_000
"""Cells and the empty places before them in their rows."""
MAX_DENSE_CELLS = 8_000_000
_DENSE_ENOUGH = 40
"""A box with so many places for each cell is still laid out."""
MAX_COLUMNS = 16_384
MAX_ROWS = 1_048_576
_CELLS = re.compile(rb' r="([A-Z]{1,4})(?=[0-9])')
_LONGER = {count: re.compile(rb' r="[A-Z]{%d}' % (count + 1)) for count in (1, 2)}
_WIDTHS = (26, 702, MAX_COLUMNS)
_ROWS = re.compile(rb'<row(?: [^>]*?)? r="([0-9]{1,12})"')
_PREFIXED_ROWS = re.compile(rb'<(?:\w+:)?row\s[^>]*?\br="([0-9]{1,12})"')


@dataclass(frozen=True)
class Extent:
    """What a look through a sheet's XML found."""

    cells: int
    rows: int
    columns: int

    @property
    def is_dense(self) -> bool:
        """Whether its bounding box may be laid out in memory."""
        box = self.rows * self.columns
        return box <= MAX_DENSE_CELLS and box <= max(self.cells, 1000) * _DENSE_ENOUGH


def measure(chunks: Callable[[], Iterator[bytes]]) -> Extent:
    """Count a sheet's cells, and find the box that the cells and rows claim.

    Columns are bounded roughly first (one, two or three letters), and looked up one by one only when the rough box
    is no dense one.
    """
    cells = rows = claimed = 0
    letters = 1
    for window in _windows(chunks()):
        plain = window.count(b"<c ")
        cells += plain or window.count(b":c ") + window.count(b"<c>")
        numbers = (_ROWS if plain else _PREFIXED_ROWS).findall(window)
        rows += len(numbers) or window.count(b"row>")
        claimed = max(claimed, *map(int, numbers), 0)
        while letters < len(_WIDTHS) and _LONGER[letters].search(window):
            letters += 1
    rough = Extent(cells, max(claimed, rows), max(min(_WIDTHS[letters - 1], cells), 1))
    if rough.is_dense:
        return rough
    found: set[bytes] = set()
    for window in _windows(chunks()):
        found.update(_CELLS.findall(window))
    width = max((column_number(name.decode()) for name in found), default=0)
    # Cells may leave out where they are, and then follow each other.
    return Extent(cells, rough.rows, width or min(cells, MAX_COLUMNS) or 1)


def _windows(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut a stream of XML between elements."""
    tail = b""
    for chunk in chunks:
        whole = tail + chunk
        end = whole.rfind(b"<")
        if end > 0:
            yield whole[:end]
            tail = whole[end:]
        else:
            tail = whole
    yield tail

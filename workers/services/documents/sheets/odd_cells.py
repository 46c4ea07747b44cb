"""Cells that the quick reader gives as something else, or not at all: errors, and times before zero.

They are found by a walk through a workbook of their own (:mod:`old_workbook`, :mod:`binary_workbook`,
:mod:`open_sheets`, :mod:`extent`), and put into the rows that the quick reader gives.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from workers.services.documents.sheets.cells import Cell, ErrorCell, OddCells, Row
from workers.services.documents.sheets.serial_dates import SerialDates

ERROR_CODES = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}  # fmt: skip
"""Errors in binary workbooks ([MS-XLS] 2.5.10)."""


@dataclass
class SheetFindings:
    """What a walk through one sheet found.

    Attributes:
        odd: Cells to put into its rows.
        annotations: Its comments and texts of drawings, a line each.
    """

    odd: OddCells = field(default_factory=lambda: {})
    annotations: list[str] = field(default_factory=lambda: [])

    def put(self, row: int, column: int, cell: Cell) -> None:
        """Keep a cell; row and column count from 0."""
        self.odd.setdefault(row + 1, {})[column] = cell

    def put_error(self, row: int, column: int, code: int) -> None:
        """Keep an error by its code."""
        self.put(row, column, ErrorCell(ERROR_CODES.get(code, "#ERROR")))

    def put_negative(self, row: int, column: int, number: float, style: int, dates: SerialDates) -> None:
        """Keep a number below zero that its style shows as a time."""
        if number < 0 and style in dates.dates:
            self.put(row, column, dates.value(number, str(style)))


def overlay(rows: Iterator[Row], odd: OddCells) -> Iterator[Row]:
    """Put cells into the rows of a reader that left them out."""
    pending = sorted(odd, reverse=True)
    for number, values in rows:
        while pending and pending[-1] < number:
            yield _filled(pending.pop(), [], odd)
        if pending and pending[-1] == number:
            yield _filled(pending.pop(), values, odd)
        else:
            yield number, values
    while pending:
        yield _filled(pending.pop(), [], odd)


def _filled(number: int, values: list[Cell], odd: OddCells) -> Row:
    cells = odd[number]
    values = [*values, *[""] * (max(cells) + 1 - len(values))]
    for column, cell in cells.items():
        values[column] = cell
    return number, values


def unpack_number(raw: int) -> float:
    """Give the number of four bytes ([MS-XLS] 2.5.122): an integer or half a double, perhaps hundredths."""
    if raw & 2:
        number = float((raw >> 2) - (1 << 30 if raw >> 31 else 0))
    else:
        number = float(struct.unpack("<d", bytes(4) + (raw & 0xFFFFFFFC).to_bytes(4, "little"))[0])
    return number / 100 if raw & 1 else number

"""Cells that show an error (``#DIV/0!``, ``#N/A`` …): where they are, which the quick reader gives as empty ones.

Binary workbooks are walked record by record ([MS-XLS] 2.1.4, [MS-XLSB] 2.1.4), OpenDocument cell by cell.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import olefile

from workers.services.documents import ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.cells import Cell, ErrorCell, OddCells, Row

_CODES = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}  # fmt: skip
_SHOWN = re.compile(r"#(?:DIV/0!|N/A|NAME\?|NULL!|NUM!|REF!|VALUE!|SPILL!|CALC!)|Err:[0-9]{3}")
_XLS_SHEET, _XLS_END, _XLS_ERROR = 0x85, 0x0A, 0x205
_XLS_FORMULAS = (0x06, 0x206, 0x406)
_XLSB_ROW, _XLSB_ERROR, _XLSB_FORMULA_ERROR, _XLSB_SHEET = 0, 3, 11, 156
MAX_REPEATED = 10_000
"""Errors that one repeated cell of an OpenDocument gives."""


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


def _put(odd: OddCells, row: int, column: int, text: str) -> None:
    odd.setdefault(row + 1, {})[column] = ErrorCell(text)


def in_xls(file: BinaryIO) -> list[OddCells]:
    """Find the errors of an old binary workbook: one mapping for each of its sheets, charts and macros included."""
    file.seek(0)
    with cast("Any", olefile.OleFileIO)(file) as container:
        name = next((name for name in ("Workbook", "Book") if container.exists(name)), None)
        data: bytes = container.openstream(name).read() if name else b""
    starts = [int.from_bytes(body[:4], "little") for kind, body in _xls_records(data, 0) if kind == _XLS_SHEET]
    return [_of_xls_sheet(data, start) for start in starts]


def _xls_records(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Give the records of one substream, up to its end."""
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("<HH", data, at)
        if kind == _XLS_END:
            return
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length


def _of_xls_sheet(data: bytes, start: int) -> OddCells:
    odd: OddCells = {}
    for kind, body in _xls_records(data, start):
        if kind == _XLS_ERROR and len(body) >= 8 and body[7]:
            row, column = struct.unpack_from("<HH", body)
            _put(odd, row, column, _CODES.get(body[6], "#ERROR"))
        elif kind in _XLS_FORMULAS and body[12:14] == b"\xff\xff" and body[6] == 2:
            row, column = struct.unpack_from("<HH", body)
            _put(odd, row, column, _CODES.get(body[8], "#ERROR"))
    return odd


def in_xlsb(archive: Archive, main: str) -> dict[str, OddCells]:
    """Find the errors of a binary workbook: by the sheets' names."""
    targets = {link.id: link.target for link in ooxml.relationships(archive, main)}
    found: dict[str, OddCells] = {}
    for kind, body in _xlsb_records(archive.read(main)):
        if kind == _XLSB_SHEET:
            id_, after = _wide_string(body, 8)
            name, _ = _wide_string(body, after)
            if targets.get(id_, "") in archive:
                found[name] = _of_xlsb_sheet(archive.read(targets[id_]))
    return found


def _wide_string(body: bytes, at: int) -> tuple[str, int]:
    length = int.from_bytes(body[at : at + 4], "little")
    end = at + 4 + 2 * length
    return body[at + 4 : end].decode("utf-16-le", "replace"), end


def _xlsb_records(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, at = _varint(data, at, 2)
        length, at = _varint(data, at, 4)
        yield kind, data[at : at + length]
        at += length


def _varint(data: bytes, at: int, longest: int) -> tuple[int, int]:
    """Read a number of seven bits a byte; a record's kind keeps its continuation bits ([MS-XLSB] 2.1.4)."""
    value = 0
    for shift in range(longest):
        if at >= len(data):
            return value, at
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << (7 * shift)
        if not byte & 0x80:
            break
    return value, at


def _of_xlsb_sheet(data: bytes) -> OddCells:
    odd: OddCells = {}
    row = 0
    for kind, body in _xlsb_records(data):
        if kind == _XLSB_ROW and len(body) >= 4:
            row = int.from_bytes(body[:4], "little")
        elif kind in (_XLSB_ERROR, _XLSB_FORMULA_ERROR) and len(body) >= 9:
            _put(odd, row, int.from_bytes(body[:4], "little"), _CODES.get(body[8], "#ERROR"))
    return odd


class OpenDocumentErrors:
    """Collects the errors of an OpenDocument's tables from the stream of its elements."""

    def __init__(self) -> None:
        self.by_sheet: dict[str, OddCells] = {}
        self._odd: OddCells = {}
        self._row = self._column = 0
        self._cells: list[tuple[int, int, str]] = []  # of the open row: column, how many, text

    def start_table(self, element: ooxml.Element) -> None:
        """Begin a table."""
        self._odd = self.by_sheet.setdefault(ooxml.attribute(element, "name") or "", {})
        self._row = 0

    def end_row(self, element: ooxml.Element) -> None:
        """Place the errors of a row, as often as the row is repeated."""
        repeated = times(element, "number-rows-repeated")
        for row in range(self._row, self._row + min(repeated, MAX_REPEATED if self._cells else 0)):
            for column, count, text in self._cells:
                for at in range(column, column + min(count, MAX_REPEATED)):
                    _put(self._odd, row, at, text)
        self._row += repeated
        self._column = 0
        self._cells = []

    def end_cell(self, element: ooxml.Element) -> None:
        """Take a cell."""
        count = times(element, "number-columns-repeated")
        text = "".join("".join(part.itertext()) for part in element.iterchildren("{*}p"))
        is_error = any(value == "error" for key, value in element.attrib.items() if key.endswith("}value-type"))
        if is_error or (_SHOWN.fullmatch(text) and ooxml.attribute(element, "formula")):
            self._cells.append((self._column, count, text or "#ERROR"))
        self._column += count


def times(element: ooxml.Element, name: str) -> int:
    """Read how often a row or cell of an OpenDocument is repeated."""
    value = ooxml.attribute(element, name) or "1"
    return int(value) if value.isdecimal() and len(value) < 9 else 1

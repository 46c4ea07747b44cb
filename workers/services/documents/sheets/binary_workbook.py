"""Binary workbooks of Office packages (``.xlsb``), walked record by record ([MS-XLSB] 2.1.4).

Odd cells and comments of those that the quick reader reads, and all cells of those whose parts lie where it does not
look for them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from celery_nexus.task_errors import TooLarge
from workers.services.documents import ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.graphics import Warn
from workers.services.documents.sheets import cell_extras, serial_dates
from workers.services.documents.sheets.cells import Cell, ErrorCell, Row, column_letters
from workers.services.documents.sheets.extent import MAX_COLUMNS, MAX_PLACES, MAX_ROWS
from workers.services.documents.sheets.odd_cells import ERROR_CODES, SheetFindings, unpack_number
from workers.services.documents.sheets.record_links import is_link_formula, warn_of_link_formulas
from workers.services.documents.sheets.serial_dates import SerialDates

MAIN_PART = "xl/workbook.bin"

_ROW, _PACKED, _ERROR, _BOOL, _REAL, _TEXT, _SHARED = 0, 2, 3, 4, 5, 6, 7
_FORMULA_TEXT, _FORMULA_NUMBER, _FORMULA_BOOL, _FORMULA_ERROR = 8, 9, 10, 11
_SHARED_ITEM, _FORMAT, _STYLE, _WORKBOOK, _SHEET = 19, 44, 47, 153, 156
_STYLES_START, _STYLES_END, _COMMENT, _COMMENT_TEXT = 617, 618, 635, 637
_VALIDATION, _HEADER_FOOTER, _LINK = 64, 479, 494
_SHOWS_PROMPT = 1 << 18  # of a validation's flags ([MS-XLSB] 2.4.353)
_NO_STRING = 0xFFFFFFFF
_FORMULAS = (_FORMULA_TEXT, _FORMULA_NUMBER, _FORMULA_BOOL, _FORMULA_ERROR)
_CELL_BYTES = 8
_ROW_BYTES = 4


@dataclass(frozen=True)
class BinarySheet:
    """One sheet of a binary workbook.

    Attributes:
        name: What its tab says.
        part: Its part.
        kind: ``worksheet``, ``chartsheet`` …
        is_hidden: Whether the tab is not shown.
    """

    name: str
    part: str
    kind: str
    is_hidden: bool


@dataclass(frozen=True)
class BinaryWorkbook:
    """A binary workbook's sheets, its calendar, and its shared texts where they are needed."""

    archive: Archive
    main: str
    sheets: list[BinarySheet] = field(default_factory=lambda: [])

    @classmethod
    def of(cls, archive: Archive) -> BinaryWorkbook:
        """List the sheets of a package."""
        main = ooxml.main_part(archive, MAIN_PART)
        links = {link.id: link for link in ooxml.relationships(archive, main)}
        book = cls(archive, main)
        for kind, body in _records(archive.read(main)):
            if kind == _SHEET:
                id_, after = _wide_string(body, 8)
                link = links.get(id_)
                if link and link.target in archive:
                    is_hidden = body[:4] != bytes(4)
                    book.sheets.append(BinarySheet(_wide_string(body, after)[0], link.target, link.kind, is_hidden))
        return book

    @property
    def has_usual_parts(self) -> bool:
        """Whether the quick reader finds all parts, which it looks for in the usual folders only."""
        usual = {"sharedStrings": "xl/sharedStrings.bin", "styles": "xl/styles.bin"}
        links = ooxml.relationships(self.archive, self.main)
        return self.main == MAIN_PART and all(
            link.target == usual.get(link.kind, link.target)
            and (link.kind != "worksheet" or link.target.startswith("xl/"))
            for link in links
        )

    def dates(self) -> SerialDates:
        """Read how days are counted, and which styles show them."""
        flags = next((body for kind, body in _records(self.archive.read(self.main)) if kind == _WORKBOOK), b"\0")
        formats: list[int] = []
        codes: dict[int, str] = {}
        is_cell_style = False
        for part in ooxml.list_linked_parts(self.archive, self.main, "styles"):
            for kind, body in _records(self.archive.read(part)):
                is_cell_style = kind == _STYLES_START or (is_cell_style and kind != _STYLES_END)
                if kind == _FORMAT:
                    codes[int.from_bytes(body[:2], "little")] = _wide_string(body, 2)[0]
                elif kind == _STYLE and is_cell_style:
                    formats.append(int.from_bytes(body[2:4], "little"))
        return serial_dates.of_formats(formats, codes, is_1904=bool(flags[0] & 1))

    def findings(self, sheet: BinarySheet, dates: SerialDates, warn: Warn) -> SheetFindings:
        """Look through a sheet for errors, times before zero, and what goes with the cells."""
        found = SheetFindings()
        links = {link.id: link.target for link in ooxml.relationships(self.archive, sheet.part)}
        row = computed = 0
        for kind, body in _records(self.archive.read(sheet.part)):
            if kind == _ROW and len(body) >= _ROW_BYTES:
                row = int.from_bytes(body[:4], "little")
            elif kind in (_ERROR, _FORMULA_ERROR) and len(body) > _CELL_BYTES:
                found.put_error(row, int.from_bytes(body[:4], "little"), body[8])
            elif kind in (_PACKED, _REAL, _FORMULA_NUMBER) and int.from_bytes(body[4:7], "little") in dates.dates:
                column, style, number = _number(kind, body)
                found.put_negative(row, column, number, style, dates)
            elif kind in (_VALIDATION, _HEADER_FOOTER, _LINK):
                found.annotations += filter(None, _extras(kind, body, links))
            computed += kind in _FORMULAS and is_link_formula(body)
        warn_of_link_formulas(sheet.name, computed, warn)
        return found

    def comments(self, part: str) -> list[str]:
        """Read a part of comments: a line each, with its cell."""
        lines: list[str] = []
        cell = "?"
        for kind, body in _records(self.archive.read(part)):
            if kind == _COMMENT and len(body) >= 20:
                row, _, column = struct.unpack_from("<III", body, 4)
                cell = f"{column_letters(column + 1)}{row + 1}"
            elif kind == _COMMENT_TEXT:
                words = " ".join(_wide_string(body, 1)[0].split())
                lines += [f"{cell}: {words}"] if words else []
        return lines

    def read_shared_texts(self) -> list[str]:
        """Read the texts that cells share."""
        parts = ooxml.list_linked_parts(self.archive, self.main, "sharedStrings")
        records = (record for part in parts for record in _records(self.archive.read(part)))
        return [_wide_string(body, 1)[0] for kind, body in records if kind == _SHARED_ITEM]


def rows(file: BinaryIO, part: str) -> Iterator[Row]:
    """Read the rows of a sheet that have cells, wherever the workbook's parts lie.

    Raises:
        TooLarge: More cells than are processed.
    """
    with Archive(file) as archive:
        book = BinaryWorkbook.of(archive)
        texts, dates = book.read_shared_texts(), book.dates()
        values: list[Cell] = []
        row = filled = 0
        for kind, body in _records(archive.read(part)):
            if kind == _ROW and len(body) >= _ROW_BYTES:
                if values:
                    yield row + 1, values
                row, values = min(int.from_bytes(body[:4], "little"), MAX_ROWS - 1), []
            elif _PACKED <= kind <= _FORMULA_ERROR and len(body) > _CELL_BYTES:
                column = int.from_bytes(body[:4], "little")
                if column < MAX_COLUMNS:
                    filled += max(column + 1 - len(values), 0)
                    values += [""] * (column + 1 - len(values))
                    values[column] = _value(kind, body, texts, dates)
            if filled > MAX_PLACES:
                raise TooLarge(f"more than {MAX_PLACES} places for cells; split the workbook")
        if values:
            yield row + 1, values


def _extras(kind: int, body: bytes, links: dict[str, str]) -> list[str]:
    """Read the lines of a record of headers and footers, of a link, or of a rule for what may be entered."""
    if kind == _HEADER_FOOTER:
        return cell_extras.header_lines(_strings(body, 2, 6))
    if kind == _LINK and len(body) >= 20:
        first, last, left, right = struct.unpack_from("<IIII", body)
        id_, place, tip, _ = _strings(body, 16, 4)
        cells = cell_extras.cell_range(first, last, left, right)
        return [cell_extras.link_line(cells, links.get(id_, ""), place, tip)]
    if kind == _VALIDATION and len(body) >= 8 and int.from_bytes(body[:4], "little") & _SHOWS_PROMPT:
        count = int.from_bytes(body[4:8], "little")
        end = 8 + 16 * count
        ranges = [cell_extras.cell_range(*struct.unpack_from("<IIII", body, at)) for at in range(8, end, 16)[:100]
                  if at + 16 <= len(body)]  # fmt: skip
        _, _, title, words = _strings(body, end, 4)
        return [cell_extras.prompt_line(" ".join(ranges), title, words)]
    return []


def _strings(body: bytes, at: int, count: int) -> list[str]:
    """Read strings that follow each other, each of which may be none ([MS-XLSB] 2.5.166)."""
    found: list[str] = []
    for _ in range(count):
        is_none = int.from_bytes(body[at : at + 4], "little") == _NO_STRING
        text, at = ("", at + 4) if is_none else _wide_string(body, at)
        found.append(text)
    return found


def _value(kind: int, body: bytes, texts: list[str], dates: SerialDates) -> Cell:
    if kind in (_PACKED, _REAL, _FORMULA_NUMBER):
        _, style, number = _number(kind, body)
        return dates.value(number, str(style))
    if kind in (_ERROR, _FORMULA_ERROR):
        return ErrorCell(ERROR_CODES.get(body[8], "#ERROR"))
    if kind in (_BOOL, _FORMULA_BOOL):
        return body[8] != 0
    if kind == _SHARED:
        index = int.from_bytes(body[8:12], "little")
        return texts[index] if index < len(texts) else ""
    return _wide_string(body, 8)[0]


def _number(kind: int, body: bytes) -> tuple[int, int, float]:
    """Give a cell's column, style and number."""
    column = int.from_bytes(body[:4], "little")
    style = int.from_bytes(body[4:7], "little")
    if kind == _PACKED and len(body) >= 12:
        return column, style, unpack_number(int.from_bytes(body[8:12], "little"))
    return column, style, struct.unpack_from("<d", body, 8)[0] if len(body) >= 16 else 0.0


def _wide_string(body: bytes, at: int) -> tuple[str, int]:
    length = int.from_bytes(body[at : at + 4], "little")
    end = at + 4 + 2 * length
    return body[at + 4 : end].decode("utf-16-le", "replace"), end


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
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

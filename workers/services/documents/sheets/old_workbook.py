"""Old binary workbooks (``.xls``), walked record by record ([MS-XLS] 2.1.4): odd cells, comments, drawings."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

import olefile

from workers.services.documents.graphics import Warn
from workers.services.documents.sheets import cell_extras, serial_dates
from workers.services.documents.sheets.cells import column_letters
from workers.services.documents.sheets.odd_cells import SheetFindings, unpack_number
from workers.services.documents.sheets.record_links import is_link_formula, read_link, warn_of_link_formulas
from workers.services.documents.sheets.serial_dates import SerialDates

_SHEET, _END, _FORMAT, _STYLE, _DATE_MODE = 0x85, 0x0A, 0x41E, 0xE0, 0x22
_ERROR, _NUMBER, _PACKED, _MANY_PACKED = 0x205, 0x203, 0x27E, 0xBD
_FORMULAS = (0x06, 0x206, 0x406)
_STARTS = (0x809, 0x409, 0x209, 0x09)
_HEADER, _FOOTER, _MORE_HEADERS, _LINK, _TIP, _VALIDATION = 0x14, 0x15, 0x89C, 0x1B8, 0x800, 0x1BE
_EXTRAS = (_HEADER, _FOOTER, _MORE_HEADERS, _LINK, _TIP, _VALIDATION)
_SHOWS_PROMPT = 1 << 18  # of a validation's flags ([MS-XLS] 2.4.95)
_NOTE, _OBJECT, _TEXT, _CONTINUED, _FILE_PASS, _CHART_TEXT = 0x1C, 0x5D, 0x1B6, 0x3C, 0x2F, 0x100D
_START_BYTES = 4096
_BIFF8 = 0x600

Record = tuple[int, bytes]
"""Kind and content."""


def read(file: BinaryIO, warn: Warn) -> list[SheetFindings]:
    """Look through each sheet, charts and macros included, in order."""
    data = _stream(file)
    places: list[tuple[str, int]] = []
    formats: list[int] = []
    codes: dict[int, str] = {}
    is_1904 = is_biff8 = False
    for kind, body in _records(data, 0):
        if kind in _STARTS:
            is_biff8 = body[:2] == _BIFF8.to_bytes(2, "little")
        elif kind == _SHEET:
            name = _text(body[7:]) if is_biff8 else body[7:].decode("cp1252", "replace")
            places.append((name, int.from_bytes(body[:4], "little")))
        elif kind == _STYLE:
            formats.append(int.from_bytes(body[2:4], "little"))
        elif kind == _FORMAT and len(body) > 5:
            codes[int.from_bytes(body[:2], "little")] = (
                _text(body[4:]) if is_biff8 else body[3:].decode("cp1252", "replace")
            )
        elif kind == _DATE_MODE:
            is_1904 = body[:1] == b"\1"
    dates = serial_dates.of_formats(formats, codes, is_1904=is_1904)
    found: list[SheetFindings] = []
    for name, place in places:
        walk = _Walk(dates, is_biff8)
        found.append(walk.read(_records(data, place)))
        warn_of_link_formulas(name, walk.computed_links, warn)
    return found


def has_password(file: BinaryIO) -> bool:
    """Look for the record FilePass at the start of the workbook ([MS-XLS] 2.4.117)."""
    return any(kind == _FILE_PASS for kind, _ in _records(_stream(file, _START_BYTES), 0))


def _stream(file: BinaryIO, size: int = -1) -> bytes:
    file.seek(0)
    with cast("Any", olefile.OleFileIO)(file) as container:
        name = next((name for name in ("Workbook", "Book") if container.exists(name)), None)
        return container.openstream(name).read(size) if name else b""


def _records(data: bytes, at: int) -> Iterator[Record]:
    """Give the records of one substream up to its end, those of the charts in it included."""
    depth = 0
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("<HH", data, at)
        depth += (kind in _STARTS) - (kind == _END)
        if kind == _END and depth <= 0:
            return
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length


def _text(body: bytes) -> str:
    """Read characters of one or two bytes, which the first bit tells."""
    return body[1:].decode("utf-16-le" if body[0] & 1 else "latin-1", "replace") if body else ""


def _texts(body: bytes, at: int, count: int) -> tuple[list[str], int]:
    """Read texts that follow each other, each with its length; and where they end."""
    found: list[str] = []
    for _ in range(count):
        length, flags = int.from_bytes(body[at : at + 2], "little"), body[at + 2 : at + 3]
        end = at + 3 + length * (2 if flags and flags[0] & 1 else 1)
        found.append(_text(body[at + 2 : end]).replace("\0", ""))
        at = end
    return found, at


def _prompt(body: bytes) -> str:
    """Read what a rule for cells says when one of them is chosen ([MS-XLS] 2.4.95)."""
    (title, _, words, _), at = _texts(body, 4, 4)
    for _ in range(2):  # formulas
        at += 4 + int.from_bytes(body[at : at + 2], "little")
    count, at = int.from_bytes(body[at : at + 2], "little"), at + 2
    places = [start for start in range(at, at + 8 * count, 8)[:100] if start + 8 <= len(body)]
    cells = (cell_extras.cell_range(*struct.unpack_from("<4H", body, start)) for start in places)
    return cell_extras.prompt_line(" ".join(cells) or "?", title, words)


@dataclass
class _Walk:
    """One walk through a sheet's records."""

    dates: SerialDates
    is_biff8: bool
    computed_links: int = 0
    found: SheetFindings = field(default_factory=SheetFindings)
    _object: int = 0
    _left: int = 0  # characters of the open text that are still to come
    _texts: dict[int, str] = field(default_factory=lambda: {})  # by the number of their object
    _of_charts: list[str] = field(default_factory=lambda: [])
    _notes: list[tuple[int, str]] = field(default_factory=lambda: [])
    _headers: list[str] = field(default_factory=lambda: [])
    _prompts: list[str] = field(default_factory=lambda: [])
    _links: dict[str, tuple[str, str]] = field(default_factory=lambda: {})  # cells → address and place
    _tips: dict[str, str] = field(default_factory=lambda: {})

    def read(self, records: Iterator[Record]) -> SheetFindings:
        for kind, body in records:
            if kind in _FORMULAS or kind in (_ERROR, _NUMBER, _PACKED, _MANY_PACKED):
                if len(body) >= 8:
                    self._cell(kind, body)
            elif kind in _EXTRAS:
                self._extra(kind, body)
            elif kind in (_NOTE, _OBJECT, _TEXT, _CONTINUED):
                self._drawn(kind, body)
            elif kind == _CHART_TEXT:
                self._of_charts.append(" ".join(_text(body[3:]).split()))
        for number, cell in self._notes:
            words = " ".join(self._texts.pop(number, "").split())
            self.found.annotations += [f"{cell}: {words}"] if words else []
        self.found.annotations += filter(None, dict.fromkeys(self._of_charts))
        self.found.annotations += (" ".join(text.split()) for text in self._texts.values() if text.strip())
        self.found.annotations += cell_extras.header_lines(self._headers)
        self.found.annotations += filter(None, self._prompts)
        for cells, (address, place) in self._links.items():
            line = cell_extras.link_line(cells, address, place, self._tips.get(cells, ""))
            self.found.annotations += filter(None, [line])
        return self.found

    def _extra(self, kind: int, body: bytes) -> None:
        """Take what goes with cells: headers and footers of printed pages, links with their tips, prompts."""
        if kind in (_HEADER, _FOOTER):
            self._headers.append(_text(body[2:]) if self.is_biff8 else body[1:].decode("cp1252", "replace"))
        elif kind == _MORE_HEADERS and len(body) > 38:
            count = sum(1 for length in struct.unpack_from("<4H", body, 30) if length)
            self._headers += _texts(body, 38, count)[0]
        elif kind == _LINK and len(body) > 32:
            self._links[cell_extras.cell_range(*struct.unpack_from("<4H", body))] = read_link(body[24:])
        elif kind == _TIP and len(body) > 12:
            cells = cell_extras.cell_range(*struct.unpack_from("<4H", body, 2))
            self._tips[cells] = body[10:].decode("utf-16-le", "replace").rstrip("\0")
        elif kind == _VALIDATION and int.from_bytes(body[:4], "little") & _SHOWS_PROMPT:
            self._prompts.append(_prompt(body))

    def _cell(self, kind: int, body: bytes) -> None:
        row, column, style = struct.unpack_from("<HHH", body)
        found = self.found
        self.computed_links += kind in _FORMULAS and is_link_formula(body)
        if kind == _ERROR and body[7]:
            found.put_error(row, column, body[6])
        elif kind == _PACKED and len(body) >= 10:
            found.put_negative(row, column, unpack_number(int.from_bytes(body[6:10], "little")), style, self.dates)
        elif kind == _MANY_PACKED:
            for at in range(4, len(body) - 6, 6):
                style, raw = struct.unpack_from("<HI", body, at)
                found.put_negative(row, column + (at - 4) // 6, unpack_number(raw), style, self.dates)
        elif kind == _NUMBER and len(body) >= 14:
            found.put_negative(row, column, struct.unpack_from("<d", body, 6)[0], style, self.dates)
        elif kind in _FORMULAS and len(body) >= 14:
            if body[12:14] != b"\xff\xff":
                found.put_negative(row, column, struct.unpack_from("<d", body, 6)[0], style, self.dates)
            elif body[6] == 2:
                found.put_error(row, column, body[8])

    def _drawn(self, kind: int, body: bytes) -> None:
        """Take a comment's place, or a text: of the object before it, in pieces that follow."""
        if kind == _NOTE and len(body) >= 8:
            row, column, _, number = struct.unpack_from("<HHHH", body)
            self._notes.append((number, f"{column_letters(column + 1)}{row + 1}"))
        elif kind == _OBJECT and len(body) >= 8:
            self._object = int.from_bytes(body[6:8], "little")
        elif kind == _TEXT and len(body) >= 12:
            self._left = int.from_bytes(body[10:12], "little")
            self._texts[self._object] = ""
        elif kind == _CONTINUED and self._left:
            piece = _text(body)[: self._left]
            self._left -= len(piece)
            self._texts[self._object] = self._texts.get(self._object, "") + piece

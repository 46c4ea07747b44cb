"""Rows of worksheets, by the quick reader where the sheet is dense and cell by cell where it is sparse.

The quick reader (calamine) lays out a sheet's bounding box in memory, so that two far corners would cost
17 thousand million cells. Sheets are therefore looked through first: how many cells they have, and how
large the box around them is. A sparse box is read from the XML, and only its rows that have cells are given.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import olefile
import python_calamine

from workers.errors import Corrupt, Encrypted, TooLarge, UnsupportedFormat
from workers.services.documents import ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.cells import Cell
from workers.services.documents.formats import Format

MAX_CELLS = 5_000_000
MAX_DENSE_CELLS = 8_000_000
_DENSE_ENOUGH = 40
"""A box with so many places for each cell is still laid out."""
MAX_PLACES = 12_000_000
"""Cells and the empty places before them in their rows."""
_FILE_PASS = 0x2F
_BIFF_START_BYTES = 4096
_PASSWORD = "the workbook has a password; remove it and submit again"  # noqa: S105
MAX_COLUMNS = 16_384
MAX_ROWS = 1_048_576
MAX_SHEETS = 500
MAIN_PART = "xl/workbook.xml"
_EPOCH_1900 = dt.datetime(1899, 12, 30)
_EPOCH_1904 = dt.datetime(1904, 1, 1)
_DAY_MS = 86_400_000
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})$")
_CELLS = re.compile(rb' r="([A-Z]{1,4})(?=[0-9])')
_LONGER = {count: re.compile(rb' r="[A-Z]{%d}' % (count + 1)) for count in (1, 2)}
_WIDTHS = (26, 702, MAX_COLUMNS)
_ROWS = re.compile(rb'<row(?: [^>]*?)? r="([0-9]{1,12})"')
_PREFIXED_ROWS = re.compile(rb'<(?:\w+:)?row\s[^>]*?\br="([0-9]{1,12})"')
_DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_NOT_IN_DATES = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')

Row = tuple[int, list[Cell]]
"""Row number from 1, and its cells from column A."""


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


@dataclass(frozen=True)
class Sheet:
    """One worksheet: its name, whether it is hidden, and its rows that have cells."""

    name: str
    is_hidden: bool
    rows: Callable[[], Iterator[Row]]


def column_number(letters: str) -> int:
    """Count columns from 1: A, B … Z, AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def column_letters(number: int) -> str:
    """Name a column counted from 1."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def sheets(file: BinaryIO, found: Format) -> list[Sheet]:
    """List a workbook's worksheets.

    Raises:
        TooLarge: More cells than are processed.
        Encrypted: The workbook has a password.
        Corrupt: It can't be read.
        UnsafeXml: A part declares a DOCTYPE.
    """
    parts: dict[str, tuple[str, Extent]] = {}
    if found in ("xlsx", "xlsb", "ods"):
        with Archive(file) as archive:
            archive.refuse_doctypes()
            parts = _measured(archive) if found == "xlsx" else {}
            if found == "ods":
                _check_open_document(archive)
    return _quick_sheets(file, found, parts)


def _quick_sheets(file: BinaryIO, found: Format, parts: dict[str, tuple[str, Extent]]) -> list[Sheet]:
    file.seek(0)
    try:
        book = python_calamine.load_workbook(io.BytesIO(file.read()))
    except python_calamine.PasswordError:
        raise Encrypted(_PASSWORD) from None
    except python_calamine.CalamineError as error:
        if parts:  # our own reader forgives more
            return [Sheet(name, False, _sparse_reader(file, part)) for name, (part, _) in parts.items()]
        if found == "xls" and _has_password(file):
            raise Encrypted(_PASSWORD) from None
        raise Corrupt(f"the workbook can't be read ({str(error)[:200]})") from None
    named = [item for item in book.sheets_metadata if item.typ == python_calamine.SheetTypeEnum.WorkSheet]
    if not named:
        raise UnsupportedFormat("the workbook has no worksheets, only charts or macros")
    sheets: list[Sheet] = []
    for item in named[:MAX_SHEETS]:
        is_hidden = item.visible != python_calamine.SheetVisibleEnum.Visible
        part, extent = parts.get(item.name, ("", None))
        rows = _quick_reader(book, item.name)
        if extent:
            rows = _either(rows, _sparse_reader(file, part)) if extent.is_dense else _sparse_reader(file, part)
        sheets.append(Sheet(item.name, is_hidden, rows))
    return sheets


def _either(quick: Callable[[], Iterator[Row]], forgiving: Callable[[], Iterator[Row]]) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        try:
            return iter(list(quick()))
        except Corrupt:
            return forgiving()

    return rows


def _has_password(file: BinaryIO) -> bool:
    """Look for the record FilePass at the start of an old workbook ([MS-XLS] 2.4.117)."""
    file.seek(0)
    with cast("Any", olefile.OleFileIO)(file) as container:
        name = next((name for name in ("Workbook", "Book") if container.exists(name)), None)
        stream = container.openstream(name).read(_BIFF_START_BYTES) if name else b""
    at = 0
    while at + 4 <= len(stream):
        record, length = struct.unpack_from("<HH", stream, at)
        if record == _FILE_PASS:
            return True
        at += 4 + length
    return False


def _quick_reader(book: python_calamine.CalamineWorkbook, name: str) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        try:
            sheet = book.get_sheet_by_name(name)
        except python_calamine.CalamineError as error:
            raise Corrupt(f"worksheet {name!a} can't be read ({str(error)[:200]})") from None
        before: list[Cell] = [""] * (sheet.start[1] if sheet.start else 0)
        places = 0
        # Its rows count from the sheet's first, its columns from the first that has a cell.
        for number, values in enumerate(sheet.iter_rows(), 1):
            while values and values[-1] == "":
                values.pop()
            places += len(values)
            if places > MAX_PLACES:
                raise TooLarge(f"worksheet {name!a} has more than {MAX_PLACES} places for cells; split the workbook")
            if values:
                yield number, before + values if before else values

    return rows


def _sparse_reader(file: BinaryIO, part: str) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        with Archive(file) as archive:
            yield from SparseSheet(archive).rows(part)

    return rows


def _measured(archive: Archive) -> dict[str, tuple[str, Extent]]:
    """Look through each sheet: name → its part, and its extent.

    Raises:
        TooLarge: The workbook has more cells than are processed.
    """
    main = ooxml.main_part(archive, MAIN_PART)
    targets = {link.id: link.target for link in ooxml.relationships(archive, main)}
    found: dict[str, tuple[str, Extent]] = {}
    cells = 0
    for entry in ooxml.parse(archive, main).iter("{*}sheet"):
        part = targets.get(_relationship_id(entry), "")
        if part in archive and "worksheet" in part.lower():
            extent = measure(lambda part=part: archive.chunks(part))
            cells += extent.cells
            if cells > MAX_CELLS:
                raise TooLarge(f"more than {MAX_CELLS} cells; split the workbook")
            found[entry.get("name") or ""] = (part, extent)
    return found


def _relationship_id(entry: ooxml.Element) -> str:
    return next((value for key, value in entry.attrib.items() if key.endswith("}id")), "")


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


def _check_open_document(archive: Archive) -> None:
    """Refuse an OpenDocument with a password, or that repeats filled rows or cells beyond the limit."""
    if "META-INF/manifest.xml" in archive and b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise Encrypted(_PASSWORD)
    repeated = 0
    for event, element in ooxml.stream(archive, "content.xml", ("table-cell",)):
        if event == "start":
            continue
        if ooxml.attribute(element, "value-type"):
            times = int(ooxml.attribute(element, "number-columns-repeated") or 1)
            repeated += times * int(ooxml.attribute(element.getparent(), "number-rows-repeated") or 1)
        if repeated > MAX_CELLS:
            raise TooLarge(f"more than {MAX_CELLS} cells, most of them repeated")
        element.clear()


class SparseSheet:
    """Reads the cells of a worksheet that are there, from its XML."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        main = ooxml.main_part(archive, MAIN_PART)
        self._texts = self._shared_texts(main)
        self._date_styles = self._styles_of_dates(main)
        properties = next(ooxml.parse(archive, main).iter("{*}workbookPr"), None)
        is_1904 = properties is not None and properties.get("date1904") in ("1", "true")
        self._epoch = _EPOCH_1904 if is_1904 else _EPOCH_1900

    def rows(self, part: str) -> Iterator[Row]:
        """Read the rows that have cells, as wide as their last cell.

        Raises:
            TooLarge: More cells than are processed.
        """
        number = filled = 0
        for event, element in ooxml.stream(self._archive, part, ("row",)):
            if event == "start":
                continue
            claimed = element.get("r") or ""
            number = min(int(claimed), MAX_ROWS) if claimed.isdigit() and len(claimed) < 10 else number + 1
            values = self._cells(element)
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
            filled += len(values)
            if filled > MAX_PLACES:
                raise TooLarge(f"more than {MAX_PLACES} places for cells; split the workbook")
            if values:
                yield number, values

    def _cells(self, row: ooxml.Element) -> list[Cell]:
        values: list[Cell] = []
        for cell in row.iterchildren("{*}c"):
            match = _REFERENCE.match(cell.get("r") or "")
            column = column_number(match[1]) if match else len(values) + 1
            if column <= MAX_COLUMNS:
                values += [""] * (column - len(values))
                values[column - 1] = self._value(cell)
        return values

    def _value(self, cell: ooxml.Element) -> Cell:
        kind = cell.get("t") or "n"
        if kind == "inlineStr":
            return "".join(text.text or "" for text in cell.iter("{*}t"))
        raw = next((value.text for value in cell.iterchildren("{*}v")), None) or ""
        if kind == "s":
            return self._texts[int(raw)] if raw.isdigit() and int(raw) < len(self._texts) else ""
        if kind == "b":
            return raw in ("1", "true")
        if kind in ("str", "e", "d") or not raw:
            return raw if kind != "e" else ""
        return self._number(raw, cell.get("s") or "0")

    def _number(self, raw: str, style: str) -> Cell:
        try:
            number = float(raw)
        except ValueError:
            return raw
        if style.isdigit() and int(style) in self._date_styles:
            try:
                return self._epoch + dt.timedelta(milliseconds=round(number * _DAY_MS))
            except (OverflowError, ValueError):
                return number
        return number

    def _shared_texts(self, main: str) -> list[str]:
        texts: list[str] = []
        for part in ooxml.linked(self._archive, main, "sharedStrings"):
            for event, item in ooxml.stream(self._archive, part, ("si",)):
                if event == "end":
                    texts.append("".join(text.text or "" for text in item.iter("{*}t")))
                    item.clear()
        return texts

    def _styles_of_dates(self, main: str) -> set[int]:
        dates: set[int] = set()
        for part in ooxml.linked(self._archive, main, "styles"):
            root = ooxml.parse(self._archive, part)
            custom = {
                item.get("numFmtId"): _NOT_IN_DATES.sub("", item.get("formatCode") or "").lower()
                for item in root.iter("{*}numFmt")
            }
            for formats in root.iter("{*}cellXfs"):
                for index, item in enumerate(formats.iterchildren("{*}xf")):
                    number = item.get("numFmtId") or "0"
                    is_date = number.isdigit() and int(number) in _DATE_FORMATS
                    if is_date or any(letter in custom.get(number, "") for letter in "ymdhs"):
                        dates.add(index)
        return dates

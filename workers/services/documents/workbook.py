"""Rows of worksheets, by the quick reader where the sheet is dense and cell by cell where it is sparse.

The quick reader (calamine) lays out a sheet's bounding box in memory, so that two far corners would cost
17 thousand million cells. Sheets are therefore looked through first: how many cells they have, and how
large the box around them is. A sparse box is read from the XML, and only its rows that have cells are given.
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import python_calamine

from workers.errors import Corrupt, Encrypted, TooLarge, UnsupportedFormat
from workers.services.documents import ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.cells import Cell, plain
from workers.services.documents.formats import Format

MAX_CELLS = 5_000_000
MAX_DENSE_CELLS = 8_000_000
_DENSE_ENOUGH = 40
"""A box with so many places for each cell is still laid out."""
MAX_COLUMNS = 16_384
MAX_ROWS = 1_048_576
MAX_SHEETS = 500
MAIN_PART = "xl/workbook.xml"
_EPOCH_1900 = dt.datetime(1899, 12, 30)
_EPOCH_1904 = dt.datetime(1904, 1, 1)
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})$")
_CELLS = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,4})[0-9]')
_ROWS = re.compile(rb'<(?:\w+:)?row\s[^>]*?\br="([0-9]{1,12})"')
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
    if found in ("xlsx", "xlsb", "ods"):
        with Archive(file) as archive:
            archive.refuse_doctypes()
            sparse = _sparse_sheets(archive) if found == "xlsx" else {}
        if found == "ods":
            _refuse_repeated(file)
    else:
        sparse = {}
    return _quick_sheets(file, sparse)


def _quick_sheets(file: BinaryIO, sparse: dict[str, str]) -> list[Sheet]:
    file.seek(0)
    try:
        book = python_calamine.load_workbook(io.BytesIO(file.read()))
    except python_calamine.PasswordError:
        raise Encrypted("the workbook has a password; remove it and submit again") from None
    except python_calamine.CalamineError as error:
        raise Corrupt(f"the workbook can't be read ({str(error)[:200]})") from None
    named = [item for item in book.sheets_metadata if item.typ == python_calamine.SheetTypeEnum.WorkSheet]
    if not named:
        raise UnsupportedFormat("the workbook has no worksheets, only charts or macros")
    found: list[Sheet] = []
    for item in named[:MAX_SHEETS]:
        is_hidden = item.visible != python_calamine.SheetVisibleEnum.Visible
        part = sparse.get(item.name)
        rows = _sparse_reader(file, part) if part else _quick_reader(book, item.name)
        found.append(Sheet(item.name, is_hidden, rows))
    return found


def _quick_reader(book: python_calamine.CalamineWorkbook, name: str) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        try:
            sheet = book.get_sheet_by_name(name)
        except python_calamine.CalamineError as error:
            raise Corrupt(f"worksheet {name!a} can't be read ({str(error)[:200]})") from None
        if sheet.start is None:
            return
        first_row, first_column = sheet.start
        before: list[Cell] = [None] * first_column
        if sheet.height * sheet.width > MAX_DENSE_CELLS:
            raise TooLarge(f"worksheet {name!a} spans {sheet.height} rows of {sheet.width} columns")
        # iter_rows starts at the sheet's first row, to_python at its first cell
        for number, values in enumerate(sheet.to_python(skip_empty_area=True), first_row + 1):
            yield number, before + [plain(value) for value in values]

    return rows


def _sparse_reader(file: BinaryIO, part: str) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        with Archive(file) as archive:
            yield from SparseSheet(archive).rows(part)

    return rows


def _sparse_sheets(archive: Archive) -> dict[str, str]:
    """Look through each sheet; name → part of those that the quick reader must not lay out.

    Raises:
        TooLarge: The workbook has more cells than are processed.
    """
    main = ooxml.main_part(archive, MAIN_PART)
    targets = {link.id: link.target for link in ooxml.relationships(archive, main)}
    sparse: dict[str, str] = {}
    cells = 0
    for entry in ooxml.parse(archive, main).iter("{*}sheet"):
        part = targets.get(_relationship_id(entry), "")
        if part in archive and "worksheet" in part:
            extent = measure(archive.chunks(part))
            cells += extent.cells
            if cells > MAX_CELLS:
                raise TooLarge(f"more than {MAX_CELLS} cells; split the workbook")
            if not extent.is_dense:
                sparse[entry.get("name") or ""] = part
    return sparse


def _relationship_id(entry: ooxml.Element) -> str:
    return next((value for key, value in entry.attrib.items() if key.endswith("}id")), "")


def measure(chunks: Iterator[bytes]) -> Extent:
    """Count a sheet's cells, and find the box that the cells and rows claim."""
    cells = rows = claimed = 0
    columns: set[bytes] = set()
    tail = b""
    for chunk in chunks:
        window = tail + chunk
        end = window.rfind(b"<")
        window, tail = (window[:end], window[end:]) if end > 0 else (window, b"")
        cells += window.count(b"<c ") + window.count(b"<c>") + window.count(b":c ")
        rows += window.count(b"<row") + window.count(b":row")
        columns.update(_CELLS.findall(window))
        claimed = max(claimed, *(int(row) for row in _ROWS.findall(window)), 0)
    width = max((column_number(letters.decode()) for letters in columns), default=1)
    # Cells may leave out where they are, and then follow each other.
    return Extent(cells, max(claimed, rows), max(width, 1 if columns else min(cells, MAX_COLUMNS)))


def _refuse_repeated(file: BinaryIO) -> None:
    """Refuse an OpenDocument sheet that repeats filled rows or cells beyond the limit."""
    with Archive(file) as archive:
        repeated = 0
        for event, element in ooxml.stream(archive, "content.xml", ("table-cell",)):
            if event == "end" and element.attrib and ooxml.attribute(element, "value-type"):
                times = int(ooxml.attribute(element, "number-columns-repeated") or 1)
                row_times = int(ooxml.attribute(element.getparent(), "number-rows-repeated") or 1)
                repeated += times * row_times
                if repeated > MAX_CELLS:
                    raise TooLarge(f"more than {MAX_CELLS} cells, most of them repeated")
            if event == "end":
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
            if filled > MAX_CELLS:
                raise TooLarge(f"more than {MAX_CELLS} places in sparse rows; split the workbook")
            if values:
                yield number, values

    def _cells(self, row: ooxml.Element) -> list[Cell]:
        values: list[Cell] = []
        for cell in row.iterchildren("{*}c"):
            match = _REFERENCE.match(cell.get("r") or "")
            column = column_number(match[1]) if match else len(values) + 1
            if column <= MAX_COLUMNS:
                values += [None] * (column - len(values))
                values[column - 1] = self._value(cell)
        return values

    def _value(self, cell: ooxml.Element) -> Cell:
        kind = cell.get("t") or "n"
        if kind == "inlineStr":
            return "".join(text.text or "" for text in cell.iter("{*}t")) or None
        raw = next((value.text for value in cell.iterchildren("{*}v")), None) or ""
        if kind == "s":
            return self._texts[int(raw)] if raw.isdigit() and int(raw) < len(self._texts) else None
        if kind == "b":
            return raw in ("1", "true")
        if kind in ("str", "e", "d") or not raw:
            return raw if raw and kind != "e" else None
        return self._number(raw, cell.get("s") or "0")

    def _number(self, raw: str, style: str) -> Cell:
        try:
            number = float(raw)
        except ValueError:
            return raw
        if style.isdigit() and int(style) in self._date_styles:
            try:
                return self._epoch + dt.timedelta(days=number)
            except OverflowError:
                return number
        return plain(number)

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

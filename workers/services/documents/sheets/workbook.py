"""Rows of worksheets, by the quick reader where the sheet is dense and cell by cell where it is sparse.

The quick reader (calamine) lays out a sheet's bounding box in memory, so that two far corners would cost
17 thousand million cells. Sheets are therefore looked through first: how many cells they have, and how
large the box around them is. A sparse box is read from the XML, and only its rows that have cells are given.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import python_calamine

from celery_nexus.task_errors import Corrupt, TooLarge, UnsupportedFormat
from workers.errors import Encrypted
from workers.services.documents import ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.formats import Format
from workers.services.documents.graphics import Warn, ignore_warning
from workers.services.documents.sheets import annotations as sheet_annotations
from workers.services.documents.sheets import binary_workbook, odd_cells, old_workbook, open_sheets, serial_dates
from workers.services.documents.sheets.cells import Cell, OddCells, Row
from workers.services.documents.sheets.extent import MAX_CELLS, MAX_PLACES, MAX_ROWS, Extent, measure
from workers.services.documents.sheets.odd_cells import SheetFindings
from workers.services.documents.sheets.serial_dates import SerialDates
from workers.services.documents.sheets.sparse_sheet import MAIN_PART, SparseSheet

if TYPE_CHECKING:
    from workers.services.documents.sheets.columnar import Table

ReadRows = Callable[[], Iterator[Row]]

_FOREIGN = (OverflowError, ValueError)
"""Errors of the quick reader on numbers that Python's dates and spans can't hold."""
_NO_SHEETS = "the workbook has no worksheets, only charts or macros"
_PASSWORD = "the workbook has a password; remove it and submit again"  # noqa: S105
MAX_SHEETS = 500
COLUMNAR_CELLS = 50_000
"""In smaller sheets, loading the libraries takes longer than looking at each cell."""
CONTENT_ROWS = 20
"""Rows of each sheet that the text content shows."""


def _no_table() -> None:
    return None


@dataclass(frozen=True)
class Sheet:
    """One worksheet.

    Attributes:
        name: What its tab says.
        is_hidden: Whether the tab is not shown.
        rows: Reads its rows that have cells.
        table: Reads it by columns; gives None when it is small, or not made for that.
        annotations: What stands on it beside its cells: comments, text boxes, charts.
    """

    name: str
    is_hidden: bool
    rows: ReadRows
    table: Callable[[], Table | None] = _no_table
    annotations: Sequence[str] = ()


@dataclass(frozen=True)
class _Part:
    """One worksheet of a package: its part, what a look through it found, and its workbook's calendar."""

    name: str
    is_hidden: bool
    extent: Extent
    dates: SerialDates
    annotations: list[str]


@dataclass
class _Book:
    """What is known of a workbook before the quick reader opens it.

    Attributes:
        parts: Worksheets of an Office package by name.
        findings: What a walk through found, by the sheet's name; of old workbooks by its place.
        binary: Worksheets of a binary workbook.
        is_usual: Whether the quick reader finds all parts, which it looks for in the usual folders only.
        skipped: Names of tabs that are no worksheets.
    """

    parts: dict[str, _Part] = field(default_factory=lambda: {})
    findings: dict[str | int, SheetFindings] = field(default_factory=lambda: {})
    binary: list[binary_workbook.BinarySheet] = field(default_factory=lambda: [])
    is_usual: bool = True
    skipped: list[str] = field(default_factory=lambda: [])


def sheets(file: BinaryIO, found: Format, warn: Warn = ignore_warning) -> list[Sheet]:
    """List a workbook's worksheets.

    Raises:
        TooLarge: More cells than are processed.
        Encrypted: The workbook has a password.
        Corrupt: It can't be read.
        UnsafeXml: A part declares a DOCTYPE.
    """
    book = _Book()
    if found in ("xlsx", "xlsb", "ods"):
        with Archive(file) as archive:
            worksheets = _worksheet_parts(archive) if found == "xlsx" else {}
            archive.refuse_doctypes(but=worksheets.values())
            if found == "xlsx":
                book = _measured(archive, worksheets, warn)
            elif found == "xlsb":
                _look_through_binary(archive, book, warn)
            archive.refuse_doctypes()
            if found == "ods":
                book.findings |= open_sheets.read(archive, warn)
    elif found == "xls":
        book.findings |= enumerate(old_workbook.read(file, warn))
    listed = _own_sheets(file, book) if not book.is_usual else _quick_sheets(file, found, book)
    for skipped in book.skipped:
        warn("sheets_skipped", f"{skipped!a} is no worksheet but a chart, macro or dialogue; it is not read")
    if len(listed) > MAX_SHEETS:
        warn("sheets_skipped", f"only the first {MAX_SHEETS} of {len(listed)} sheets are read")
    return listed[:MAX_SHEETS]


def _own_sheets(file: BinaryIO, book: _Book) -> list[Sheet]:
    """Read a package by our own reader, which forgives more and finds parts wherever they lie."""
    if not book.parts and not book.binary:
        raise UnsupportedFormat(_NO_SHEETS)
    binary = [
        Sheet(item.name, item.is_hidden, partial(binary_workbook.rows, file, item.part), annotations=found.annotations)
        for item, found in ((item, book.findings[item.name]) for item in book.binary)
    ]
    return binary or [
        Sheet(name, part.is_hidden, _sparse_reader(file, part.name), annotations=part.annotations)
        for name, part in book.parts.items()
    ]


def _quick_sheets(file: BinaryIO, found: Format, book: _Book) -> list[Sheet]:
    file.seek(0)
    data = file.read()
    try:
        opened = python_calamine.load_workbook(io.BytesIO(data))
    except python_calamine.PasswordError:
        raise Encrypted(_PASSWORD) from None
    except (python_calamine.CalamineError, *_FOREIGN):
        if book.parts or book.binary:
            return _own_sheets(file, book)
        if found == "xls" and old_workbook.has_password(file):
            raise Encrypted(_PASSWORD) from None
        raise Corrupt("the workbook is damaged or cut short") from None
    kinds = python_calamine.SheetTypeEnum
    named = [(place, item) for place, item in enumerate(opened.sheets_metadata) if item.typ == kinds.WorkSheet]
    if not named:
        raise UnsupportedFormat(_NO_SHEETS)
    sheets: list[Sheet] = []
    for place, item in named:
        is_hidden = item.visible != python_calamine.SheetVisibleEnum.Visible
        quick = _quick_reader(opened, item.name)
        part = book.parts.get(item.name)
        if part:
            sheets.append(_packaged(file, data, item.name, quick, part))
        else:
            found_ = book.findings.get(item.name) or book.findings.get(place) or SheetFindings()
            rows = _overlaid(quick, found_.odd)
            sheets.append(Sheet(item.name, is_hidden, rows, annotations=found_.annotations))
    return sheets


def _packaged(file: BinaryIO, data: bytes, name: str, quick: ReadRows, part: _Part) -> Sheet:
    """Choose how a worksheet of an Office package is read: by columns, by rows quickly, or by our own reader."""
    forgiving = _sparse_reader(file, part.name)
    if not part.extent.is_dense or not part.extent.is_regular:
        return Sheet(name, part.is_hidden, forgiving, annotations=part.annotations)
    rows = _either(_overlaid(quick, part.extent.odd), forgiving)
    is_columnar = part.extent.cells >= COLUMNAR_CELLS and not part.extent.odd and not part.dates.is_1904
    table = partial(_table, data, name, forgiving, part.extent.cells) if is_columnar else _no_table
    return Sheet(name, part.is_hidden, rows, table, part.annotations)


def _overlaid(rows: ReadRows, odd: OddCells) -> ReadRows:
    return (lambda: odd_cells.overlay(rows(), odd)) if odd else rows


def _table(data: bytes, name: str, rows: ReadRows, cells: int) -> Table | None:
    from workers.services.documents.sheets import columnar

    filled = ((number, values) for number, values in rows() if _strip(values))
    return columnar.read(data, name, list(islice(filled, CONTENT_ROWS)), cells)


def _strip(values: list[Cell]) -> list[Cell]:
    while values and values[-1] == "":
        values.pop()
    return values


def _either(quick: ReadRows, forgiving: ReadRows) -> ReadRows:
    def rows() -> Iterator[Row]:
        try:
            return iter(list(quick()))
        except (Corrupt, *_FOREIGN):
            return forgiving()

    return rows


def _quick_reader(book: python_calamine.CalamineWorkbook, name: str) -> ReadRows:
    def rows() -> Iterator[Row]:
        try:
            sheet = book.get_sheet_by_name(name)
        except python_calamine.CalamineError:
            raise Corrupt(f"the worksheet {name!a} is damaged") from None
        if sheet.end and sheet.end[0] >= MAX_ROWS:
            raise Corrupt(f"worksheet {name!a} has a cell in row {sheet.end[0] + 1}; {MAX_ROWS} is the last one")
        before: list[Cell] = [""] * (sheet.start[1] if sheet.start else 0)
        places = 0
        # Its rows count from the sheet's first, its columns from the first that has a cell.
        for number, values in enumerate(sheet.iter_rows(), 1):
            if values[-1:] == [""]:
                if values.count("") == len(values):
                    continue
                while values[-1] == "":
                    values.pop()
            elif not values:
                continue
            places += len(values)
            if places > MAX_PLACES:
                raise TooLarge(f"worksheet {name!a} has more than {MAX_PLACES} places for cells; split the workbook")
            yield number, before + values if before else values

    return rows


def _sparse_reader(file: BinaryIO, part: str) -> ReadRows:
    def rows() -> Iterator[Row]:
        with Archive(file) as archive:
            yield from SparseSheet(archive).rows(part)

    return rows


def _look_through_binary(archive: Archive, book: _Book, warn: Warn) -> None:
    """Look through each worksheet of a binary workbook."""
    binary = binary_workbook.BinaryWorkbook.of(archive)
    dates = binary.dates()
    worksheets = [sheet for sheet in binary.sheets if sheet.kind == "worksheet"]
    book.skipped += [sheet.name for sheet in binary.sheets if sheet.kind != "worksheet"]
    for sheet in worksheets:
        found = book.findings[sheet.name] = binary.findings(sheet, dates, warn)
        beside = sheet_annotations.read(archive, sheet.part, warn, read_binary=binary.comments)
        found.annotations = [*beside, *found.annotations]
    book.binary += worksheets
    book.is_usual = binary.has_usual_parts


def _worksheet_parts(archive: Archive) -> dict[str, str]:
    """List the worksheets by their relationships: id → part."""
    links = ooxml.relationships(archive, ooxml.main_part(archive, MAIN_PART))
    return {link.id: link.target for link in links if link.kind == "worksheet" and link.target in archive}


def _measured(archive: Archive, worksheets: dict[str, str], warn: Warn) -> _Book:
    """Look through each worksheet.

    Raises:
        TooLarge: The workbook has more cells than are processed.
    """
    main = ooxml.main_part(archive, MAIN_PART)
    dates = serial_dates.read(archive, main)
    book = _Book(is_usual=main == MAIN_PART and _has_usual_parts(archive, main))
    cells = unsolved = 0
    for entry in ooxml.parse(archive, main).iter("{*}sheet"):
        part = worksheets.get(_relationship_id(entry))
        if part is not None:
            extent = measure(lambda part=part: archive.check_chunks(part), dates)
            cells += extent.cells
            unsolved += extent.unsolved
            if cells > MAX_CELLS:
                raise TooLarge(f"more than {MAX_CELLS} cells; split the workbook")
            is_hidden = entry.get("state") in ("hidden", "veryHidden")
            beside = sheet_annotations.read(archive, part, warn, extent)
            book.parts[entry.get("name") or ""] = _Part(part, is_hidden, extent, dates, beside)
        else:
            book.skipped.append(entry.get("name") or "")
    if unsolved:
        words = "formulas have no result in the file and are read as empty; open and save it in a spreadsheet program"
        warn("formulas", f"{unsolved} {words}")
    return book


def _has_usual_parts(archive: Archive, main: str) -> bool:
    usual = {"sharedStrings": "xl/sharedStrings.xml", "styles": "xl/styles.xml"}
    links = [link for link in ooxml.relationships(archive, main) if link.kind in usual]
    return all(link.target == usual[link.kind] for link in links)


def _relationship_id(entry: ooxml.Element) -> str:
    return next((value for key, value in entry.attrib.items() if key.endswith("}id")), "")

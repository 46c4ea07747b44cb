"""Rows of worksheets, by the quick reader where the sheet is dense and cell by cell where it is sparse.

The quick reader (calamine) lays out a sheet's bounding box in memory, so that two far corners would cost
17 thousand million cells. Sheets are therefore looked through first: how many cells they have, and how
large the box around them is. A sparse box is read from the XML, and only its rows that have cells are given.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import olefile
import python_calamine

from workers.errors import Corrupt, Encrypted, TooLarge, UnsupportedFormat
from workers.services.documents import ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.cells import Cell, Row
from workers.services.documents.extent import MAX_CELLS, MAX_PLACES, MAX_ROWS, Extent, measure
from workers.services.documents.formats import Format
from workers.services.documents.sparse_sheet import MAIN_PART, SparseSheet

if TYPE_CHECKING:
    from workers.services.documents.columnar import Table

_FILE_PASS = 0x2F
_BIFF_START_BYTES = 4096
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
    """

    name: str
    is_hidden: bool
    rows: Callable[[], Iterator[Row]]
    table: Callable[[], Table | None] = _no_table


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
            archive.refuse_doctypes(but="xl/worksheets/")
            parts = _measured(archive) if found == "xlsx" else {}
            archive.refuse_doctypes()
            if found == "ods":
                _check_open_document(archive)
    return _quick_sheets(file, found, parts)


def _quick_sheets(file: BinaryIO, found: Format, parts: dict[str, tuple[str, Extent]]) -> list[Sheet]:
    file.seek(0)
    try:
        data = file.read()
        book = python_calamine.load_workbook(io.BytesIO(data))
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
        forgiving = _sparse_reader(file, part)
        if extent is None:
            sheets.append(Sheet(item.name, is_hidden, rows))
        elif not extent.is_dense:
            sheets.append(Sheet(item.name, is_hidden, forgiving))
        else:
            table = (
                partial(_table, data, item.name, forgiving, extent.cells)
                if extent.cells >= COLUMNAR_CELLS
                else _no_table
            )
            sheets.append(Sheet(item.name, is_hidden, _either(rows, forgiving), table))
    return sheets


def _table(data: bytes, name: str, rows: Callable[[], Iterator[Row]], cells: int) -> Table | None:
    from workers.services.documents import columnar

    filled = ((number, values) for number, values in rows() if _strip(values))
    return columnar.read(data, name, list(islice(filled, CONTENT_ROWS)), cells)


def _strip(values: list[Cell]) -> list[Cell]:
    while values and values[-1] == "":
        values.pop()
    return values


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
            extent = measure(lambda part=part: archive.checked_chunks(part))
            cells += extent.cells
            if cells > MAX_CELLS:
                raise TooLarge(f"more than {MAX_CELLS} cells; split the workbook")
            found[entry.get("name") or ""] = (part, extent)
    return found


def _relationship_id(entry: ooxml.Element) -> str:
    return next((value for key, value in entry.attrib.items() if key.endswith("}id")), "")


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

"""Worksheets cell by cell from their XML: for far corners, and where the quick reader gives up."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

from workers.errors import TooLarge
from workers.services.documents import ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.cells import Cell, Row, column_number
from workers.services.documents.extent import MAX_COLUMNS, MAX_PLACES, MAX_ROWS

MAIN_PART = "xl/workbook.xml"
_EPOCH_1900 = dt.datetime(1899, 12, 30)
_EPOCH_1904 = dt.datetime(1904, 1, 1)
_DAY_MS = 86_400_000
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})$")
_DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_NOT_IN_DATES = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')


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

"""Worksheets cell by cell from their XML: for far corners, and where the quick reader gives up."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from itertools import islice

from workers.errors import TooLarge
from workers.services.documents import ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.cells import Cell, Row, column_number, day_or_time
from workers.services.documents.extent import MAX_COLUMNS, MAX_PLACES, MAX_ROWS

MAIN_PART = "xl/workbook.xml"
_EPOCH_1900 = dt.datetime(1899, 12, 30)
_EPOCH_1904 = dt.datetime(1904, 1, 1)
_DAY_MS = 86_400_000
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})$")
_DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
"""A character that XML can't have, or that looks like such an escape (ECMA-376, ST_Xstring)."""
_SPAN_FORMAT = "46"
_SPANS = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_NOT_IN_DATES = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')


class SparseSheet:
    """Reads the cells of a worksheet that are there, from its XML."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        main = ooxml.main_part(archive, MAIN_PART)
        self._texts: list[str] = []
        self._more_texts = self._shared_texts(main)
        self._date_styles, self._span_styles = self._styles_of_dates(main)
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
            number = min(int(claimed), MAX_ROWS) if claimed.isdecimal() and len(claimed) < 10 else number + 1
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
            return "".join(map(_text_of, cell.iterchildren("{*}is")))
        raw = next((value.text for value in cell.iterchildren("{*}v")), None) or ""
        if kind == "s":
            return self._text(int(raw)) if raw.isdecimal() and len(raw) < 10 else ""
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
        if style.isdecimal() and int(style) in self._date_styles:
            try:
                if int(style) in self._span_styles:
                    return dt.timedelta(milliseconds=round(number * _DAY_MS))
                return day_or_time(self._epoch + dt.timedelta(milliseconds=round(number * _DAY_MS)))
            except (OverflowError, ValueError):
                return number
        return number

    def _text(self, index: int) -> str:
        """Return a shared text, reading on until it comes: the first rows of a sheet need few of them."""
        self._texts += islice(self._more_texts, max(index + 1 - len(self._texts), 0))
        return self._texts[index] if index < len(self._texts) else ""

    def _shared_texts(self, main: str) -> Iterator[str]:
        for part in ooxml.linked(self._archive, main, "sharedStrings"):
            for event, item in ooxml.stream(self._archive, part, ("si",)):
                if event == "end":
                    yield _text_of(item)
                    item.clear()

    def _styles_of_dates(self, main: str) -> tuple[set[int], set[int]]:
        """Find the cell styles of dates and times, and those among them that show a span, as ``[h]:mm`` does."""
        dates: set[int] = set()
        spans: set[int] = set()
        for part in ooxml.linked(self._archive, main, "styles"):
            root = ooxml.parse(self._archive, part)
            codes = {item.get("numFmtId"): item.get("formatCode") or "" for item in root.iter("{*}numFmt")}
            custom = {number: _NOT_IN_DATES.sub("", code).lower() for number, code in codes.items()}
            for formats in root.iter("{*}cellXfs"):
                for index, item in enumerate(formats.iterchildren("{*}xf")):
                    number = item.get("numFmtId") or "0"
                    is_span = number == _SPAN_FORMAT or bool(_SPANS.search(codes.get(number, "")))
                    is_date = number.isdecimal() and int(number) in _DATE_FORMATS
                    if is_span or is_date or any(letter in custom.get(number, "") for letter in "ymdhs"):
                        dates.add(index)
                    if is_span:
                        spans.add(index)
        return dates, spans


def _text_of(item: ooxml.Element) -> str:
    # In runs or not; what else has texts says how to pronounce it.
    text = "".join(part.text or "" for path in ("{*}t", "{*}r/{*}t") for part in item.iterfind(path))
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text

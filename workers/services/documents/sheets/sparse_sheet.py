"""Worksheets cell by cell from their XML: for far corners, and where the quick reader gives up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from celery_nexus.task_errors import TooLarge
from workers.services.documents import ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.sheets import serial_dates
from workers.services.documents.sheets.cells import Cell, ErrorCell, Row, column_number
from workers.services.documents.sheets.extent import MAX_COLUMNS, MAX_PLACES, MAX_ROWS

MAIN_PART = "xl/workbook.xml"
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})$")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
"""A character that XML can't have, or that looks like such an escape (ECMA-376, ST_Xstring)."""


class SparseSheet:
    """Reads the cells of a worksheet that are there, from its XML."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        main = ooxml.main_part(archive, MAIN_PART)
        self._texts: list[str] = []
        self._more_texts = self._shared_texts(main)
        self._dates = serial_dates.read(archive, main)

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
        if kind == "e" and raw:
            return ErrorCell(raw)
        if kind in ("str", "d") or not raw:
            return raw
        return self._number(raw, cell.get("s") or "0")

    def _number(self, raw: str, style: str) -> Cell:
        try:
            number = float(raw)
        except ValueError:
            return raw
        return self._dates.value(number, style)

    def _text(self, index: int) -> str:
        """Return a shared text, reading on until it comes: the first rows of a sheet need few of them."""
        self._texts += islice(self._more_texts, max(index + 1 - len(self._texts), 0))
        return self._texts[index] if index < len(self._texts) else ""

    def _shared_texts(self, main: str) -> Iterator[str]:
        for part in ooxml.list_linked_parts(self._archive, main, "sharedStrings"):
            for event, item in ooxml.stream(self._archive, part, ("si",)):
                if event == "end":
                    yield _text_of(item)
                    item.clear()


def _text_of(item: ooxml.Element) -> str:
    # In runs or not; what else has texts says how to pronounce it.
    text = "".join(part.text or "" for path in ("{*}t", "{*}r/{*}t") for part in item.iterfind(path))
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text

"""Dates, times and spans of Excel workbooks: numbers of days that a cell's format shows as such.

Day 1 is 1900-01-01, and 60 the 29 February that 1900 never had; or, in workbooks that count from 1904, day 0 is
1904-01-01 (ECMA-376, 18.17.4).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass

from workers.services.documents import ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.sheets.cells import Cell, day_or_time

_EPOCH_1900 = dt.datetime(1899, 12, 30)
_EPOCH_1904 = dt.datetime(1904, 1, 1)
_NO_LEAP_DAY = 60
_DAY_MS = 86_400_000
_DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_SPAN_FORMAT = 46
_SPANS = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_NOT_IN_DATES = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')


@dataclass(frozen=True)
class SerialDates:
    """How a workbook counts days.

    Attributes:
        dates: Numbers of the cell styles that show dates, times or spans.
        spans: Those among them that show a span, as ``[h]:mm`` does.
        is_1904: Whether days are counted from 1904.
    """

    dates: frozenset[int]
    spans: frozenset[int]
    is_1904: bool

    def value(self, number: float, style: str) -> Cell:
        """Give a number as a cell of this style shows it; what no calendar has stays a number."""
        if not style.isdecimal() or int(style) not in self.dates:
            return number
        try:
            if int(style) in self.spans or number < 0:
                return dt.timedelta(milliseconds=round(number * _DAY_MS))
            return self._moment(number)
        except (OverflowError, ValueError):
            return number

    def _moment(self, number: float) -> Cell:
        if number < 1:
            moment = _EPOCH_1904 + dt.timedelta(milliseconds=round(number * _DAY_MS))
            return moment.time() if moment < _EPOCH_1904 + dt.timedelta(days=1) else dt.time()
        epoch = _EPOCH_1904 if self.is_1904 else _EPOCH_1900
        if number < _NO_LEAP_DAY and not self.is_1904:
            number += 1
        return day_or_time(epoch + dt.timedelta(milliseconds=round(number * _DAY_MS)))


def read(archive: Archive, main: str) -> SerialDates:
    """Read how a workbook counts days, and which styles show them."""
    properties = next(ooxml.parse(archive, main).iter("{*}workbookPr"), None)
    is_1904 = properties is not None and properties.get("date1904") in ("1", "true")
    formats: list[int] = []
    codes: dict[int, str] = {}
    for part in ooxml.list_linked_parts(archive, main, "styles"):
        root = ooxml.parse(archive, part)
        codes |= {_number(item): item.get("formatCode") or "" for item in root.iter("{*}numFmt")}
        for styles in root.iter("{*}cellXfs"):
            formats += map(_number, styles.iterchildren("{*}xf"))
    return of_formats(formats, codes, is_1904=is_1904)


def of_formats(formats: Iterable[int], codes: dict[int, str], *, is_1904: bool) -> SerialDates:
    """Tell which styles show dates, times or spans.

    Args:
        formats: The number format of each cell style, in order.
        codes: The workbook's own formats: number → code, as ``[h]:mm``.
        is_1904: Whether days are counted from 1904.
    """
    plain = {number: _NOT_IN_DATES.sub("", code).lower() for number, code in codes.items()}
    dates: set[int] = set()
    spans: set[int] = set()
    for style, number in enumerate(formats):
        if number == _SPAN_FORMAT or _SPANS.search(codes.get(number, "")):
            spans.add(style)
        elif number in _DATE_FORMATS or any(letter in plain.get(number, "") for letter in "ymdhs"):
            dates.add(style)
    return SerialDates(frozenset(dates | spans), frozenset(spans), is_1904)


def _number(item: ooxml.Element) -> int:
    number = item.get("numFmtId") or "0"
    return int(number) if number.isdecimal() and len(number) < 9 else 0

"""Cells of a worksheet: their kinds, and how they are written."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

Cell = str | int | float | bool | dt.datetime | dt.date | dt.time | dt.timedelta | None

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_EXACT_INTEGER = 2**53


def plain(value: Any) -> Cell:
    """Turn what a reader gives into a cell: empty text is None, whole floats are integers."""
    if value == "":
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < _EXACT_INTEGER else value
    return value


def kind(value: Cell) -> str:
    """Name a cell's type: empty, boolean, number, date, duration or text."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return "date"
    return "duration" if isinstance(value, dt.timedelta) else "text"


def as_json(value: Cell) -> str | int | float | bool | None:
    """Write a cell for JSON: dates in ISO 8601, durations in seconds."""
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, dt.timedelta) else value


def as_csv(value: Cell) -> str | int | float:
    """Write a cell for CSV; text that a spreadsheet would run as a formula gets an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    written = as_json(value)
    return str(written).lower() if isinstance(written, bool) else "" if written is None else written

"""Cells of a worksheet as readers give them (empty ones are ``""``): their kinds, and how they are written."""

from __future__ import annotations

import datetime as dt
import math


class ErrorCell(str):
    """The text of an error that a cell shows instead of a value: ``#DIV/0!``."""

    __slots__ = ()


Cell = str | int | float | bool | dt.datetime | dt.date | dt.time | dt.timedelta

Row = tuple[int, list[Cell]]
"""Row number from 1, and its cells from column A."""

OddCells = dict[int, dict[int, Cell]]
"""Row from 1 → column from 0 → what a cell really holds that a reader gives as something else."""

KINDS: dict[type, str] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    ErrorCell: "error",
    dt.datetime: "date",
    dt.date: "date",
    dt.time: "date",
    dt.timedelta: "duration",
}
"""Python type → what the result calls it."""

_FORMULA_STARTS = frozenset("=+-@\t\r\n")
_EXACT_INTEGER = 2**53
_MIDNIGHT = dt.time()
_FIRST_YEAR = 1900


def number(value: float) -> int | float | None:
    """Give a number as JSON has it: whole ones as integers, what is not finite as None."""
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < _EXACT_INTEGER else value


def day_or_time(value: dt.datetime) -> dt.datetime | dt.date | dt.time:
    """Give a moment as people wrote it: midnight is a day, and what is before the first day a time."""
    if value.year < _FIRST_YEAR:
        return value.time()
    return value.date() if value.time() == _MIDNIGHT else value


def as_json(value: Cell) -> str | int | float | bool | None:
    """Write a cell for JSON: empty as None, dates in ISO 8601, durations in seconds."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    return value.isoformat() if isinstance(value, dt.datetime | dt.date | dt.time) else value


def as_text(value: Cell) -> str:
    """Write a cell for people."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.timedelta):
        return _as_clock(value)
    written = as_json(value)
    return "" if written is None else str(written)


def _as_clock(span: dt.timedelta) -> str:
    """Write a span as sheets do: ``30:00:00``, ``-12:30:00``."""
    seconds, micro = divmod(abs(span) // dt.timedelta(microseconds=1), 1_000_000)
    rest = f"{micro / 1_000_000:.6f}"[1:].rstrip("0").rstrip(".")
    sign = "-" if span < dt.timedelta() else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{rest}"


def as_csv(value: Cell) -> str:
    """Write a cell for CSV; text that a spreadsheet would run as a formula gets an apostrophe before it."""
    if isinstance(value, str):
        return f"'{value}" if value[:1] in _FORMULA_STARTS and value else value
    return as_text(value)


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

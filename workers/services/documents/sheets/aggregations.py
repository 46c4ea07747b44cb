"""Named aggregations over columns of worksheets: ``{"total": "sum(Amount)"}``."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from celery_nexus.task_errors import InvalidArgument
from workers.services.documents.sheets.cells import Cell, ErrorCell, Row, as_json, column_number, number
from workers.services.documents.sheets.figures import numbers_of

_FORM = re.compile(r"\s*(\w+)\s*\(\s*(?:(?P<quote>['\"]?)(?P<sheet>[^'\"!]+)(?P=quote)!)?(?P<column>.+?)\s*\)\s*")
_LETTERS = re.compile(r"\$?([A-Z]{1,3})(?::\$?\1)?")


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


FUNCTIONS: dict[str, Callable[[Sequence[float]], float | None]] = {
    "sum": math.fsum,
    "mean": _mean,
    "avg": _mean,
    "average": _mean,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "median": lambda values: statistics.median(values) if values else None,
    "stdev": lambda values: statistics.stdev(values) if len(values) > 1 else None,
}
"""Functions of a column's numbers."""

COUNTS: dict[str, Callable[[list[Cell]], int]] = {
    "count": lambda values: sum(value != "" and type(value) is not ErrorCell for value in values),
    "unique": lambda values: len({str(as_json(v)) for v in values if v != "" and type(v) is not ErrorCell}),
    "nulls": lambda values: sum(value == "" for value in values),
    "errors": lambda values: sum(type(value) is ErrorCell for value in values),
}
"""Functions of all of a column's cells."""

_USUAL = ("sum", "mean", "min", "max", "count")


@dataclass(frozen=True)
class Aggregation:
    """One calculation: a function over one column of one sheet (None: the first sheet that has the column)."""

    function: str
    column: str
    sheet: str | None

    @classmethod
    def parse(cls, name: str, text: str) -> Self:
        """Read ``sum(Amount)``, ``mean(Sheet1!B)`` or ``count('My sheet'!Name)``.

        Raises:
            InvalidArgument: It has another form, or an unknown function.
        """
        match = _FORM.fullmatch(text)
        possible = ", ".join((*FUNCTIONS, *COUNTS))
        if not match:
            raise InvalidArgument(f"calculations.{name}: {text!a} is not like sum(Amount) or mean(Sheet1!B)")
        function = match[1].lower()
        if function not in FUNCTIONS and function not in COUNTS:
            raise InvalidArgument(f"calculations.{name}: {function!a} is unknown; possible: {possible}")
        return cls(function, match["column"].strip("'\""), match["sheet"])

    def apply(self, values: list[Cell]) -> float | int | None:
        """Calculate over a column's cells; None when there is no number."""
        if self.function in COUNTS:
            return COUNTS[self.function](values)
        result = FUNCTIONS[self.function](numbers_of(values))
        return None if result is None else number(result)


class Columns:
    """Calculates sheet by sheet, so that one sheet at a time is in memory.

    Without named calculations, every column with a name and numbers gets its usual ones.
    """

    def __init__(self, calculations: dict[str, Aggregation]) -> None:
        self._calculations = calculations
        self._results: dict[str, Any] = {}
        self._known: set[str] = set()

    def take(self, sheet: str, rows: list[Row]) -> None:
        """Do what can be done with a sheet."""
        if not self._calculations:
            self._take_all(sheet, rows)
            return
        header = [str(value).strip().lower() for value in rows[0][1]] if rows else []
        self._known.update(str(value) for value in (rows[0][1] if rows else []) if isinstance(value, str) and value)
        for name, item in self._calculations.items():
            if name in self._results or item.sheet not in (None, sheet):
                continue
            values = _column(item.column, header, rows)
            if values is not None:
                self._results[name] = item.apply(values)

    def _take_all(self, sheet: str, rows: list[Row]) -> None:
        for index, name in enumerate(rows[0][1] if rows else []):
            values = _values(index, rows[1:])
            if isinstance(name, str) and name and numbers_of(values):
                column = {item: Aggregation(item, name, sheet).apply(values) for item in _USUAL}
                self._results.setdefault(sheet, {})[name] = column

    def results(self) -> dict[str, Any]:
        """Return name → value; without named calculations, sheet → column → function → value.

        Raises:
            InvalidArgument: A column was in no sheet.
        """
        for name, item in self._calculations.items():
            if name not in self._results:
                known = ", ".join(sorted(self._known)[:20]) or "none"
                raise InvalidArgument(f"calculations.{name}: no column {item.column!a}; columns with names: {known}")
        return self._results


def _column(wanted: str, header: list[str], rows: list[Row]) -> list[Cell] | None:
    """Find a column by its name in the first row, else by its letters."""
    if wanted.strip().lower() in header:
        return _values(header.index(wanted.strip().lower()), rows[1:])
    letters = _LETTERS.fullmatch(wanted)
    if not letters:
        return None
    index = column_number(letters[1]) - 1
    if not any(len(values) > index for _, values in rows):
        return None
    first = rows[0][1][index] if len(rows[0][1]) > index else ""
    return _values(index, rows[1:] if isinstance(first, str) else rows)


def _values(index: int, rows: list[Row]) -> list[Cell]:
    return [values[index] if index < len(values) else "" for _, values in rows]

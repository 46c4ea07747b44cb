"""Figures of worksheets: used range, and types, nulls, minimum, maximum, mean and sum of each column."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, cast

from workers.services.documents.sheets.cells import (
    KINDS,
    Cell,
    ErrorCell,
    Row,
    as_json,
    as_text,
    column_letters,
    number,
)

Column = tuple[int, Sequence[Cell]]
"""Index from 0, and filled cells in order."""

_RAGGED = 4
"""Largest ratio of a rectangle's places to those of its rows at which they are laid side by side."""


def columns(rows: list[Row]) -> Iterator[Column]:
    """Give each column that has something in it: in order."""
    widths = [len(values) for _, values in rows]
    width = max(widths, default=0)
    if width * len(rows) <= _RAGGED * sum(widths):
        padded = (values if len(values) == width else [*values, *[""] * (width - len(values))] for _, values in rows)
        for index, column in enumerate(zip(*padded, strict=True)):
            filled = [value for value in column if value != ""] if "" in column else column
            if filled:
                yield index, filled
        return
    sparse: defaultdict[int, list[Cell]] = defaultdict(list)
    for _, values in rows:
        for index, value in enumerate(values):
            if value != "":
                sparse[index].append(value)
    yield from sorted(sparse.items())


class Grid:
    """A worksheet that was read row by row.

    Args:
        rows: Those that have cells.
    """

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self._columns = list(columns(rows))
        self.header, self._body = split_header(rows)

    @property
    def data_rows(self) -> int:
        """Number of rows that have cells, without the header."""
        return len(self._body)

    @cached_property
    def errors(self) -> Counter[str]:
        """How many cells show each error."""
        broken = (column for _, column in self._columns if ErrorCell in set(map(type, column)))
        return Counter(str(cell) for column in broken for cell in column if type(cell) is ErrorCell)

    @cached_property
    def extent(self) -> dict[str, Any]:
        """The used range, from the first to the last cell that has something in it."""
        if not self._columns:
            return {"used_range": None, "rows": 0, "columns": 0, "cells": 0}
        filled = [
            number for number, values in self.rows if values and (values[-1] != "" or values.count("") != len(values))
        ]
        return describe_used_range(
            (self._columns[0][0] + 1, filled[0]),
            (self._columns[-1][0] + 1, filled[-1]),
            rows=len(filled),
            cells=sum(len(values) for _, values in self._columns),
        )

    def descriptions(self) -> Iterator[dict[str, Any]]:
        """Describe each column that has something in it."""
        for index, filled in self._columns:
            name = as_text(self.header[index]) if index < len(self.header) else ""
            yield describe(index, name, filled[1:] if name else filled, len(self._body))

    def preview(self, rows: int) -> list[Row]:
        """Return the first rows."""
        return self.rows[:rows]


def describe_used_range(first: tuple[int, int], last: tuple[int, int], *, rows: int, cells: int) -> dict[str, Any]:
    """Tell a used range by its corners (column and row from 1), and how many rows and cells are filled in it."""
    return {
        "used_range": f"{column_letters(first[0])}{first[1]}:{column_letters(last[0])}{last[1]}",
        "rows": rows,
        "columns": last[0] - first[0] + 1,
        "cells": cells,
    }


def split_header(rows: list[Row]) -> tuple[list[Cell], list[Row]]:
    """Take off the first row when it names the columns: text throughout, and rows after it."""
    if len(rows) > 1:
        first = [value for value in rows[0][1] if value != ""]
        if first and all(type(value) is str for value in first):
            return rows[0][1], rows[1:]
    return [], rows


def describe(index: int, name: str, filled: Sequence[Cell], rows: int) -> dict[str, Any]:
    """Describe a column from its filled cells, of ``rows`` in all; figures are None where nothing is a number."""
    kinds: Counter[str] = Counter()
    for python_type, count in _types(filled).items():
        kinds[KINDS[python_type]] += count
    numbers: Sequence[float] = numbers_of(filled) if kinds["number"] else ()
    dates = [value for value in filled if KINDS[type(value)] == "date"] if kinds["date"] else []
    return description(index, name, {kind: count for kind, count in kinds.items() if count}, rows, numbers, dates)


def description(
    index: int, name: str, kinds: dict[str, int], rows: int, numbers: Sequence[float] = (), dates: Sequence[Cell] = ()
) -> dict[str, Any]:
    """Write down what a column holds.

    Args:
        index: Of the column, from 0.
        name: What its header says.
        kinds: Number of filled cells by kind.
        rows: Number of rows, the empty ones included.
        numbers: Its finite numbers.
        dates: Its days, times and moments.
    """
    total = math.fsum(numbers) if numbers else None
    written = sorted(str(as_json(value)) for value in dates)
    return {
        "column": column_letters(index + 1),
        "name": name,
        "types": kinds,
        "nulls": rows - sum(kinds.values()),
        "min": number(min(numbers)) if numbers else None,
        "max": number(max(numbers)) if numbers else None,
        "sum": None if total is None else number(total),
        "mean": None if total is None else total / len(numbers),
        **({"earliest": written[0], "latest": written[-1]} if written else {}),
    }


def numbers_of(filled: Sequence[Cell]) -> Sequence[float]:
    """Take the finite numbers out of a column; true and false are none."""
    if _types(filled).keys() == {float}:
        numbers = cast("Sequence[float]", filled)
    else:
        numbers = [float(value) for value in filled if type(value) is float or type(value) is int]
    return numbers if math.isfinite(sum(numbers)) else list(filter(math.isfinite, numbers))


def _types(filled: Sequence[Cell]) -> dict[type, int]:
    """Count the types of cells; most columns have one, which is told quickly."""
    types = set(map(type, filled))
    return dict.fromkeys(types, len(filled)) if len(types) == 1 else Counter(map(type, filled))

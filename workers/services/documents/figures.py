"""Figures of worksheets: used range, and types, nulls, minimum, maximum, mean and sum of each column."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from workers.services.documents.cells import KINDS, Cell, Row, as_json, column_letters, number

Column = tuple[int, list[Cell]]
"""Index from 0, and filled cells in order."""

_RAGGED = 4
"""Rows whose rectangle has more places than so many times their own are not laid side by side."""


def columns(rows: list[Row]) -> Iterator[Column]:
    """Give each column that has something in it: in order."""
    width = max((len(values) for _, values in rows), default=0)
    if width * len(rows) <= _RAGGED * sum(len(values) for _, values in rows):
        padded = (values if len(values) == width else [*values, *[""] * (width - len(values))] for _, values in rows)
        for index, column in enumerate(zip(*padded, strict=True)):
            filled = [value for value in column if value != ""] if "" in column else list(column)
            if filled:
                yield index, filled
        return
    sparse: defaultdict[int, list[Cell]] = defaultdict(list)
    for _, values in rows:
        for index, value in enumerate(values):
            if value != "":
                sparse[index].append(value)
    yield from sorted(sparse.items())


def extent(rows: list[Row], found: list[Column]) -> dict[str, Any]:
    """Tell the used range, from the first to the last cell that has something in it."""
    filled = [number for number, values in rows if values and (values[-1] != "" or values.count("") != len(values))]
    if not found:
        return {"used_range": None, "rows": 0, "columns": 0, "cells": 0}
    left, right = found[0][0] + 1, found[-1][0] + 1
    return {
        "used_range": f"{column_letters(left)}{filled[0]}:{column_letters(right)}{filled[-1]}",
        "rows": len(filled),
        "columns": right - left + 1,
        "cells": sum(len(values) for _, values in found),
    }


def split_header(rows: list[Row]) -> tuple[list[Cell], list[Row]]:
    """Take off the first row when it names the columns: text throughout, and rows after it."""
    if len(rows) > 1:
        first = [value for value in rows[0][1] if value != ""]
        if first and all(isinstance(value, str) for value in first):
            return rows[0][1], rows[1:]
    return [], rows


def describe(index: int, name: str, filled: list[Cell], rows: int) -> dict[str, Any]:
    """Describe a column from its filled cells, of ``rows`` in all; figures are None where nothing is a number."""
    kinds: Counter[str] = Counter()
    for python_type, count in Counter(map(type, filled)).items():
        kinds[KINDS[python_type]] += count
    numbers = numbers_of(filled) if kinds["number"] else []
    total = math.fsum(numbers) if numbers else None
    dates = sorted(str(as_json(value)) for value in filled if KINDS[type(value)] == "date") if kinds["date"] else []
    return {
        "column": column_letters(index + 1),
        "name": name,
        "types": {kind: count for kind, count in kinds.items() if count},
        "nulls": rows - len(filled),
        "min": number(min(numbers)) if numbers else None,
        "max": number(max(numbers)) if numbers else None,
        "sum": None if total is None else number(total),
        "mean": None if total is None else total / len(numbers),
        **({"earliest": dates[0], "latest": dates[-1]} if dates else {}),
    }


def numbers_of(filled: list[Cell]) -> list[float]:
    """Take the finite numbers out of a column; true and false are none."""
    numbers = [float(value) for value in filled if type(value) is float or type(value) is int]
    return numbers if math.isfinite(sum(numbers)) else list(filter(math.isfinite, numbers))

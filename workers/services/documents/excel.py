"""Workbooks (``.xlsx .xlsm .xltx .xltm .xlsb .xls .ods``): analysis, conversion, aggregations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from workers.errors import InvalidArgument
from workers.services.documents import conversions, formats
from workers.services.documents.aggregations import Aggregation, Columns
from workers.services.documents.cells import Cell, as_json, kind
from workers.services.documents.job import Job
from workers.services.documents.workbook import Row, Sheet, column_letters, sheets
from workers.services.progress import Progress

MAX_DESCRIBED_COLUMNS = 1000
_CONTENT_ROWS = 20
_CONTENT_COLUMNS = 50


@dataclass
class Column:
    """Figures of one column, its header row aside."""

    name: str
    types: Counter[str] = field(default_factory=lambda: Counter())
    count: int = 0
    total: float = 0.0
    low: float | None = None
    high: float | None = None
    first_date: str | None = None
    last_date: str | None = None

    def add(self, values: list[Cell]) -> None:
        """Take the column's values."""
        self.types.update(map(kind, values))
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if numbers:
            self.count = len(numbers)
            self.total = float(sum(numbers))
            self.low, self.high = min(numbers), max(numbers)
        dates = sorted(str(as_json(value)) for value in values if kind(value) == "date")
        if dates:
            self.first_date, self.last_date = dates[0], dates[-1]

    def described(self, letters: str, rows: int) -> dict[str, Any]:
        """Describe the column for the result; figures are None where nothing is a number."""
        filled = sum(count for name, count in self.types.items() if name != "empty")
        return {
            "column": letters,
            "name": self.name,
            "types": {name: count for name, count in self.types.items() if name != "empty"},
            "nulls": rows - filled,
            "min": self.low,
            "max": self.high,
            "sum": self.total if self.count else None,
            "mean": self.total / self.count if self.count else None,
            **({"earliest": self.first_date, "latest": self.last_date} if self.first_date else {}),
        }


def process(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Read a workbook inside the sandbox; operations ``analyze``, ``convert``, ``calculate``."""
    job = Job.of(payload, progress)
    named: dict[str, str] = job.options.get("calculations") or {}
    calculations = {name: Aggregation.parse(name, text) for name, text in named.items()}
    with job.file:
        found = formats.require(job.file, "xlsx", "xls", "xlsb", "ods")
        _read(sheets(job.file, found), job, calculations)
    return job.result(found)


def _read(book: list[Sheet], job: Job, calculations: dict[str, Aggregation]) -> None:
    described: list[dict[str, Any]] = []
    preview: list[str] = []
    columns = Columns(calculations)
    for number, sheet in enumerate(book, 1):
        rows = list(sheet.rows())
        description = {"name": sheet.name, "hidden": sheet.is_hidden, **_extent(rows)}
        if "analyze" in job.operations:
            description |= _figures(rows, job)
        if "convert" in job.operations:
            _convert(sheet, number, rows, job)
        if "calculate" in job.operations:
            columns.take(sheet.name, rows)
        preview += [f"Sheet {sheet.name}", *_preview(rows)]
        described.append(description)
        job.progress(number, len(book), f"sheet {number}")
    job.extra["sheets"] = described
    job.stats = {
        "sheets": len(described),
        "rows": sum(sheet["rows"] for sheet in described),
        "cells": sum(sheet["cells"] for sheet in described),
    }
    if "calculate" in job.operations:
        job.extra["calculations"] = columns.results()
    job.content = "\n".join(preview)


def _extent(rows: list[Row]) -> dict[str, Any]:
    """Tell the used range, from the first to the last cell that has something in it."""
    filled = [(number, [index for index, value in enumerate(values) if value is not None]) for number, values in rows]
    filled = [(number, indexes) for number, indexes in filled if indexes]
    if not filled:
        return {"used_range": None, "rows": 0, "columns": 0, "cells": 0}
    left = min(indexes[0] for _, indexes in filled)
    right = max(indexes[-1] for _, indexes in filled)
    top, bottom = min(number for number, _ in filled), max(number for number, _ in filled)
    return {
        "used_range": f"{column_letters(left + 1)}{top}:{column_letters(right + 1)}{bottom}",
        "rows": len(filled),
        "columns": right - left + 1,
        "cells": sum(len(indexes) for _, indexes in filled),
    }


def _figures(rows: list[Row], job: Job) -> dict[str, Any]:
    """Describe each column; the first row names them when it is all text and another follows."""
    header, body = split_header(rows)
    width = max((len(values) for _, values in rows), default=0)
    columns: list[dict[str, Any]] = []
    for index in range(width):
        values = [values[index] if index < len(values) else None for _, values in body]
        name = str(header[index]) if index < len(header) and header[index] is not None else ""
        if not name and not any(value is not None for value in values):
            continue
        if len(columns) == MAX_DESCRIBED_COLUMNS:
            job.warn("columns_skipped", f"only the first {MAX_DESCRIBED_COLUMNS} columns of a sheet are described")
            break
        column = Column(name)
        column.add(values)
        columns.append(column.described(column_letters(index + 1), len(body)))
    return {"header": bool(header), "data_rows": len(body), "column_figures": columns}


def split_header(rows: list[Row]) -> tuple[list[Cell], list[Row]]:
    """Take off the first row when it names the columns: text throughout, and rows after it."""
    if len(rows) > 1:
        first = [value for value in rows[0][1] if value is not None]
        if first and all(isinstance(value, str) for value in first):
            return rows[0][1], rows[1:]
    return [], rows


def _convert(sheet: Sheet, number: int, rows: list[Row], job: Job) -> None:
    files: list[dict[str, str]] = job.outputs.setdefault("files", [])
    for name in job.options.get("formats") or conversions.WRITERS:
        writer = conversions.WRITERS.get(name)
        if writer is None:
            raise InvalidArgument(f"formats: {name!a} is unknown; possible: {', '.join(conversions.WRITERS)}")
        with job.out.writing(f"sheet-{number:03d}.{name}") as file:
            writer(sheet.name, rows, file)
        path = str(job.out.path / f"sheet-{number:03d}.{name}")
        files.append({"sheet": sheet.name, "format": name, "path": path})
        job.outputs.setdefault(f"{name}_file", path)
        job.outputs.setdefault(f"{name}_files", []).append(path)


def _preview(rows: list[Row]) -> list[str]:
    return [
        "\t".join("" if value is None else str(as_json(value)) for value in values[:_CONTENT_COLUMNS])
        for _, values in rows[:_CONTENT_ROWS]
    ]

"""Workbooks (``.xlsx .xlsm .xltx .xltm .xlsb .xls .ods``): analysis, conversion, aggregations."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

from celery_nexus.task_errors import InvalidArgument
from workers.errors import TimedOut
from workers.services.documents import formats
from workers.services.documents.job import Job, clean, limit_time
from workers.services.documents.sheets import conversions, figures
from workers.services.documents.sheets.aggregations import Aggregation, Columns
from workers.services.documents.sheets.cells import Row, as_text
from workers.services.documents.sheets.workbook import CONTENT_ROWS, Sheet, sheets
from workers.services.progress import Progress

if TYPE_CHECKING:
    from workers.services.documents.sheets.columnar import Table

MAX_DESCRIBED_COLUMNS = 1000
_CONTENT_COLUMNS = 50


def process(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Read a workbook inside the sandbox; operations ``analyze``, ``convert``, ``calculate``."""
    job = Job.of(payload, progress)
    named: dict[str, str] = job.options.get("calculations") or {}
    calculations = {name: Aggregation.parse(name, text) for name, text in named.items()}
    with job.file:
        found = formats.require(job.file, "xlsx", "xls", "xlsb", "ods")
        _read(sheets(job.file, found, job.warn), job, calculations)
    return job.result(found)


def _read(book: list[Sheet], job: Job, calculations: dict[str, Aggregation]) -> None:
    described: list[dict[str, Any]] = []
    preview: list[str] = []
    aggregated = Columns(calculations)
    errors: dict[str, Counter[str]] = {}
    only_figures = job.operations <= {"analyze"}
    for number, sheet in enumerate(book, 1):
        found = (sheet.table() if only_figures else None) or figures.Grid(list(sheet.rows()))
        description = {"name": sheet.name, "hidden": sheet.is_hidden, **found.extent}
        errors[sheet.name] = found.errors
        if "analyze" in job.operations:
            description |= _figures(found, job)
        if isinstance(found, figures.Grid):
            _use_rows(sheet, number, found.rows, job, aggregated)
        preview += [f"Sheet {sheet.name}", *_preview(found), *sheet.annotations]
        if sheet.annotations:
            description["annotations"] = [clean(line) for line in sheet.annotations]
        described.append(description)
        job.progress(number, len(book), f"sheet {number}")
    job.extra["sheets"] = described
    job.stats = {
        "sheets": len(described),
        "rows": sum(sheet["rows"] for sheet in described),
        "cells": sum(sheet["cells"] for sheet in described),
        "error_cells": sum(counts.total() for counts in errors.values()),
    }
    _warn_of_errors(errors, job)
    if "calculate" in job.operations:
        job.extra["calculations"] = aggregated.results()
    job.content = clean("\n".join(preview))


def _warn_of_errors(errors: dict[str, Counter[str]], job: Job) -> None:
    if not job.stats["error_cells"]:
        return
    sheets = "; ".join(
        f"{name!a}: {', '.join(f'{count} × {error}' for error, count in counts.most_common())}"
        for name, counts in islice(((name, counts) for name, counts in errors.items() if counts), 10)
    )
    job.warn("error_cells", f"{job.stats['error_cells']} cells show errors and count in no figure ({sheets})")


def _use_rows(sheet: Sheet, number: int, rows: list[Row], job: Job, aggregated: Columns) -> None:
    if "calculate" in job.operations:
        aggregated.take(sheet.name, rows)
    if "convert" in job.operations:
        _convert(sheet, number, rows, job)


def _figures(found: figures.Grid | Table, job: Job) -> dict[str, Any]:
    """Describe each column; the first row names them when it is all text and another follows."""
    described = list(islice(found.descriptions(), MAX_DESCRIBED_COLUMNS + 1))
    if len(described) > MAX_DESCRIBED_COLUMNS:
        job.warn("columns_skipped", f"only the first {MAX_DESCRIBED_COLUMNS} columns of a sheet are described")
        described.pop()
    return {"header": bool(found.header), "data_rows": found.data_rows, "column_figures": described}


def _convert(sheet: Sheet, number: int, rows: list[Row], job: Job) -> None:
    files: list[dict[str, str]] = job.outputs.setdefault("files", [])
    for name in job.options.get("formats") or conversions.WRITERS:
        writer = conversions.WRITERS.get(name)
        if writer is None:
            raise InvalidArgument(f"formats: {name!a} is unknown; possible: {', '.join(conversions.WRITERS)}")
        file_name = f"sheet-{number:03d}.{name}"
        try:
            with limit_time(job.time_left_s()), job.out.open_file(file_name) as file:
                writer(sheet.name, rows, file)
        except TimedOut:
            job.warn("files_skipped", f"no time left to convert from sheet {number} on; convert to fewer formats")
            return
        path = str(job.out.path / file_name)
        files.append({"sheet": sheet.name, "format": name, "path": path})
        job.outputs.setdefault(f"{name}_file", path)
        job.outputs.setdefault(f"{name}_files", []).append(path)


def _preview(found: figures.Grid | Table) -> list[str]:
    """Write the first rows and columns, and how many more there are."""
    rows = found.preview(CONTENT_ROWS)
    lines = ["\t".join(map(as_text, values[:_CONTENT_COLUMNS])) for _, values in rows]
    more_rows = found.extent["rows"] - sum(any(value != "" for value in values) for _, values in rows)
    more_columns = max((len(values) for _, values in rows), default=0) - _CONTENT_COLUMNS
    more = [f"{count} more {name}" for count, name in ((more_rows, "rows"), (more_columns, "columns")) if count > 0]
    return [*lines, f"… {' and '.join(more)}"] if more else lines

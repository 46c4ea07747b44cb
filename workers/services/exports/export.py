"""Export records to one file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from celery_nexus.exports import writers
from celery_nexus.exports.cells import Changes, keep_nested, scalar
from celery_nexus.exports.shape import Reader, Shape
from workers.services.exports.sources import Records
from workers.services.exports.survey import STEP, survey
from workers.services.progress import Progress
from workers.services.storage import OutputFolder

NESTING = ("json", "jsonl")
"""Formats that hold objects and lists; elsewhere they become JSON text."""


def export(
    records: Records,
    format_: str,
    folder: OutputFolder,
    columns: Sequence[str] | None,
    temporary: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Write records to ``export.FORMAT`` in ``folder`` and say what was written and changed.

    Raises:
        InvalidArgument: A record is no object, or a wanted column is in none.
        TaskError: The source can't be read, or the output not be written.
    """
    shape = survey(records, columns, progress)
    changes = Changes()
    writer = writers.WRITERS[format_]
    if format_ == "xlsx":
        writer = partial(writers.write_xlsx, temporary=temporary)
    folder.make()
    name = f"export.{format_}"
    with folder.open_file(name) as file:
        writer(
            file,
            shape,
            _rows(records, shape, changes, keep_nested if format_ in NESTING else scalar, progress),
            changes,
        )
    path = folder.path / name
    stats: dict[str, Any] = {
        "rows": shape.rows,
        "columns": len(shape.columns),
        "bytes": path.stat().st_size,
        **changes.as_json(),
    }
    progress(shape.rows, shape.rows, "written")
    return {
        "outputs": {"file": str(path), f"{format_}_file": str(path), "stats": stats},
        "stats": stats,
        "warnings": _warnings(changes),
        "content": f"{shape.rows} records with {len(shape.columns)} columns written as {format_}",
    }


def _rows(records: Records, shape: Shape, changes: Changes, read: Reader, progress: Progress) -> Iterator[list[Any]]:
    for number, record in enumerate(records, 1):
        yield shape.row(record, changes, read)
        if number % STEP == 0:
            progress(number, shape.rows, "writing")


def _warnings(changes: Changes) -> list[str]:
    words = {
        "replaced": "had control characters or broken Unicode, shown as U+FFFD",
        "neutralised": "would have been run as a formula and start with an apostrophe now",
        "cut": "were longer than a cell can hold and were cut",
        "not_finite": "were NaN or infinite and are empty now",
    }
    counts = cast("dict[str, int]", vars(changes))
    return [f"{counts[name]} cells {text}" for name, text in words.items() if counts[name]]

"""Reports: the shells that Celery runs around the plain functions in ``workers.services``."""

from __future__ import annotations

import uuid
from typing import Any, Literal

from celery import current_task

from config.celery_config import celery_app
from config.queues import BY_FAMILY
from config.settings import settings
from workers.errors import InvalidArgument
from workers.progress import RunProgress
from workers.services.storage import OutputFolder, folder_name
from workers.upload_path import UploadPath

_OPTIONS = BY_FAMILY["reports"].task_options

ExportFormat = Literal["csv", "tsv", "json", "jsonl", "xlsx", "parquet", "html", "xml"]


@celery_app.task(bind=False, base=None, **_OPTIONS)
def export_data(
    records: list[Any] | None = None,
    format: ExportFormat = "csv",
    source: UploadPath | None = None,
    columns: list[str] | None = None,
) -> dict[str, Any]:
    """Write records to a file: csv, tsv, json, jsonl, xlsx, parquet, html or xml.

    Rows stream from source to file, so a million of them need little memory. Cells that a spreadsheet would run as a
    formula become text; what had to be changed is counted.

    Args:
        records: A list of objects, one a row; fit for thousands. Give this or `source`.
        format: Kind of file to write.
        source: A .jsonl, .ndjson, .csv or .tsv file below the upload root, for many records.
        columns: Columns to write, in this order; all of them, in order of appearance, when left out.

    Returns:
        ``outputs.file`` (its path), ``stats`` (rows, columns, bytes, changed cells) and ``warnings``.
    """
    from workers.services.exports import sources
    from workers.services.exports.export import export

    if (records is None) == (source is None):
        raise InvalidArgument("records: give either `records` (a list of objects) or `source` (a file), and only one")
    current = settings()
    found = sources.Listed(records or []) if source is None else sources.from_file(current.uploads, source)
    return export(found, format, _folder("export"), columns, current.paths.temporary, RunProgress())


def _folder(name: str) -> OutputFolder:
    """Choose this run's output folder; a run that is delivered twice gets the same one and writes the same files."""
    request = current_task.request if current_task else None
    run_id = str(request.id) if request and request.id else uuid.uuid4().hex
    root = settings().outputs
    return OutputFolder(root, root / "reports" / folder_name(name, run_id), source=root)

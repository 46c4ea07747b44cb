"""Word, Excel, PowerPoint and PDF files, read by sandboxed children; images have ``workers.services.images``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celery_nexus.task_errors import DocumentError
from workers.services import sandbox, storage
from workers.services.progress import Progress, ignore_progress
from workers.services.sandbox import Limits
from workers.services.sandbox.client import Job


@dataclass(frozen=True)
class Roots:
    """Where inputs are read and outputs written, and what one file may use."""

    uploads: Path
    outputs: Path
    limits: Limits = field(default_factory=Limits)


def process(
    reader: Job,
    file_path: str,
    operations: Iterable[str],
    roots: Roots,
    *,
    options: dict[str, Any] | None = None,
    progress: Progress = ignore_progress,
) -> dict[str, Any]:
    """Have a sandboxed child read one file.

    The files that it writes go to a folder whose name follows from the file's name and the request, so the same
    request twice leaves the same files.

    Returns:
        ``file``, ``format``, ``size_bytes``, ``outputs``, ``stats``, ``content``, ``warnings`` (codes), ``notes``
        (code → words), and what the reader adds.

    Raises:
        TaskError: One of the typed errors; unfinished output is removed.
    """
    path = storage.find(roots.uploads, file_path)
    name = str(path.relative_to(roots.uploads.resolve()))
    request = json.dumps([reader.__module__, sorted(operations), options or {}], sort_keys=True)
    out = storage.OutputFolder(roots.outputs, roots.outputs / storage.folder_name(name, request), path)
    payload = {
        "uploads": str(roots.uploads),
        "path": str(path),
        "outputs": str(out.root),
        "folder": str(out.path),
        "token": out.token,
        "operations": list(operations),
        "options": options or {},
        "wall_s": roots.limits.wall_s,
    }
    size = path.stat().st_size
    try:
        result = sandbox.run(reader, payload, limits=roots.limits, progress=progress)
    except DocumentError as error:
        out.sweep()
        words = str(error).removeprefix(f"{error.code}: ")
        raise type(error)(f"{storage.spell_name(name)}: {words}") from None
    except BaseException:
        out.sweep()
        raise
    return {"file": storage.spell_name(name), "size_bytes": size, **result}

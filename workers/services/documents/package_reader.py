"""Word's and PowerPoint's packages: opened, checked and read in the same way, with their properties and pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workers.services.documents import formats, ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.formats import Format
from workers.services.documents.job import Job
from workers.services.progress import Progress


def read_package(
    payload: dict[str, Any], progress: Progress, kind: Format, read: Callable[[Archive, Job], None]
) -> dict[str, Any]:
    """Read a package inside the sandbox.

    Args:
        payload: What :func:`workers.services.documents.process` hands over.
        progress: Says how far the work is.
        kind: The format that it must have.
        read: Reads what is particular to the kind.
    """
    job = Job.of(payload, progress)
    with job.file:
        formats.require(job.file, kind)
        with Archive(job.file) as archive:
            archive.refuse_doctypes()
            read(archive, job)
            job.extra["properties"] = ooxml.properties(archive)
            if "extract_images" in job.operations:
                _keep_media(archive, job)
    return job.result(kind)


def _keep_media(archive: Archive, job: Job) -> None:
    """Write a package's embedded pictures."""
    job.outputs["images"] = []
    for name in ooxml.media(archive):
        if not job.keep_image(archive.read(name), name):
            return

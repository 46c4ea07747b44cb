"""A file of any kind, read by what reads its content."""

from __future__ import annotations

from typing import Any

from celery_nexus.task_errors import InvalidArgument, UnsupportedFormat
from workers.services import images
from workers.services.documents import formats, powerpoint
from workers.services.documents.job import Job
from workers.services.documents.pdf import document as pdf
from workers.services.documents.sheets import excel
from workers.services.documents.word import document as word
from workers.services.progress import Progress
from workers.services.sandbox.client import Job as Reader

OPERATIONS: dict[str, tuple[str, ...]] = {
    "word": ("extract_text", "count_stats", "extract_images"),
    "excel": ("analyze", "convert", "calculate"),
    "powerpoint": ("extract_text", "analyze_structure", "extract_images"),
    "pdf": ("extract_text", "extract_metadata", "extract_images"),
    "image": ("get_info", "thumbnail"),
}
"""Default operations of each kind."""

_READERS: dict[str, Reader] = {
    "word": word.process,
    "excel": excel.process,
    "powerpoint": powerpoint.process,
    "pdf": pdf.process,
    "image": images.process,
}
_KINDS: dict[formats.Format, str] = {
    "docx": "word", "xlsx": "excel", "xlsb": "excel", "xls": "excel", "ods": "excel", "pptx": "powerpoint",
    "pdf": "pdf", "png": "image", "jpeg": "image", "gif": "image", "webp": "image", "tiff": "image", "bmp": "image",
    "jpeg2000": "image", "avif": "image", "ico": "image", "pnm": "image", "tga": "image", "dds": "image",
}  # fmt: skip


def process(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Tell a file's kind inside the sandbox and read it; operations that its kind doesn't know are left out.

    Raises:
        UnsupportedFormat: Nothing reads such files.
        InvalidArgument: Its kind knows none of the operations.
    """
    with Job.of(payload, progress).file as file:
        found = formats.detect(file)
    kind = _KINDS.get(found)
    if kind is None:
        raise UnsupportedFormat(f"the content is {formats.DESCRIPTIONS[found]}; no task reads it")
    asked = payload["operations"]
    known = [name for name in asked if name in (*OPERATIONS[kind], "resize", "convert")] if asked else OPERATIONS[kind]
    if not known:
        raise InvalidArgument(
            f"operations: none fits {formats.DESCRIPTIONS[found]}; possible: {', '.join(OPERATIONS[kind])}"
        )
    return {"kind": kind, **_READERS[kind](payload | {"operations": list(known)}, progress)}

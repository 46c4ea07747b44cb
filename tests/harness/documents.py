"""Documents read as the tasks read them, without a worker: in the sandbox, below roots of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.services import documents, images
from workers.services.documents import Roots, powerpoint
from workers.services.documents.pdf import document as pdf
from workers.services.documents.sheets import excel
from workers.services.documents.word import document as word

READERS = {"word": word.process, "excel": excel.process, "powerpoint": powerpoint.process, "pdf": pdf.process,
           "image": images.process}  # fmt: skip
EVERYTHING = {
    "word": ["extract_text", "count_stats", "extract_images"],
    "excel": ["analyze", "convert", "calculate"],
    "powerpoint": ["extract_text", "analyze_structure", "extract_images"],
    "pdf": ["extract_text", "extract_metadata", "extract_images"],
    "image": ["get_info", "resize", "thumbnail", "convert"],
}

Read = Callable[..., dict[str, Any]]


def make_reader(uploads: Path, outputs: Path) -> Read:
    """Make a function that reads an upload by a reader's name: everything, or the operations given."""

    def read(kind: str, name: str, operations: list[str] | None = None, **options: Any) -> dict[str, Any]:
        roots = Roots(uploads, outputs)
        return documents.process(READERS[kind], name, operations or EVERYTHING[kind], roots, options=options)

    return read

"""Folders for uploads and outputs, and readers run in the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workers.services import documents, images, sandbox
from workers.services.documents import Roots, excel, pdf, powerpoint, word

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


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads"
    folder.mkdir()
    return folder


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


@pytest.fixture
def read(uploads: Path, outputs: Path) -> Read:
    """Read an upload by a reader's name: everything, or the operations given."""

    def run(kind: str, name: str, operations: list[str] | None = None, **options: Any) -> dict[str, Any]:
        roots = Roots(uploads, outputs)
        return documents.process(READERS[kind], name, operations or EVERYTHING[kind], roots, options=options)

    return run


@pytest.fixture(scope="session", autouse=True)
def _no_zygote_stays() -> Iterator[None]:
    yield
    sandbox.close()

"""The text of an uploaded document: text files as they are, Word, PowerPoint and PDF through the sandbox."""

from __future__ import annotations

from pathlib import Path

from celery_nexus.task_errors import InvalidArgument, TooLarge
from workers.services import sandbox, storage
from workers.services.progress import Progress, ignore_progress

MAX_BYTES = 8 * 1024 * 1024
"""Longest text: about 170 questions to a model."""

_SNIFFED = 4096
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_CONTAINERS = (b"%PDF", b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


def read_document(uploads: Path, outputs: Path, name: str, progress: Progress = ignore_progress) -> str:
    """Read a document below the upload root.

    A text file may be UTF-8, UTF-16 with its mark, or in Windows' Latin letters. What is extracted from another
    document is left in a folder below the output root, as the file tasks leave it.

    Raises:
        TooLarge: More than 8 MiB of text.
        UnsupportedFormat: It is no such document; says what it is.
        InvalidArgument: There is no text in it.
        TaskError: What reading the document ends with (``encrypted``, ``corrupt`` …).
    """
    with storage.open_input(uploads, name) as file:
        head = file.read(_SNIFFED)
        is_text = head.startswith(_UTF16) or not (head.startswith(_CONTAINERS) or b"\0" in head)
        text = _decode(head + file.read(MAX_BYTES + 1)) if is_text else None
    if text is None:
        text = _extract(uploads, outputs, name, progress)
    if not text.strip():
        raise InvalidArgument("file_path: there is no text in this file")
    return text


def _extract(uploads: Path, outputs: Path, name: str, progress: Progress) -> str:
    from workers.services.documents import Roots, dispatch, process

    try:
        read = process(dispatch.process, name, ["extract_text"], Roots(uploads, outputs), progress=progress)
    except InvalidArgument:
        raise InvalidArgument(
            "file_path: text can be read from text files, Word, PowerPoint and PDF; this is another kind"
        ) from None
    finally:
        sandbox.close()  # this worker seldom reads documents, and needs its memory
    with storage.open_input(outputs, read["outputs"]["text_file"]) as file:
        return _decode(file.read(MAX_BYTES + 1))


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise TooLarge(f"file_path: more than {MAX_BYTES >> 20} MiB of text; split the document")
    if data.startswith(_UTF16):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")

"""The text of an uploaded document."""

from __future__ import annotations

from pathlib import Path

from workers.errors import TooLarge, UnsupportedFormat
from workers.services import storage

MAX_BYTES = 8 * 1024 * 1024
"""Largest text file: about 170 questions to a model."""

_SNIFFED = 4096
_FOREIGN = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "an Office document or an archive",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}


def read_text(root: Path, name: str) -> str:
    """Read a text file below ``root``: UTF-8, UTF-16 with its mark, else Windows' Latin letters.

    Raises:
        TooLarge: More than 8 MiB.
        UnsupportedFormat: It is no text; says what it is and which task reads it.
    """
    with storage.open_input(root, name) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise TooLarge(f"file_path: a text file may have {MAX_BYTES >> 20} MiB; split it")
    for start, found in _FOREIGN.items():
        if data.startswith(start):
            raise _no_text(found)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if b"\0" in data[:_SNIFFED]:
        raise _no_text("binary data")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _no_text(found: str) -> UnsupportedFormat:
    return UnsupportedFormat(
        f"file_path: {found}, no text file; extract its text with the file tasks first and give that file or its text"
    )

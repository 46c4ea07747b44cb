"""Content of PDFs that pdfium misreads, written anew before it is opened.

groff's own PDFs end a line of words with a move and an empty text, ``[(to) -250 ()] TJ``. pdfium drops such a move, and
sets the next word where the space should be: "toopenssl". Without the empty text it is right. Streams keep their
lengths, so that the file's table of objects stays as it is.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

_STREAM = re.compile(rb"/Length ([0-9]{1,9})[^>]{0,200}>>\s*stream\r?\n")
_EMPTY_END = re.compile(rb"\s\(\)\s?(?=\]\s?TJ)")
_MAX_STREAM_BYTES = 16 << 20
MAX_FILE_BYTES = 64 << 20
"""Larger files are read as they are."""
_ODD_FONT = re.compile(rb"/Type3\b|/Encoding\s*/[A-Za-z0-9-]{1,40}-V\b")
_OBJECT_STREAM = re.compile(rb"/ObjStm\b.{0,400}?>>\s*stream\r?\n", re.DOTALL)


def is_misread(producer: str) -> bool:
    """Tell by the program that made a PDF whether :func:`repair` is needed."""
    return "gropdf" in producer


def has_odd_fonts(data: bytes) -> bool:
    """Tell quickly whether a PDF may have fonts that :mod:`font_repairs` changes."""
    return any(_ODD_FONT.search(part) for part in (data, *_object_streams(data)))


def _object_streams(data: bytes) -> Iterator[bytes]:
    for match in _OBJECT_STREAM.finditer(data):
        end = data.find(b"endstream", match.end())
        try:
            yield zlib.decompressobj().decompress(data[match.end() : end], _MAX_STREAM_BYTES)
        except zlib.error:
            continue


def repair(data: bytes) -> bytes:
    """Return the PDF with the last empty texts of its lines left out; what can't be taken apart stays."""
    changed = bytearray(data)
    for match in _STREAM.finditer(data):
        start, length = match.end(), int(match[1])
        stream = data[start : start + length]
        new = _packed(stream) if stream[:1] == b"\x78" else _EMPTY_END.sub(_blank, stream)
        if new and len(new) <= length:
            changed[start : start + length] = new.ljust(length, b"\0" if stream[:1] == b"\x78" else b" ")
    return bytes(changed)


def _packed(stream: bytes) -> bytes | None:
    """Change a compressed stream; None when it is no content or stays as it is."""
    try:
        plain = zlib.decompressobj().decompress(stream, _MAX_STREAM_BYTES)
    except zlib.error:
        return None
    found = _EMPTY_END.sub(b"", plain)
    return None if len(found) == len(plain) or len(plain) == _MAX_STREAM_BYTES else zlib.compress(found, 9)


def _blank(match: re.Match[bytes]) -> bytes:
    return b" " * len(match[0])

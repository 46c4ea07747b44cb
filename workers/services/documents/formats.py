"""What a file is, told by its content; names and extensions are not believed."""

from __future__ import annotations

import re
from typing import Any, BinaryIO, Literal, cast
from zipfile import BadZipFile, ZipFile

import olefile

from workers.errors import Corrupt, Encrypted, UnsupportedFormat
from workers.services.documents.archive import check_directory_size

Format = Literal[
    "docx", "xlsx", "pptx", "xlsb", "xls", "doc", "ppt", "ole", "odt", "ods", "odp", "epub", "zip", "pdf",
    "png", "jpeg", "gif", "webp", "tiff", "bmp", "svg", "html", "xml", "rtf", "text", "archive", "binary", "empty",
]  # fmt: skip

DESCRIPTIONS: dict[Format, str] = {
    "docx": "a Word document", "xlsx": "an Excel workbook", "pptx": "a PowerPoint presentation",
    "xlsb": "a binary Excel workbook (.xlsb)", "xls": "an old binary Excel workbook (.xls)",
    "doc": "an old binary Word document (.doc)", "ppt": "an old binary PowerPoint presentation (.ppt)",
    "ole": "an OLE2 container", "odt": "an OpenDocument text", "ods": "an OpenDocument spreadsheet",
    "odp": "an OpenDocument presentation", "epub": "an e-book (EPUB)", "zip": "a ZIP archive", "pdf": "a PDF",
    "png": "a PNG image", "jpeg": "a JPEG image", "gif": "a GIF image", "webp": "a WebP image",
    "tiff": "a TIFF image", "bmp": "a BMP image", "svg": "an SVG drawing", "html": "an HTML page", "xml": "XML",
    "rtf": "a Rich Text document (.rtf)", "text": "plain text", "archive": "a compressed archive",
    "binary": "unknown binary data", "empty": "an empty file",
}  # fmt: skip

_READERS: dict[Format, str] = {
    "docx": "process_word_document", "xlsx": "process_excel_file", "xls": "process_excel_file",
    "xlsb": "process_excel_file", "ods": "process_excel_file", "pptx": "process_powerpoint", "pdf": "process_pdf",
    "png": "process_image", "jpeg": "process_image", "gif": "process_image", "webp": "process_image",
    "tiff": "process_image", "bmp": "process_image",
}  # fmt: skip

_HEAD_BYTES = 4096
_PDF_HEADER_WITHIN = 1024
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"BM", "bmp"),
    (b"{\\rtf", "rtf"),
    (b"\x1f\x8b", "archive"),
    (b"BZh", "archive"),
    (b"7z\xbc\xaf\x27\x1c", "archive"),
    (b"Rar!", "archive"),
    (b"\xfd7zXZ\0", "archive"),
)
_OLE_STREAMS: tuple[tuple[str, Format], ...] = (
    ("worddocument", "doc"),
    ("workbook", "xls"),
    ("book", "xls"),
    ("powerpoint document", "ppt"),
)
_MARKUP: tuple[tuple[bytes, Format], ...] = ((b"<svg", "svg"), (b"<html", "html"), (b"<!doctype html", "html"))


def require(file: BinaryIO, *wanted: Format, expected: str = "") -> Format:
    """Tell a file's format, which must be one of ``wanted``; ``expected`` says them in words.

    Raises:
        Encrypted: An Office document with a password.
        UnsupportedFormat: Something else; the message says what was found and which task reads it.
        Corrupt: Cut short before its kind can be told.
    """
    found = detect(file)
    if found in wanted:
        return found
    reader = _READERS.get(found)
    hint = f"; {reader} reads it" if reader else ""
    raise UnsupportedFormat(
        f"the content is {DESCRIPTIONS[found]}, expected {expected or DESCRIPTIONS[wanted[0]]}{hint}"
    )


def detect(file: BinaryIO) -> Format:
    """Tell what a file is by its content; leaves it at its start.

    Raises:
        Encrypted: An Office document with a password.
        Corrupt: A ZIP or OLE2 file that is cut short.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    try:
        if head.startswith(_OLE_MAGIC):
            return _detect_ole(file)
        if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
            return _detect_zip(file)
        return detect_head(head)
    finally:
        file.seek(0)


def detect_head(head: bytes) -> Format:
    """Tell what the first bytes of something are, containers aside."""
    if not head:
        return "empty"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if b"%PDF-" in head[:_PDF_HEADER_WITHIN]:
        return "pdf"
    return _detect_text(head[:_HEAD_BYTES])


def _detect_text(head: bytes) -> Format:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(b"<"):
        for mark, kind in _MARKUP:
            if mark in start:
                return kind
        return "xml"
    is_text = not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head)
    return "text" if is_text else "binary"


def _detect_ole(file: BinaryIO) -> Format:
    try:
        container = cast("Any", olefile.OleFileIO)(file)
        with container:
            names = {"/".join(entry).lower() for entry in container.listdir()}
    except Exception as error:  # noqa: BLE001  (olefile raises whatever a damaged directory provokes)
        raise Corrupt(f"a damaged OLE2 container ({type(error).__name__})") from None
    if "encryptedpackage" in names or "encryptioninfo" in names:
        raise Encrypted("the document has a password; remove it and submit again")
    for stream, kind in _OLE_STREAMS:
        if stream in names:
            return kind
    return "ole"


def _detect_zip(file: BinaryIO) -> Format:
    """Tell the kinds of ZIP apart by names of members only; the directory must have been checked before."""
    file.seek(0)
    check_directory_size(file)
    try:
        with ZipFile(file) as archive:
            names = set(archive.namelist())
            mimetype = archive.read("mimetype")[:100] if _is_small(archive, "mimetype") else b""
    except (BadZipFile, NotImplementedError, OSError, ValueError, RuntimeError, EOFError) as error:
        raise Corrupt(f"a ZIP container that can't be read, perhaps cut short ({error})") from None
    return _of_mimetype(mimetype) or _of_names(names)


def _is_small(archive: ZipFile, name: str) -> bool:
    try:
        return archive.getinfo(name).file_size <= _HEAD_BYTES
    except KeyError:
        return False


def _of_mimetype(mimetype: bytes) -> Format | None:
    kinds: tuple[tuple[bytes, Format], ...] = (
        (b"opendocument.text", "odt"),
        (b"opendocument.spreadsheet", "ods"),
        (b"opendocument.presentation", "odp"),
        (b"epub", "epub"),
    )
    return next((kind for mark, kind in kinds if mark in mimetype), None)


def _of_names(names: set[str]) -> Format:
    plain = {name.replace("\\", "/").lstrip("/").lower() for name in names}
    if "xl/workbook.bin" in plain:
        return "xlsb"
    kinds: tuple[tuple[str, Format], ...] = (("word/", "docx"), ("xl/", "xlsx"), ("ppt/", "pptx"))
    if "[content_types].xml" not in plain and "_rels/.rels" not in plain:
        return "zip"
    counts: list[tuple[int, Format]] = [
        (sum(name.startswith(folder) for name in plain), kind) for folder, kind in kinds
    ]
    most, kind = max(counts, key=lambda item: item[0])
    if not most:
        return "zip"
    return kind

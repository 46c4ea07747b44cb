"""Detection of a file's format by its content; names and extensions are not believed."""

from __future__ import annotations

import re
import zlib
from typing import Any, BinaryIO, Literal, cast
from urllib.parse import unquote
from zipfile import BadZipFile, ZipFile

import olefile

from celery_nexus.task_errors import Corrupt, UnsupportedFormat
from workers.errors import Encrypted
from workers.services.documents.archive import check_directory_size

Format = Literal[
    "docx", "xlsx", "pptx", "xlsb", "xls", "doc", "ppt", "ole", "odt", "ods", "odp", "epub", "zip", "pdf",
    "png", "jpeg", "gif", "webp", "tiff", "bmp",
    "jpeg2000", "avif", "ico", "pnm", "tga", "dds", "heic", "svg",
    "html", "xml", "rtf", "text", "archive", "binary", "empty",
]  # fmt: skip

DESCRIPTIONS: dict[Format, str] = {
    "docx": "a Word document", "xlsx": "an Excel workbook", "pptx": "a PowerPoint presentation",
    "xlsb": "a binary Excel workbook (.xlsb)", "xls": "an old binary Excel workbook (.xls)",
    "doc": "an old binary Word document (.doc)", "ppt": "an old binary PowerPoint presentation (.ppt)",
    "ole": "an OLE2 container", "odt": "an OpenDocument text", "ods": "an OpenDocument spreadsheet",
    "odp": "an OpenDocument presentation", "epub": "an e-book (EPUB)", "zip": "a ZIP archive", "pdf": "a PDF",
    "png": "a PNG image", "jpeg": "a JPEG image", "gif": "a GIF image", "webp": "a WebP image",
    "tiff": "a TIFF image", "bmp": "a BMP image", "jpeg2000": "a JPEG 2000 image", "avif": "an AVIF image",
    "ico": "an icon (ICO)", "pnm": "a portable anymap (PNM)", "tga": "a Targa image (TGA)", "dds": "a DDS image",
    "heic": "a HEIC image", "svg": "an SVG drawing", "html": "an HTML page", "xml": "XML",
    "rtf": "a Rich Text document (.rtf)", "text": "plain text", "archive": "a compressed archive",
    "binary": "unknown binary data", "empty": "an empty file",
}  # fmt: skip

_READERS: dict[Format, str] = {
    "docx": "process_word_document", "xlsx": "process_excel_file", "xls": "process_excel_file",
    "xlsb": "process_excel_file", "ods": "process_excel_file", "pptx": "process_powerpoint", "pdf": "process_pdf",
    "png": "process_image", "jpeg": "process_image", "gif": "process_image", "webp": "process_image",
    "tiff": "process_image", "bmp": "process_image", "jpeg2000": "process_image", "avif": "process_image",
    "ico": "process_image", "pnm": "process_image", "tga": "process_image", "dds": "process_image",
}  # fmt: skip

_HEAD_BYTES = 4096
_PACKAGE_BYTES = 1 << 20
"""Largest part of a package's own lists that is scanned."""
_CONTENT_TYPES = "[content_types].xml"
_RELATIONSHIPS = "_rels/.rels"
_MAIN_PART = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*/officeDocument[\"'][^>]*>")
_OVERRIDE = re.compile(rb"<(?:\w+:)?Override\b[^>]*>")
_ROOT = re.compile(rb"<(?:\w+:)?([A-Za-z]+)[\s/>]")
_CONTENT_KINDS: tuple[tuple[str, Format], ...] = (
    ("wordprocessingml", "docx"), ("ms-word", "docx"), ("ms-excel.sheet.binary", "xlsb"),
    ("spreadsheetml", "xlsx"), ("ms-excel", "xlsx"), ("presentationml", "pptx"), ("ms-powerpoint", "pptx"),
)  # fmt: skip
_ROOTS: dict[bytes, Format] = {b"document": "docx", b"workbook": "xlsx", b"presentation": "pptx"}
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
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
    (b"\0\0\1\0", "ico"),
    (b"DDS ", "dds"),
    (b"{\\rtf", "rtf"),
    (b"\x1f\x8b", "archive"),
    (b"BZh", "archive"),
    (b"7z\xbc\xaf\x27\x1c", "archive"),
    (b"Rar!", "archive"),
    (b"\xfd7zXZ\0", "archive"),
)
_PNM = re.compile(rb"P[1-6][\s#]|P7\n|P[Ff]\s")
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
        found = detect_head(head)
        return "tga" if found == "binary" and _is_targa(head) else found
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
    if head[4:8] == b"ftyp":
        return "avif" if head[8:12] in (b"avif", b"avis") or b"avif" in head[16:40] else "heic"
    if _PNM.match(head):
        return "pnm"
    if b"%PDF-" in head[:_PDF_HEADER_WITHIN]:
        return "pdf"
    return _detect_text(head[:_HEAD_BYTES])


def _is_targa(head: bytes) -> bool:
    """Tell a Targa image, which has no mark at its start, by a header that makes sense (Truevision TGA 2.0, C.1)."""
    if len(head) < 18 or head[1] > 1 or head[2] not in (1, 2, 3, 9, 10, 11):
        return False
    has_palette, palette_bits = head[1] == 1, head[7]
    is_indexed = head[2] in (1, 9)
    width, height = head[12] | head[13] << 8, head[14] | head[15] << 8
    return (
        (is_indexed <= has_palette)
        and palette_bits in ((15, 16, 24, 32) if has_palette else (0,))
        and head[16] in (8, 15, 16, 24, 32)
        and width > 0 < height
    )


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
    except Exception:  # noqa: BLE001  (olefile raises whatever a damaged directory provokes)
        raise Corrupt("the OLE2 container is damaged, or cut short") from None
    if "encryptedpackage" in names or "encryptioninfo" in names:
        raise Encrypted("the document has a password; remove it and submit again")
    for stream, kind in _OLE_STREAMS:
        if stream in names:
            return kind
    return "ole"


def _detect_zip(file: BinaryIO) -> Format:
    """Tell the kinds of ZIP apart by what the package says of its main part, else by names of members."""
    file.seek(0)
    check_directory_size(file)
    try:
        with ZipFile(file) as archive:
            names = set(archive.namelist())
            mimetype = archive.read("mimetype")[:100] if _is_small(archive, "mimetype") else b""
            package = None if _of_mimetype(mimetype) else _of_package(archive)
    except (BadZipFile, NotImplementedError, OSError, ValueError, RuntimeError, EOFError, zlib.error):
        raise Corrupt("the ZIP container is damaged, or cut short") from None
    return _of_mimetype(mimetype) or package or _of_names(names)


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


def _of_package(archive: ZipFile) -> Format | None:
    """Ask an Office package what its main part holds; None when it says nothing."""
    by_name = {name.replace("\\", "/").lstrip("/").lower(): name for name in archive.namelist()}
    if _CONTENT_TYPES not in by_name and _RELATIONSHIPS not in by_name:
        return None
    targets = _MAIN_PART.findall(_start_of(archive, by_name.get(_RELATIONSHIPS), _PACKAGE_BYTES))
    for target in (_attribute(b"Target", link).lstrip("/") for link in targets):
        types = _start_of(archive, by_name.get(_CONTENT_TYPES), _PACKAGE_BYTES)
        said = [item for item in _OVERRIDE.findall(types) if _attribute(b"PartName", item).strip("/") == target]
        kind = "".join(_attribute(b"ContentType", item) for item in said)
        found: Format | None = next((form for mark, form in _CONTENT_KINDS if mark in kind), None)
        if found:
            return found
        root = _ROOT.search(_start_of(archive, by_name.get(target), _HEAD_BYTES))
        if root:
            return _ROOTS.get(root[1])
    return None


def _attribute(name: bytes, element: bytes) -> str:
    match = re.search(rb"\b" + name + rb"\s*=\s*[\"']([^\"']*)", element)
    return unquote(match[1].decode("utf-8", "replace")).lower() if match else ""


def _start_of(archive: ZipFile, name: str | None, limit: int) -> bytes:
    if name is None:
        return b""
    with archive.open(name) as part:
        data = part.read(limit)
    return data if b"\0" not in data[:4] else data.decode("utf-16", "replace").encode("utf-8", "replace")


def _of_names(names: set[str]) -> Format:
    """Guess from the usual folders, when a damaged package does not say what it is."""
    plain = {name.replace("\\", "/").lstrip("/").lower() for name in names}
    if "xl/workbook.bin" in plain:
        return "xlsb"
    kinds: tuple[tuple[str, Format], ...] = (("word/", "docx"), ("xl/", "xlsx"), ("ppt/", "pptx"))
    if _CONTENT_TYPES not in plain and _RELATIONSHIPS not in plain:
        return "zip"
    counts: list[tuple[int, Format]] = [
        (sum(name.startswith(folder) for name in plain), kind) for folder, kind in kinds
    ]
    most, kind = max(counts, key=lambda item: item[0])
    if not most:
        return "zip"
    return kind

"""Documents as their makers did not mean them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import docx
import openpyxl
from PIL import Image

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def document(text: str = "Hello") -> bytes:
    """A plain Word document."""
    made = docx.Document()
    made.add_paragraph(text)
    target = io.BytesIO()
    made.save(target)
    return target.getvalue()


def workbook() -> bytes:
    """A plain workbook with one number."""
    made = openpyxl.Workbook()
    made.active["A1"] = 1  # pyright: ignore[reportOptionalSubscript]
    target = io.BytesIO()
    made.save(target)
    return target.getvalue()


def with_part(package: bytes, name: str, content: bytes) -> bytes:
    """A package with one part exchanged or added."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.namelist():
            if item != name:
                new.writestr(item, old.read(item))
        new.writestr(name, content)
    return target.getvalue()


def word_body(xml: str) -> bytes:
    """A Word document with this body."""
    return with_part(
        document(), "word/document.xml", f'<w:document xmlns:w="{WORD}"><w:body>{xml}</w:body></w:document>'.encode()
    )


def sheet_data(xml: str) -> bytes:
    """A workbook whose sheet has this content."""
    return with_part(workbook(), "xl/worksheets/sheet1.xml", f'<worksheet xmlns="{SHEET}">{xml}</worksheet>'.encode())


def bomb(package: bytes, name: str, megabytes: int) -> bytes:
    """A package with a part of zeros."""
    target = io.BytesIO(package)
    with (
        zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open(name, "w", force_zip64=True) as part,
    ):
        for _ in range(megabytes):
            part.write(bytes(1 << 20))
    return target.getvalue()


def lying_directory(package: bytes, name: str) -> bytes:
    """A package whose directory says that a part of 30 MB has 10 bytes."""
    data = bytearray(bomb(package, name, 30))
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(name.encode()))
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    return bytes(data)


def many_members(count: int) -> bytes:
    """A ZIP with a lot of empty members."""
    target = io.BytesIO(document())
    with zipfile.ZipFile(target, "a") as archive:
        for number in range(count):
            archive.writestr(f"x/{number}", b"")
    return target.getvalue()


def encrypted_package() -> bytes:
    """What Office writes for a document with a password: an OLE2 container with the stream EncryptedPackage."""
    return ole2("EncryptedPackage")


def ole2(stream: str) -> bytes:
    """A minimal OLE2 container (version 3, [MS-CFB]) with one empty stream."""
    free, end, fat = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16)
    header += b"".join(n.to_bytes(2, "little") for n in (0x3E, 3, 0xFFFE, 9, 6)) + bytes(6)
    header += b"".join(n.to_bytes(4, "little") for n in (0, 1, 1, 0, 4096, end, 0, end, 0, 0))
    header += free.to_bytes(4, "little") * 108
    table = b"".join(n.to_bytes(4, "little") for n in (fat, end)) + free.to_bytes(4, "little") * 126
    return header + table + _entry("Root Entry", 5, child=1) + _entry(stream, 2) + bytes(256)


def _entry(name: str, kind: int, child: int = 0xFFFFFFFF) -> bytes:
    encoded = name.encode("utf-16-le")
    none = (0xFFFFFFFF).to_bytes(4, "little")
    start = encoded.ljust(64, b"\0") + (len(encoded) + 2).to_bytes(2, "little") + bytes([kind, 1])
    return (
        (start + none + none + child.to_bytes(4, "little")).ljust(116, b"\0")
        + (0xFFFFFFFE).to_bytes(4, "little")
        + bytes(8)
    )


def claimed_png(width: int, height: int) -> bytes:
    """A small PNG whose header claims other dimensions, with the right checksum."""
    import zlib

    target = io.BytesIO()
    Image.new("RGB", (1, 1)).save(target, "PNG")
    data = bytearray(target.getvalue())
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)


def save(folder: Path, name: str, data: bytes) -> str:
    """Put an upload into place."""
    (folder / name).write_bytes(data)
    return name

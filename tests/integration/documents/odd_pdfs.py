"""PDFs with what few programs write: drawn fonts, words that are said instead of shown, vertical columns."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen import canvas

LATIN = b"/F<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
SAID = b"""BT /F 12 Tf 50 700 Td (before ) Tj /Span <</ActualText (spoken words)>> BDC (XQZ) Tj EMC ( after) Tj ET
BT /F 12 Tf 50 660 Td (di) Tj /Span <</ActualText <FEFF00660066>>> BDC (#) Tj EMC (erent) Tj ET
BT /F 12 Tf 50 640 Td (pur) Tj /Span <</ActualText <FEFF00AD>>> BDC (-) Tj EMC 0 -14 Td (chase) Tj ET"""
GLYPH = b"<</Length 28>>stream\n7 0 0 0 6 7 d1 0 0 6 7 re f\nendstream"
DRAWN = b"BT /F 12 Tf 50 700 Td (ABC) Tj 0 -20 Td (CABD) Tj ET"


def drawn_font(*names: str) -> bytes:
    """A Type 3 font whose codes from "A" on have glyphs with these names."""
    glyphs = " ".join(f"/{name} 5 0 R" for name in names)
    codes = " ".join(f"/{name}" for name in names)
    return (
        "/F<</Type/Font/Subtype/Type3/FontBBox[0 0 10 10]/FontMatrix[0.1 0 0 0.1 0 0]/Resources<<>>"
        f"/CharProcs<<{glyphs}>>/Encoding<</Type/Encoding/Differences[65 {codes}]>>"
        f"/FirstChar 65/LastChar {64 + len(names)}/Widths[{'7 ' * len(names)}]>>"
    ).encode()


def page(path: Path, content: bytes, font: bytes, *objects: bytes) -> None:
    """Write a PDF of one page; its further objects count from 5."""
    resources = b"/Resources<</Font<<" + font + b">>>>"
    bodies = [
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]" + resources + b"/Contents 4 0 R>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content), *objects,
    ]  # fmt: skip
    target = io.BytesIO(b"%PDF-1.7\n")
    target.seek(0, io.SEEK_END)
    places: list[int] = []
    for number, body in enumerate(bodies, 1):
        places.append(target.tell())
        target.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    at = target.tell()
    target.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1))
    target.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    target.write(b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(bodies) + 1, at))
    path.write_bytes(target.getvalue())


def columns(path: Path, face: str, *texts: str) -> None:
    """Write vertical columns, the first on the right, in a font that the file lacks."""
    font: Any = UnicodeCIDFont(face, isVertical=True)
    pdfmetrics.registerFont(font)
    made = canvas.Canvas(str(path))
    made.setFont(font.fontName, 16)
    for column, text in enumerate(texts):
        made.drawString(400 - 40 * column, 700, text)
    made.save()

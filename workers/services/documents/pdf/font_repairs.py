"""Fonts of PDFs that pdfium reads wrong, written anew: drawn ones (Type 3) with names, vertical ones without a file.

pdfium takes the codes of a Type 3 font for letters, though the font names its glyphs ("h", "adieresis"); and it drops
vertical text in a font that neither the file nor the machine has, as its glyphs have no width. Both are changed in a
copy: names become a map to Unicode, vertical writing horizontal.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pypdf import PdfReader, PdfWriter
from pypdf._codecs import adobe_glyphs
from pypdf.errors import PyPdfError
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

MAX_PAGES = 2000
_DEPTH = 3
_PYPDF_ERRORS = (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError)
"""Errors of pypdf on damaged files."""


@dataclass
class FontRepair:
    """A PDF with such fonts changed.

    Attributes:
        data: The copy; None when there are no such fonts, or when the PDF can't be taken apart.
        is_vertical: Whether vertical text became horizontal.
    """

    data: bytes | None = None
    is_vertical: bool = False


def repair(data: bytes) -> FontRepair:
    """Change the fonts that pdfium reads wrong."""
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted or len(reader.pages) > MAX_PAGES:
            return FontRepair()
        writer = PdfWriter(clone_from=reader)
        fonts = [font for page in writer.pages for font in _fonts(page.get("/Resources"), _DEPTH)]
        has_names = [_add_unicode(font, writer) for font in fonts]
        is_vertical = [_lay_down(font) for font in fonts]
        if not any(has_names) and not any(is_vertical):
            return FontRepair()
        target = io.BytesIO()
        writer.write(target)
    except _PYPDF_ERRORS:
        return FontRepair()
    return FontRepair(target.getvalue(), any(is_vertical))


def _fonts(resources: Any, depth: int) -> Iterator[DictionaryObject]:
    """Give the fonts of a page, and of the forms that it draws."""
    found = resources.get_object() if resources is not None else None
    if not isinstance(found, DictionaryObject) or not depth:
        return
    for kind in ("/Font", "/XObject"):
        entries: Any = found.get(kind)
        for entry in () if entries is None else entries.get_object().values():
            item: Any = entry.get_object()
            if kind == "/Font" and isinstance(item, DictionaryObject):
                yield item
            elif kind == "/XObject" and item.get("/Subtype") == "/Form":
                yield from _fonts(item.get("/Resources"), depth - 1)


def _add_unicode(font: DictionaryObject, writer: PdfWriter) -> bool:
    """Give a drawn font the characters that its glyphs' names say."""
    encoding: Any = font.get("/Encoding")
    names = encoding.get_object() if encoding is not None else None
    if font.get("/Subtype") != "/Type3" or "/ToUnicode" in font or not isinstance(names, DictionaryObject):
        return False
    mapped = _mapped(names)
    if mapped:
        stream = DecodedStreamObject()
        stream.set_data(_unicode_map(mapped))
        font[NameObject("/ToUnicode")] = writer._add_object(stream)  # pyright: ignore[reportPrivateUsage]
    return bool(mapped)


def _lay_down(font: DictionaryObject) -> bool:
    """Let a vertical font that the file lacks write horizontally."""
    encoding: Any = font.get("/Encoding")
    if font.get("/Subtype") != "/Type0" or not str(encoding).endswith("-V") or _is_embedded(font):
        return False
    font[NameObject("/Encoding")] = NameObject(f"{str(encoding)[:-1]}H")
    return True


def _is_embedded(font: DictionaryObject) -> bool:
    descendants: Any = font["/DescendantFonts"]
    descriptor: Any = descendants.get_object()[0].get_object().get("/FontDescriptor")
    described: Any = descriptor.get_object() if descriptor is not None else {}
    return any(key in described for key in ("/FontFile", "/FontFile2", "/FontFile3"))


def _mapped(encoding: DictionaryObject) -> dict[int, str]:
    """Give the characters of the codes whose glyphs have names of letters; nothing when those are what codes say."""
    found: dict[int, str] = {}
    code = 0
    differences: Any = encoding.get("/Differences", [])
    items: list[Any] = list(differences.get_object())
    for item in items:
        if isinstance(item, NameObject):
            letters = adobe_glyphs.get(str(item))
            if letters and 0 <= code < 256:
                found[code] = letters
            code += 1
        else:
            code = int(item)
    return found if any(chr(code) != letters for code, letters in found.items()) else {}


def _unicode_map(mapped: dict[int, str]) -> bytes:
    lines = "\n".join(f"<{code:02x}> <{letters.encode('utf-16-be').hex()}>" for code, letters in mapped.items())
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def 1 begincodespacerange <00> <FF> "
        f"endcodespacerange {len(mapped)} beginbfchar\n{lines}\nendbfchar endcmap end end"
    ).encode()

"""The text of a PDF's pages, through pdfium: words whole, with form values and notes."""

from __future__ import annotations

import ctypes
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from workers.services.documents.pdf.annotations import Annotations
from workers.services.documents.pdf.spaces import Spacing
from workers.services.documents.pdf.words import HYPHEN, UNMAPPED, Words
from workers.services.progress import Progress, ignore_progress

_IMAGE_DEPTH = 3
_HYPHEN_CODE = 2
"""Code that pdfium gives for a hyphen at the end of a line when it is asked for one character."""
_FIRST_NO_CHARACTER, _LAST_NO_CHARACTER = 0xFFFE, 0xFFFF


@dataclass
class Pages:
    """What the pages of a PDF say.

    Attributes:
        texts: One a page: its text with words made whole, then its form values and notes; empty when unreadable.
        unreadable: How many can't be read.
        only_pictures: Numbers of the pages that have pictures and no text.
        fields: The form's values by name.
        links: Addresses to which links lead, with the first page that has it.
        gaps: Codes and words of what is not read.
    """

    texts: list[str] = field(default_factory=lambda: [])
    unreadable: int = 0
    only_pictures: list[int] = field(default_factory=lambda: [])
    fields: dict[str, str] = field(default_factory=lambda: {})
    links: dict[str, int] = field(default_factory=lambda: {})
    gaps: dict[str, str] = field(default_factory=lambda: {})


def read_pages(document: pypdfium2.PdfDocument, progress: Progress = ignore_progress) -> Pages:
    """Read every page in reading order."""
    pages, annotations, spacing = Pages(), Annotations(document), Spacing(len(document))
    beside: list[list[str]] = []
    for index in range(len(document)):
        text, lines = _read_page(document, index, annotations, pages, spacing)
        pages.texts.append(text)
        beside.append(lines)
        progress(index + 1, len(document), f"page {index + 1}")
    if spacing.is_doubtful:
        pages.texts = [_with_spaces(document, index, text, spacing) for index, text in enumerate(pages.texts)]
    words = Words(pages.texts)
    whole = (words.mend(text) for text in pages.texts)
    pages.texts = ["\n".join(filter(None, [text, *lines])) for text, lines in zip(whole, beside, strict=True)]
    if pages.texts and (data := annotations.xfa_lines()):
        pages.texts[-1] = "\n".join(filter(None, [pages.texts[-1], *data]))
    pages.fields, pages.links, pages.gaps = annotations.fields, annotations.links, annotations.gaps
    if spacing.is_cut:
        pages.gaps["spaces"] = "words may run together: the document is too long to look at the place of each glyph"
    if words.unknown:
        pages.gaps["unmapped_glyphs"] = (
            f"{words.unknown} glyphs have no Unicode in their fonts (often ligatures); they are shown as U+FFFD"
        )
    return pages


def _read_page(
    document: pypdfium2.PdfDocument, index: int, annotations: Annotations, pages: Pages, spacing: Spacing
) -> tuple[str, list[str]]:
    try:
        page = document.get_page(index)
    except pypdfium2.PdfiumError:
        pages.unreadable += 1
        return "", []
    try:
        with _text_page(page) as reader:
            text = _text_of(reader)
            spacing.look(reader, text, index)
        lines = annotations.lines(page, index + 1)
        if not lines and not text.strip() and _has_picture(page):
            pages.only_pictures.append(index + 1)
        return text, lines
    except pypdfium2.PdfiumError:
        pages.unreadable += 1
        return "", []
    finally:
        page.close()


def _with_spaces(document: pypdfium2.PdfDocument, index: int, text: str, spacing: Spacing) -> str:
    """Read the places of a page's glyphs, to have its words apart."""
    if not text.strip():
        return text
    page = document.get_page(index)
    try:
        with _text_page(page) as reader:
            return spacing.mend(reader, text)
    finally:
        page.close()


@contextmanager
def _text_page(page: Any) -> Generator[Any]:
    """Open what pdfium makes of a page's text: the bare handle, as the library's own object costs a twentieth more."""
    reader = pdfium.FPDFText_LoadPage(page)
    if not reader:
        raise pypdfium2.PdfiumError("the text can't be loaded")
    try:
        yield reader
    finally:
        pdfium.FPDFText_ClosePage(reader)


def _text_of(reader: Any) -> str:
    """Give a page's text with marks for what pdfium leaves out or takes for hyphens: glyphs without Unicode."""
    count = max(pdfium.FPDFText_CountChars(reader), 0)
    buffer = (ctypes.c_ushort * (2 * count + 1))()  # characters beyond the first plane take two
    length = pdfium.FPDFText_GetText(reader, 0, count, buffer)
    text = bytes(memoryview(buffer)[: max(length - 1, 0)]).decode("utf-16-le", "ignore")
    if count != len(text):
        return "".join([_character(reader, index) for index in range(count)])
    first, *others = text.split(HYPHEN)
    pieces, at = [first], len(first)
    for piece in others:
        pieces += (_character(reader, at), piece)
        at += 1 + len(piece)
    return "".join(pieces)


def _character(reader: Any, index: int) -> str:
    code = int(pdfium.FPDFText_GetUnicode(reader, index))
    if code == _HYPHEN_CODE and pdfium.FPDFText_IsHyphen(reader, index) == 1:
        return HYPHEN
    return chr(code) if 0 < code < _FIRST_NO_CHARACTER or code > _LAST_NO_CHARACTER else UNMAPPED


def _has_picture(page: Any) -> bool:
    objects: Iterator[Any] = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=_IMAGE_DEPTH)
    return next(objects, None) is not None

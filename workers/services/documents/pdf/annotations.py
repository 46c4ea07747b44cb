"""Annotations of a PDF's pages: form values, notes, free text; and attached files."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pypdfium2
import pypdfium2.raw as _raw

from workers.services.documents.ooxml import etree

MAX_ANNOTATIONS = 2000
"""Annotations of one page that are read."""
MAX_LINKS = 10_000
MAX_CHARACTERS = 100_000
"""Characters of one value or note."""
MAX_XFA_BYTES = 4 << 20

pdfium = cast("Any", _raw)
_HIDDEN_FLAGS = pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW
_UNREAD_KINDS = {pdfium.FPDF_ANNOT_POPUP, pdfium.FPDF_ANNOT_WIDGET}
_PASSWORD_FLAG = 1 << 13  # ISO 32000-1, table 228
_OFF = ("", "Off")


@dataclass
class Annotations:
    """The annotations of a document, read page by page.

    Args:
        document: The open PDF.

    Attributes:
        fields: Values of the form's fields by name, empty ones too.
        links: Addresses to which links lead, each once: with the first page that has it.
        gaps: What can't be read: code and words of warnings.
    """

    document: pypdfium2.PdfDocument
    fields: dict[str, str] = field(default_factory=lambda: {})
    links: dict[str, int] = field(default_factory=lambda: {})
    gaps: dict[str, str] = field(default_factory=lambda: {})

    def __post_init__(self) -> None:
        """Load the form, when there is one."""
        kind = cast("int", self.document.get_formtype())
        if kind != pdfium.FORMTYPE_NONE:
            self.document.init_forms()
        self._form: Any = self.document.formenv
        self._is_xfa = kind in (pdfium.FORMTYPE_XFA_FULL, pdfium.FORMTYPE_XFA_FOREGROUND)
        if self._is_xfa:
            self.gaps["xfa"] = "the form is drawn by Adobe's viewers only (XFA); of it the data alone is in the text"

    def lines(self, page: Any, number: int) -> list[str]:
        """Read a page's filled fields, notes and free text."""
        found: list[str] = []
        count = pdfium.FPDFPage_GetAnnotCount(page)
        for index in range(min(count, MAX_ANNOTATIONS)):
            annotation = pdfium.FPDFPage_GetAnnot(page, index)
            if annotation:
                try:
                    found += self._line(annotation, number)
                finally:
                    pdfium.FPDFPage_CloseAnnot(annotation)
        if count > MAX_ANNOTATIONS:
            self.gaps["annotations"] = (
                f"only the first {MAX_ANNOTATIONS} of {count} annotations of page {number} are read"
            )
        return found

    def _line(self, annotation: Any, number: int) -> Iterator[str]:
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        if pdfium.FPDFAnnot_GetFlags(annotation) & _HIDDEN_FLAGS:
            return
        if kind == pdfium.FPDF_ANNOT_WIDGET:
            yield from self._field(annotation) if self._form else self._loose_field(annotation)
        elif kind == pdfium.FPDF_ANNOT_LINK:
            self._keep_link(annotation, number)
        elif kind not in _UNREAD_KINDS:
            words = _text(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents").strip()
            words = words or _rich(_text(pdfium.FPDFAnnot_GetStringValue, annotation, b"RC"))
            if words:
                yield words if kind == pdfium.FPDF_ANNOT_FREETEXT else f"Note: {words}"
            elif kind in (pdfium.FPDF_ANNOT_STAMP, pdfium.FPDF_ANNOT_FREETEXT):
                self.gaps["annotations"] = f"a stamp or free text on page {number} is only drawn; it is not read"
            if kind == pdfium.FPDF_ANNOT_FILEATTACHMENT:
                self.gaps["attachments"] = f"a file is attached to page {number}; it is not read"

    def _keep_link(self, annotation: Any, number: int) -> None:
        action = pdfium.FPDFLink_GetAction(pdfium.FPDFAnnot_GetLink(annotation))
        if action and pdfium.FPDFAction_GetType(action) == pdfium.PDFACTION_URI and len(self.links) < MAX_LINKS:
            address = _bytes(pdfium.FPDFAction_GetURIPath, self.document, action).rstrip(b"\0")
            if address:
                self.links.setdefault(address.decode("utf-8", "replace"), number)

    def _field(self, annotation: Any) -> Iterator[str]:
        name = _text(pdfium.FPDFAnnot_GetFormFieldName, self._form, annotation).strip()
        value = self._value(annotation)
        if value is None:
            return
        if name in self.fields and (self.fields[name] == value or value in _OFF):
            return  # one more button of a group, or the field once more on another page
        self.fields[name] = value
        if value not in _OFF:
            yield f"{name}: {value}" if name else value

    def _loose_field(self, annotation: Any) -> Iterator[str]:
        """Read a field that no form of the document lists."""
        name, value = (_text(pdfium.FPDFAnnot_GetStringValue, annotation, key).strip() for key in (b"T", b"V"))
        if value not in _OFF:
            yield f"{name}: {value}" if name else value

    def _value(self, annotation: Any) -> str | None:
        kind = pdfium.FPDFAnnot_GetFormFieldType(self._form, annotation)
        if kind in (pdfium.FPDF_FORMFIELD_PUSHBUTTON, pdfium.FPDF_FORMFIELD_SIGNATURE):
            return None
        if pdfium.FPDFAnnot_GetFormFieldFlags(self._form, annotation) & _PASSWORD_FLAG and kind == _TEXT_FIELD:
            return "(password)"
        if kind in (pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX):
            chosen = [self._label(annotation, at) for at in self._chosen(annotation)]
            if chosen:
                return ", ".join(chosen)
        return _text(pdfium.FPDFAnnot_GetFormFieldValue, self._form, annotation).strip()

    def _chosen(self, annotation: Any) -> list[int]:
        count = pdfium.FPDFAnnot_GetOptionCount(self._form, annotation)
        options = range(min(count, MAX_ANNOTATIONS))
        return [at for at in options if pdfium.FPDFAnnot_IsOptionSelected(self._form, annotation, at)]

    def _label(self, annotation: Any, at: int) -> str:
        return _text(pdfium.FPDFAnnot_GetOptionLabel, self._form, annotation, at)

    def xfa_lines(self) -> list[str]:
        """Read the data of an XFA form: name and text of each leaf."""
        if not self._is_xfa:
            return []
        for index in range(pdfium.FPDF_GetXFAPacketCount(self.document)):
            name = _bytes(pdfium.FPDF_GetXFAPacketName, self.document, index).rstrip(b"\0")
            if name == b"datasets":
                return _leaves(_packet(self.document, index))
        return []


_TEXT_FIELD = pdfium.FPDF_FORMFIELD_TEXTFIELD


def _text(read: Callable[..., int], *arguments: Any) -> str:
    """Call a function of pdfium that fills a buffer with UTF-16."""
    length = read(*arguments, None, 0)
    if length <= 2:
        return ""
    size = min(length, 2 * MAX_CHARACTERS)
    buffer = ctypes.create_string_buffer(length)
    read(*arguments, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), length)
    return buffer.raw[:size].decode("utf-16-le", "replace").rstrip("\0").replace("\r\n", "\n").replace("\r", "\n")


def _bytes(read: Callable[..., int], *arguments: Any) -> bytes:
    length = read(*arguments, None, 0)
    buffer = ctypes.create_string_buffer(max(length, 1))
    read(*arguments, buffer, length)
    return buffer.raw[:length]


def _packet(document: Any, index: int) -> bytes:
    length = ctypes.c_ulong()
    pdfium.FPDF_GetXFAPacketContent(document, index, None, 0, ctypes.byref(length))
    if not 0 < length.value <= MAX_XFA_BYTES:
        return b""
    buffer = ctypes.create_string_buffer(length.value)
    pdfium.FPDF_GetXFAPacketContent(document, index, buffer, length.value, ctypes.byref(length))
    return buffer.raw[: length.value]


def _parsed(data: bytes) -> Any:
    if not data.strip() or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    return etree.fromstring(data, parser)


def _leaves(data: bytes) -> list[str]:
    root = _parsed(data)
    leaves = () if root is None else (item for item in root.iter("{*}*") if not len(item))
    named = ((item.tag.rpartition("}")[2], (item.text or "").strip()) for item in leaves)
    return [f"{name}: {value}" for name, value in named if value]


def _rich(markup: str) -> str:
    root = _parsed(markup.encode("utf-8", "replace"))
    return "" if root is None else " ".join("".join(root.itertext()).split())

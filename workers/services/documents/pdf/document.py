"""PDF: text and pictures through pdfium, metadata through pypdf."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, cast

import pypdfium2
import pypdfium2.raw as pdfium

from celery_nexus.task_errors import Corrupt, TooLarge
from workers.errors import Encrypted, TimedOut
from workers.services.documents import formats
from workers.services.documents.job import Job, clean, limit_time
from workers.services.documents.ooxml import etree
from workers.services.documents.pdf import repairs as pdf_repairs
from workers.services.documents.pdf.text import read_pages
from workers.services.progress import Progress

MAX_PAGES = 20_000
MAX_OUTLINE = 2000
MAX_XMP_BYTES = 1 << 20
MAX_IMAGE_PIXELS = 50_000_000
_PAGE_BREAK = "\n\f\n"
_METADATA_S = 8.0
_TAIL_BYTES = 2048
_IMAGE_DEPTH = 3
_FORMS = {
    pdfium.FORMTYPE_ACRO_FORM: "AcroForm", pdfium.FORMTYPE_XFA_FULL: "XFA", pdfium.FORMTYPE_XFA_FOREGROUND: "XFA",
}  # fmt: skip
_MIN_IMAGE_SIDE = 8
"""Smaller pictures are lines and fills, of which scans have thousands."""


def process(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Read a PDF inside the sandbox; operations ``extract_text``, ``extract_metadata``, ``extract_images``."""
    job = Job.of(payload, progress)
    with job.file:
        formats.require(job.file, "pdf")
        document = _open(job)
        try:
            _read(document, job)
        finally:
            document.close()
    return job.result("pdf")


def _open(job: Job) -> pypdfium2.PdfDocument:
    try:
        document = pypdfium2.PdfDocument(job.file)
        mended = _mended(document.get_metadata_value("Producer"), job)
        if mended:
            document.close()
            document = pypdfium2.PdfDocument(mended)
        pages = len(document)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
            raise Encrypted("the PDF has a password; remove it and submit again") from None
        raise Corrupt("the PDF is damaged or cut short") from None
    if pages == 0:
        raise Corrupt("the PDF has no pages")
    if pages > MAX_PAGES:
        raise TooLarge(f"{pages} pages; at most {MAX_PAGES} can be processed")
    return document


def _mended(producer: str, job: Job) -> bytes | None:
    """Return the PDF without what pdfium is known to read wrong; None when there is nothing of the kind."""
    job.file.seek(0)
    data = job.file.read(pdf_repairs.MAX_FILE_BYTES + 1)
    if len(data) > pdf_repairs.MAX_FILE_BYTES:
        return None
    if pdf_repairs.is_misread(producer):
        return pdf_repairs.repair(data)
    if not pdf_repairs.has_odd_fonts(data):
        return None
    from workers.services.documents.pdf import font_repairs  # with pypdf, which takes long to load

    try:
        with limit_time(min(_METADATA_S, job.time_left_s())):
            found = font_repairs.repair(data)
    except TimedOut:
        job.warn(
            "odd_fonts", "letters of drawn fonts (Type 3) and vertical text may be wrong: no time was left for them"
        )
        return None
    if found.is_vertical:
        job.warn("vertical_text", "columns of vertical text whose font the file lacks are read as lines, from the left")
    return found.data


def _read(document: pypdfium2.PdfDocument, job: Job) -> None:
    job.stats["pages"] = len(document)
    if "extract_text" in job.operations:
        _keep_text(document, job)
    if "extract_metadata" in job.operations:
        job.extra["metadata"] = _metadata(document, job)
    if "extract_images" in job.operations:
        _keep_images(document, job)


def _keep_text(document: pypdfium2.PdfDocument, job: Job) -> None:
    read = read_pages(document, job.progress)
    texts = [clean(text) for text in read.texts]
    _judge(job, texts, read.unreadable)
    for code, words in read.gaps.items():
        job.warn(code, words)
    if read.only_pictures and any(map(str.strip, texts)):
        job.warn(
            "pages_without_text", f"{_listed(read.only_pictures)}: pictures without text, as in scans; OCR is needed"
        )
    _warn_of_attachments(document, job)
    if read.fields:
        job.extra["form"] = {
            clean(name)[:300]: clean(value)[:1000] for name, value in islice(read.fields.items(), 2000)
        }
    if read.links:
        job.extra["links"] = [{"page": page, "address": clean(address)[:4000]} for address, page in read.links.items()]
    job.keep_text(_PAGE_BREAK.join(texts))
    whole = "\n".join(texts)
    job.stats |= {
        "characters": sum(map(len, texts)),
        "words": len(whole.split()),
        "pages_with_text": sum(bool(text.strip()) for text in texts),
        "characters_by_page": [len(text) for text in texts],
    }


def _warn_of_attachments(document: pypdfium2.PdfDocument, job: Job) -> None:
    try:
        names = _attachments(document)
    except (pypdfium2.PdfiumError, ValueError):
        return
    if names:
        listed = ", ".join(f"{name[:100]!a}" for name in names[:5])
        job.warn("attachments", f"{len(names)} attached files are not read: {listed}")


def _listed(pages: list[int]) -> str:
    shown = ", ".join(map(str, pages[:20]))
    return f"page{'s' if len(pages) > 1 else ''} {shown}{' …' if len(pages) > 20 else ''}"


def _judge(job: Job, texts: list[str], unreadable: int) -> None:
    """Tell damage and missing text apart from plain emptiness."""
    has_text = any(text.strip() for text in texts)
    if unreadable == len(texts) or (unreadable and not has_text):
        raise Corrupt(f"{unreadable} of {len(texts)} pages can't be read")
    if not _has_end(job):
        if not has_text:
            raise Corrupt("the end of the PDF is missing, and what is left has no text")
        job.warn("damaged", "the end of the PDF is missing; what was recovered may be incomplete")
    if unreadable:
        job.warn("damaged", f"{unreadable} of {len(texts)} pages can't be read")
    if not has_text:
        job.warn("no_text", "the PDF has no text layer, as scans don't; it needs OCR first")


def _has_end(job: Job) -> bool:
    size = job.file.seek(0, io.SEEK_END)
    job.file.seek(max(0, size - _TAIL_BYTES))
    tail = job.file.read()
    return b"%%EOF" in tail or b"startxref" in tail


def _metadata(document: pypdfium2.PdfDocument, job: Job) -> dict[str, Any]:
    form = cast("int", document.get_formtype())
    found: dict[str, Any] = {
        "pages": len(document),
        "version": document.get_version(),
        "page_size_pt": _page_size(document),
        "tagged": bool(document.is_tagged()),
        "form": _FORMS.get(form, "none"),
        "info": {key: clean(str(value))[:1000] for key, value in document.get_metadata_dict(skip_empty=True).items()},
    }
    left_s = min(_METADATA_S, job.time_left_s())
    for name, read in (("outline", _outline), ("attachments", _attachments)):
        _add(found, job, name, lambda read=read: read(document))
    try:
        with limit_time(left_s):
            found |= _pypdf_metadata(job)
    except TimedOut:
        job.warn("metadata_incomplete", f"encryption and XMP could not be read within {left_s:g} s")
    except Exception:  # noqa: BLE001  (pypdf raises ten kinds on damaged files; pdfium has read the rest)
        job.warn("metadata_incomplete", "encryption and XMP can't be read: that part of the PDF is damaged")
    return found


def _add(found: dict[str, Any], job: Job, name: str, read: Callable[[], Any]) -> None:
    try:
        found[name] = read()
    except (pypdfium2.PdfiumError, ValueError, RecursionError):
        job.warn("metadata_incomplete", f"the {name} can't be read: that part of the PDF is damaged")


def _page_size(document: pypdfium2.PdfDocument) -> list[float] | None:
    try:
        size: tuple[float, float] = document.get_page_size(0)
        return [round(side, 2) for side in size]
    except pypdfium2.PdfiumError:
        return None


def _outline(document: Any) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    bookmarks: Iterable[Any] = document.get_toc(max_depth=10)
    for bookmark in bookmarks:
        target = bookmark.get_dest()
        index = target.get_index() if target else None
        entries.append(
            {
                "title": clean(bookmark.get_title())[:300],
                "level": bookmark.level,
                "page": None if index is None else index + 1,
            }
        )
        if len(entries) >= MAX_OUTLINE:
            break
    return entries


def _attachments(document: pypdfium2.PdfDocument) -> list[str]:
    count = min(document.count_attachments(), MAX_OUTLINE)
    return [clean(document.get_attachment(index).get_name())[:300] for index in range(count)]


def _pypdf_metadata(job: Job) -> dict[str, Any]:
    import pypdf

    job.file.seek(0)
    reader = pypdf.PdfReader(job.file, strict=False)
    found: dict[str, Any] = {"encrypted": reader.is_encrypted}
    if reader.is_encrypted:
        reader.decrypt("")
        found["permissions"] = _permissions(reader)
    entry: Any = reader.root_object.get("/Metadata")
    data: Any = entry.get_object().get_data() if entry is not None else b""
    found["xmp"] = _xmp(bytes(data)) if data and len(data) <= MAX_XMP_BYTES else {}
    return found


def _permissions(reader: Any) -> dict[str, bool]:
    flags = reader.user_access_permissions
    names = ("PRINT", "MODIFY", "EXTRACT", "ADD_OR_MODIFY")
    return {} if flags is None else {name.lower(): name in (flags.name or "").split("|") for name in names}


def _xmp(data: bytes) -> dict[str, str]:
    """Flatten an XMP packet: local name → text; a packet with a DOCTYPE is not read."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        return {}
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    root = etree.fromstring(data, parser)
    found: dict[str, str] = {}
    for element in () if root is None else root.iter("{*}*"):
        if element.tag.endswith("}Description"):
            attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
            found |= {key: value[:1000] for key, value in attributes.items() if key != "about"}
        elif element.text and element.text.strip():
            owner = element
            while re.search(r"}(li|Alt|Seq|Bag)$", owner.tag) and owner.getparent() is not None:
                owner = owner.getparent()
            name = owner.tag.rpartition("}")[2]
            found[name] = (
                f"{found[name]}, {element.text.strip()}"[:1000] if name in found else element.text.strip()[:1000]
            )
    return {name: clean(value) for name, value in found.items()}


def _keep_images(document: pypdfium2.PdfDocument, job: Job) -> None:
    job.outputs["images"] = []
    seen: set[int] = set()
    for index in range(len(document)):
        if job.time_left_s() <= 0:
            job.warn("images_skipped", f"stopped before page {index + 1}: no time left")
            return
        try:
            page = document.get_page(index)
        except pypdfium2.PdfiumError:
            continue
        try:
            if not _keep_page_images(page, job, seen):
                return
        finally:
            page.close()


def _keep_page_images(page: Any, job: Job, seen: set[int]) -> bool:
    items: Iterable[Any] = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=_IMAGE_DEPTH)
    for item in items:
        try:
            data = _image(item)
        except (pypdfium2.PdfiumError, ValueError, OSError, NotImplementedError, KeyError, AssertionError):
            job.warn("images_skipped", "a picture can't be decoded: it is damaged, or of a rare kind")
            continue
        if data is None or hash(data) in seen:
            continue
        seen.add(hash(data))
        if not job.keep_image(data, "image.png"):
            return False
    return True


def _image(item: Any) -> bytes | None:
    width, height = item.get_px_size()
    if min(width, height) < _MIN_IMAGE_SIDE or width * height > MAX_IMAGE_PIXELS:
        return None
    filters = item.get_filters(skip_simple=True)
    if filters == ["DCTDecode"]:
        return bytes(item.get_data(decode_simple=True))
    target = io.BytesIO()
    item.get_bitmap(render=False).to_pil().save(target, "PNG", compress_level=1)
    return target.getvalue()

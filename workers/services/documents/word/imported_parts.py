"""Parts that a Word document imports whole (``altChunk``): HTML, MHTML, plain text, Rich Text, other Word documents."""

from __future__ import annotations

import email
import email.policy
import io
import re
from collections.abc import Callable
from typing import Any, cast

import lxml.html

from celery_nexus.task_errors import DocumentError
from workers.services.documents import ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.word import rich_text

_html = cast("Any", lxml.html)
MAX_DEPTH = 3
"""Imported documents may import others, so deep."""

ReadDocument = Callable[[Archive], list[str]]
Warn = Callable[[str, str], None]

_BLOCKS = frozenset(
    ("address", "article", "aside", "blockquote", "br", "center", "dd", "div", "dl", "dt", "fieldset", "figcaption",
     "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p",
     "pre", "section", "table", "tr", "ul")
)  # fmt: skip
_UNSEEN = frozenset(("script", "style", "head", "template", "noscript"))
_CELLS = frozenset(("td", "th"))
_SPACE = re.compile(r"[^\S\t]+")


def read(archive: Archive, part: str, kind: str, read_document: ReadDocument, warn: Warn) -> list[str]:
    """Read an imported part as lines; one that can't be read becomes a warning that names it.

    Args:
        archive: The package.
        part: The part's name.
        kind: Its content type.
        read_document: Reads the body of a Word document.
        warn: Takes a warning's code and words.
    """
    try:
        data = archive.read(part)
        return _lines(data, kind.lower(), part.lower(), read_document)
    except DocumentError as error:
        warn("not_imported", f"the imported part {part!a} can't be read ({str(error).partition(': ')[2]})")
    except (ValueError, LookupError, ooxml.etree.LxmlError):
        warn("not_imported", f"the imported part {part!a} ({kind or 'of an unknown kind'}) can't be read")
    return []


def _lines(data: bytes, kind: str, part: str, read_document: ReadDocument) -> list[str]:
    head = data[:512].lstrip().lower()
    if data.startswith(b"PK\x03\x04"):
        with Archive(io.BytesIO(data)) as inner:
            inner.refuse_doctypes()
            return read_document(inner)
    if head.startswith(b"{\\rtf"):
        return rich_text.read(data).strip("\n").split("\n")
    if "rfc822" in kind or "multipart" in kind or part.endswith((".mht", ".mhtml", ".eml")):
        return _of_message(data)
    if "html" in kind or b"<html" in head or part.endswith((".htm", ".html", ".xhtml")):
        return html_lines(data)
    if kind.startswith("text/") or part.endswith(".txt"):
        return _decoded(data).splitlines()
    raise ValueError(kind)


def _of_message(data: bytes) -> list[str]:
    message = email.message_from_bytes(data, policy=email.policy.default)
    body = message.get_body(("related", "html", "plain"))
    if body is None:
        raise ValueError("no body")
    if body.get_content_maintype() == "multipart":
        body = next(item for item in body.walk() if item.get_content_maintype() == "text")
    payload = body.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    charset = body.get_content_charset()
    if body.get_content_subtype() == "html":
        return html_lines(content, charset)
    return content.decode(charset or "utf-8", "replace").splitlines()


def html_lines(data: bytes, charset: str | None = None) -> list[str]:
    """Read the text of an HTML page: a line for each block, tabs between the cells of a row."""
    declared = charset or (None if b"charset" in data[:2048].lower() or b"encoding" in data[:200] else _charset(data))
    parser = _html.HTMLParser(encoding=declared)
    root = _html.document_fromstring(data if data.strip() else b"<p></p>", parser=parser)
    pieces: list[str] = []
    _walk(root, pieces)
    lines = (_SPACE.sub(" ", line).replace(" \t ", "\t") for line in "".join(pieces).split("\n"))
    return [line.strip("\t ") for line in lines if line.strip()]


def _walk(element: ooxml.Element, pieces: list[str]) -> None:
    if isinstance(element.tag, str) and element.tag not in _UNSEEN:
        around = "\n" if element.tag in _BLOCKS else ""
        pieces.append(around)
        pieces.append(_spaced(element.text))
        if element.tag == "img":
            pieces.append(element.get("alt") or "")
        before = len(pieces)
        for child in element:
            _walk(child, pieces)
        if element.tag == "a":
            _add_address(element, pieces, before)
        pieces.append("\t" if element.tag in _CELLS else around)
    pieces.append(_spaced(element.tail))


def _add_address(element: ooxml.Element, pieces: list[str], before: int) -> None:
    """Write where a link leads behind its words, unless they or their page say so."""
    address = (element.get("href") or "").strip()
    shown = (element.text or "") + "".join(pieces[before:])
    if ":" in address and address.removeprefix("mailto:").rstrip("/") not in shown:
        pieces.append(f" <{address}>")


def _spaced(text: str | None) -> str:
    return re.sub(r"\s+", " ", text) if text else ""


def _decoded(data: bytes) -> str:
    charset = _charset(data)
    return data.decode(charset, "replace")


def _charset(data: bytes) -> str:
    """Choose how a text without a declared encoding is read: by its mark, as UTF-8, else as Windows' Western set."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"

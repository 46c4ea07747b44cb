"""Annotations of a worksheet: comments, text boxes, charts, headers, prompts, links."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from workers.services.documents import graphics, ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.graphics import Warn
from workers.services.documents.sheets import cell_extras
from workers.services.documents.sheets.extent import MAX_REST_BYTES, Extent

ReadComments = Callable[[str], list[str]]

_OPEN_BREAK = re.compile(rb"<br\s*>", re.IGNORECASE)

MAX_LINES = 2000
"""Lines of one worksheet that are given."""


def read(
    archive: Archive, part: str, warn: Warn, extent: Extent | None = None, read_binary: ReadComments | None = None
) -> list[str]:
    """Read what a worksheet's part links to, as lines; a comment's begins with its cell.

    Args:
        archive: The package.
        part: The worksheet's part.
        warn: Takes a warning's code and words.
        extent: What a look through the part found; None for a part that is no XML.
        read_binary: Reads a part of comments that is no XML.
    """
    lines: list[str] = []
    threaded = ooxml.list_linked_parts(archive, part, "threadedComment")
    for linked in threaded or ooxml.list_linked_parts(archive, part, "comments"):
        if read_binary and linked.endswith(".bin"):
            lines += read_binary(linked)
        else:
            lines += _comments(ooxml.parse(archive, linked))
    for linked in ooxml.list_linked_parts(archive, part, "drawing"):
        lines += _drawing(archive, linked, warn)
    for linked in ooxml.list_linked_parts(archive, part, "vmlDrawing"):
        lines += (line for line in _controls(archive.read(linked)) if line not in lines)
    lines += _rest(archive, part, extent, warn) if extent else []
    if len(lines) > MAX_LINES:
        warn("annotations_cut", f"only the first {MAX_LINES} comments and texts of drawings of a sheet are given")
    return lines[:MAX_LINES]


def _controls(drawing: bytes) -> Iterator[str]:
    """Read what an old drawing writes on check boxes, buttons and the like; its comments are read elsewhere."""
    for shape in _forgiving(_OPEN_BREAK.sub(b"<br/>", drawing)).iter("{*}shape"):
        kinds = [data.get("ObjectType") for data in shape.iter("{*}ClientData")]
        if "Note" not in kinds:
            for box in shape.iterchildren("{*}textbox"):
                yield from filter(None, [" ".join(" ".join(box.itertext()).split())])


def _forgiving(data: bytes) -> ooxml.Element:
    """Parse what is no proper XML, too: HTML stands in old drawings."""
    parser = ooxml.etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    found = ooxml.etree.fromstring(data, parser) if data.strip() else None
    return ooxml.etree.Element("nothing") if found is None else found


def _rest(archive: Archive, part: str, extent: Extent, warn: Warn) -> list[str]:
    """Read what a worksheet's XML has besides cells: printed headers and footers, prompts, links."""
    root = _rest_of(archive, part, extent)
    if root is None:
        warn("annotations_cut", f"headers, links and prompts of {part!a} are not read: its XML is too long or unusual")
        return []
    headers = root.iterfind("{*}headerFooter/*")
    return [
        *cell_extras.header_lines(header.text or "" for header in headers),
        *_prompts(root),
        *_links(root, {link.id: link.target for link in ooxml.relationships(archive, part)}),
        *_link_formulas(extent, warn),
    ]


def _rest_of(archive: Archive, part: str, extent: Extent) -> ooxml.Element | None:
    whole = extent.rest or (archive.read(part) if archive.size(part) <= MAX_REST_BYTES else b"")
    return _forgiving(whole) if whole else None


def _prompts(root: ooxml.Element) -> Iterator[str]:
    for rule in root.iter("{*}dataValidation"):
        if rule.get("showInputMessage") in ("1", "true"):
            cells = rule.get("sqref") or next((item.text for item in rule.iterchildren("{*}sqref")), "") or "?"
            line = cell_extras.prompt_line(cells, rule.get("promptTitle") or "", rule.get("prompt") or "")
            yield from filter(None, [line])


def _links(root: ooxml.Element, addresses: dict[str, str]) -> Iterator[str]:
    for link in root.iterfind("{*}hyperlinks/{*}hyperlink"):
        address = addresses.get(ooxml.attribute(link, "id") or "", "")
        place, tip = link.get("location") or "", link.get("tooltip") or ""
        yield from filter(None, [cell_extras.link_line(link.get("ref") or "?", address, place, tip)])


def _link_formulas(extent: Extent, warn: Warn) -> list[str]:
    computed = [cell for cell, address in extent.links if not address]
    if computed:
        warn(
            "links",
            f"the addresses of {len(computed)} links are computed by formulas and not read, as in {computed[0]}",
        )
    return [f"{cell}: {address}" for cell, address in extent.links if address]


def _comments(root: ooxml.Element) -> Iterator[str]:
    for comment in root.iter("{*}comment", "{*}threadedComment"):
        words = " ".join("".join(text.text or "" for text in comment.iter("{*}t", "{*}text") if not len(text)).split())
        if words:
            yield f"{comment.get('ref') or '?'}: {words}"


def _drawing(archive: Archive, part: str, warn: Warn) -> list[str]:
    links = {link.id: link for link in ooxml.relationships(archive, part)}
    lines: list[str] = []
    for element in ooxml.parse(archive, part).iter("{*}p", "{*}cNvPr", "{*}chart", "{*}relIds"):
        name = ooxml.local_name(element)
        if name == "p":
            lines.append("".join(text.text or "" for text in element.iter("{*}t")))
        elif name == "cNvPr":
            words = graphics.alt_text(element)
            lines.append(f"[{words}]" if words else "")
        else:
            link = links.get(ooxml.attribute(element, "dm") or ooxml.attribute(element, "id") or "")
            if link and link.target in archive:
                lines += graphics.read_graphic(archive, link.target, warn)
    return [line for line in lines if line.strip()]

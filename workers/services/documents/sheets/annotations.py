"""What stands on a worksheet beside its cells: comments, text boxes, charts, alternative texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from workers.services.documents import graphics, ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.graphics import Warn

ReadComments = Callable[[str], list[str]]

MAX_LINES = 2000
"""Lines of one worksheet that are given."""


def read(archive: Archive, part: str, warn: Warn, read_binary: ReadComments | None = None) -> list[str]:
    """Read what a worksheet's part links to, as lines; a comment's begins with its cell.

    Args:
        archive: The package.
        part: The worksheet's part.
        warn: Takes a warning's code and words.
        read_binary: Reads a part of comments that is no XML.
    """
    lines: list[str] = []
    threaded = ooxml.linked(archive, part, "threadedComment")
    for linked in threaded or ooxml.linked(archive, part, "comments"):
        if read_binary and linked.endswith(".bin"):
            lines += read_binary(linked)
        else:
            lines += _comments(ooxml.parse(archive, linked))
    for linked in ooxml.linked(archive, part, "drawing"):
        lines += _drawing(archive, linked, warn)
    if len(lines) > MAX_LINES:
        warn("annotations_cut", f"only the first {MAX_LINES} comments and texts of drawings of a sheet are given")
    return lines[:MAX_LINES]


def _comments(root: ooxml.Element) -> Iterator[str]:
    for comment in root.iter("{*}comment", "{*}threadedComment"):
        words = " ".join("".join(text.text or "" for text in comment.iter("{*}t", "{*}text") if not len(text)).split())
        if words:
            yield f"{comment.get('ref') or '?'}: {words}"


def _drawing(archive: Archive, part: str, warn: Warn) -> list[str]:
    links = {link.id: link for link in ooxml.relationships(archive, part)}
    lines: list[str] = []
    for element in ooxml.parse(archive, part).iter("{*}p", "{*}cNvPr", "{*}chart", "{*}relIds"):
        name = ooxml.local(element)
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

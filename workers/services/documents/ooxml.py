"""Parts of Office Open XML packages: relationships, properties, pictures; strict and transitional alike.

Elements are matched by their local names, because both flavours of the standard use them with different
namespaces. Parts are found by relationships and content types (ECMA-376, part 2), never by the folders they lie in.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast
from urllib.parse import unquote

import lxml.etree

from celery_nexus.task_errors import Corrupt
from workers.errors import TooComplex, UnsafeXml
from workers.services.documents.archive import Archive

etree = cast("Any", lxml.etree)  # pyright: ignore[reportAttributeAccessIssue]
Element = Any
"""``lxml``'s element; it ships no types of its own."""

CONTENT_TYPES = "[Content_Types].xml"
_TOO_DEEP = ("depth", "huge", "too long", "limit")


@dataclass(frozen=True)
class Relationship:
    """A link from one part to another.

    Attributes:
        id: What the part's XML calls it.
        kind: Last word of its type: ``slide``, ``image``, ``notesSlide``.
        target: Name of the other part, or an outside address.
        is_external: Whether it leaves the package; such targets are never opened.
    """

    id: str
    kind: str
    target: str
    is_external: bool


def local_name(element: Element) -> str:
    """Return an element's name without its namespace (empty for comments and processing instructions)."""
    return _local_name(element.tag)


@lru_cache(maxsize=4096)
def _local_name(tag: object) -> str:
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element, name: str) -> str | None:
    """Return an attribute by its local name, whatever its namespace."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return None


def parse(archive: Archive, name: str) -> Element:
    """Parse a part, entities and network off.

    Raises:
        UnsafeXml: It declares a DOCTYPE.
        TooComplex: Nested deeper, or with longer texts, than the parser allows.
        Corrupt: It is missing or no XML.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(archive.read(name), parser)
    except etree.XMLSyntaxError as error:
        raise xml_error(name, error) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise UnsafeXml(f"{name!a} declares a DOCTYPE; Office documents have none")
    return root


def stream(archive: Archive, name: str, tags: tuple[str, ...]) -> Iterator[tuple[str, Element]]:
    """Stream a part's ``start`` and ``end`` events of elements with these local names.

    Raises:
        TooComplex: As :func:`parse`.
        Corrupt: As :func:`parse`.
    """
    with archive.open(name) as member:
        wanted = tuple(f"{{*}}{tag}" for tag in tags)
        events = etree.iterparse(
            member, events=("start", "end"), tag=wanted, resolve_entities=False, no_network=True, huge_tree=False
        )
        try:
            yield from events
        except etree.XMLSyntaxError as error:
            raise xml_error(name, error) from None


def xml_error(name: str, error: Exception) -> Corrupt | TooComplex:
    """Turn the parser's complaint into ours."""
    words = str(getattr(error, "msg", error))[:200]  # without the parser's name for the file
    if any(word in words.lower() for word in _TOO_DEEP):
        return TooComplex(f"{name!a}: {words}")
    return Corrupt(f"{name!a} is no well-formed XML ({words})")


def relationships(archive: Archive, part: str) -> list[Relationship]:
    """List what a part (empty: the package) links to; nothing when it has no links."""
    folder, _, name = part.rpartition("/")
    rels = posixpath.join(folder, "_rels", f"{name}.rels")
    if rels not in archive:
        return []
    found: list[Relationship] = []
    for item in parse(archive, rels).iter("{*}Relationship"):
        target = item.get("Target") or ""
        is_external = item.get("TargetMode") == "External"
        if not is_external:
            target = posixpath.normpath(posixpath.join("/", folder, unquote(target))).lstrip("/")
        found.append(
            Relationship(item.get("Id") or "", (item.get("Type") or "").rpartition("/")[2], target, is_external)
        )
    return found


def list_linked_parts(archive: Archive, part: str, *kinds: str) -> list[str]:
    """List existing parts that a part links to, of these kinds, in order."""
    return targets(archive, relationships(archive, part), *kinds)


def targets(archive: Archive, links: Iterable[Relationship], *kinds: str) -> list[str]:
    """List the existing parts that links of these kinds lead to, in order."""
    return [link.target for link in links if link.kind in kinds and not link.is_external and link.target in archive]


def content_types(archive: Archive) -> Callable[[str], str]:
    """Read what the package says its parts hold: a function from a part's name to its content type, or nothing."""
    overrides: dict[str, str] = {}
    defaults: dict[str, str] = {}
    if CONTENT_TYPES in archive:
        for item in parse(archive, CONTENT_TYPES):
            kind = item.get("ContentType") or ""
            overrides[(item.get("PartName") or "").lstrip("/").lower()] = kind
            defaults[(item.get("Extension") or "").lower()] = kind

    def read_part(part: str) -> str:
        plain = part.lstrip("/").lower()
        return overrides.get(plain) or defaults.get(plain.rpartition(".")[2], "")

    return read_part


def main_part(archive: Archive, usual: str) -> str:
    """Find the package's main part.

    Raises:
        Corrupt: There is none.
    """
    found = list_linked_parts(archive, "", "officeDocument")
    if found:
        return found[0]
    if usual in archive:
        return usual
    raise Corrupt(f"the main part {usual!a} is missing in the container")


def properties(archive: Archive) -> dict[str, str]:
    """Read the core and application properties: title, creator, created, pages …; empty ones are left out."""
    found: dict[str, str] = {}
    for part in (
        *list_linked_parts(archive, "", "core-properties"),
        *list_linked_parts(archive, "", "extended-properties"),
    ):
        for element in parse(archive, part):
            text = (element.text or "").strip()
            if text and len(element) == 0 and local_name(element):
                found.setdefault(_snake(local_name(element)), text[:1000])
    return found


def media(archive: Archive) -> list[str]:
    """List the package's embedded pictures, its own thumbnail aside."""
    kind = content_types(archive)
    thumbnails = {name.lower() for name in list_linked_parts(archive, "", "thumbnail")}
    pictures = (name for name in archive.names() if kind(name).startswith("image/"))
    return [name for name in pictures if name.lstrip("/").lower() not in thumbnails]


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() and index else char.lower() for index, char in enumerate(name))

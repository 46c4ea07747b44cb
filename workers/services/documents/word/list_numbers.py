"""Numbers that Word counts before the paragraphs of lists: which paragraphs have them. The numbers are not read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workers.services.documents import ooxml
from workers.services.documents.archive import Archive

_UNSEEN = ("bullet", "none")


@dataclass(frozen=True)
class ListNumbers:
    """Which lists and styles of a document count.

    Attributes:
        levels: Lists and levels of them that show a number.
        styles: Ids of the styles whose paragraphs have one.
    """

    levels: frozenset[tuple[str, str]] = frozenset()
    styles: frozenset[str] = frozenset()

    def has_number(self, properties: ooxml.Element) -> bool:
        """Tell whether a paragraph with these list properties (``numPr``) has a number."""
        return _place(properties) in self.levels


def read(archive: Archive, main: str) -> ListNumbers:
    """Read the lists and the styles of a document."""
    levels = frozenset(_levels(archive, main))
    if not levels:
        return ListNumbers()
    styles = (
        style for part in ooxml.list_linked_parts(archive, main, "styles") for style in ooxml.parse(archive, part)
    )
    counting = (
        ooxml.attribute(style, "styleId") or ""
        for style in styles
        for properties in style.iterfind("{*}pPr/{*}numPr")
        if _place(properties) in levels
    )
    return ListNumbers(levels, frozenset(counting))


def _place(properties: ooxml.Element) -> tuple[str, str]:
    values = {ooxml.local_name(item): ooxml.attribute(item, "val") or "" for item in properties}
    return values.get("numId", ""), values.get("ilvl", "0")


def _levels(archive: Archive, main: str) -> Iterable[tuple[str, str]]:
    for part in ooxml.list_linked_parts(archive, main, "numbering"):
        root = ooxml.parse(archive, part)
        counting = {
            ooxml.attribute(item, "abstractNumId"): [
                ooxml.attribute(level, "ilvl") or "0" for level in item.iterchildren("{*}lvl") if _counts(level)
            ]
            for item in root.iterchildren("{*}abstractNum")
        }
        for item in root.iterchildren("{*}num"):
            for link in item.iterchildren("{*}abstractNumId"):
                number = ooxml.attribute(item, "numId") or ""
                yield from ((number, level) for level in counting.get(ooxml.attribute(link, "val"), ()))


def _counts(level: ooxml.Element) -> bool:
    kinds = {ooxml.attribute(kind, "val") for kind in level.iterchildren("{*}numFmt")}
    shown = "".join(ooxml.attribute(text, "val") or "" for text in level.iterchildren("{*}lvlText"))
    return not kinds & set(_UNSEEN) and "%" in shown

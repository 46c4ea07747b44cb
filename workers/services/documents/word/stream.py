"""One part of a Word document, streamed: its paragraphs and table rows are read one by one and freed.

So a long part is never held as a tree. The parser reports, besides the paragraphs, only what makes one more than runs
of text; all others are read at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from workers.services.documents import ooxml
from workers.services.documents.word.story import (
    BREAKS,
    DATE_PARTS,
    REMOVED,
    Story,
    StoryReader,
    Surroundings,
    symbol_font,
)  # fmt: skip

_UNITS = frozenset(("p", "tr", "AlternateContent", "altChunk", "subDoc"))
_STYLES = ("pStyle", "outlineLvl")
_FONTS = "rFonts"
_NUMBER = "numPr"
_SPECIAL = (
    *BREAKS, *DATE_PARTS, "sym", "fldChar", "txbxContent", "oMath", "ruby", "docPr", "cNvPr", "shape", "rect",
    "textpath", "chart", "relIds", "pPrChange", "hyperlink", "fldSimple",
)  # fmt: skip
TAGS = (*_UNITS, *REMOVED, *_STYLES, _FONTS, _NUMBER, *_SPECIAL, "tbl")
"""Elements whose events a story is read from."""

_KEPT_UNITS = 100
"""Units that are read before they are freed together."""


def read_story(events: Iterator[tuple[str, ooxml.Element]], around: Surroundings) -> Story:
    """Read one part from the events of its XML (:data:`TAGS`): a line a paragraph, a line with tabs a table row."""
    stream = _Stream(around)
    names: dict[str, str] = {}
    for event, element in events:
        tag = element.tag
        name = names.get(tag) or names.setdefault(tag, ooxml.local_name(element))
        if event == "start":
            stream.start(name, element)
        else:
            stream.end(name, element)
    return stream.reader.finish()


class _Stream:
    """Follows the events of a part, and has each outermost unit read when it ends."""

    def __init__(self, around: Surroundings) -> None:
        self.reader = StoryReader(around)
        self._around = around
        self._depth = self._removed = self._kept = 0
        self._is_plain = self._is_heading = False  # of the outermost open paragraph

    def start(self, name: str, element: ooxml.Element) -> None:
        """Take the start of an element; its attributes are known by now."""
        if name in _UNITS:
            self._is_plain = not self._depth and name == "p"
            self._is_heading = False
            self._depth += 1
        elif name in _STYLES:
            self._is_heading |= self._around.makes_heading(name, element)
            if (ooxml.attribute(element, "val") or "") in self._around.numbers.styles:
                self._around.warn_of_number()
        elif name == _NUMBER:
            pass
        elif name == _FONTS:
            self._is_plain &= not symbol_font(element)
        else:
            self._removed += name in REMOVED
            self._is_plain = False

    def end(self, name: str, element: ooxml.Element) -> None:
        """Take the end of an element."""
        if name in _UNITS:
            self._depth -= 1
            if not self._depth:
                self._read(element)
        elif name == _NUMBER:
            if self._around.numbers.has_number(element):
                self._around.warn_of_number()
        elif name in REMOVED:
            self._removed -= 1
            self.reader.story.counts["removals"] += 1
        elif name == "tbl" and not self._depth:
            self.reader.story.counts["tbl"] += 1
            self._free(element)

    def _read(self, element: ooxml.Element) -> None:
        if self._removed:
            pass
        elif self._is_plain:
            self.reader.read_plain(element, is_heading=self._is_heading)
        else:
            self.reader.read(element)
        self._kept += 1
        if self._kept >= _KEPT_UNITS:
            self._free(element)

    def _free(self, element: ooxml.Element) -> None:
        """Free the element's content, and the siblings before it."""
        self._kept = 0
        element.clear(keep_tail=False)
        parent = element.getparent()
        if parent is not None:
            del parent[: parent.index(element)]

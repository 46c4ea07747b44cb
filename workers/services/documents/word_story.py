"""The text of one part of a Word document, streamed: as it reads when every tracked change is accepted.

Paragraphs and table rows of the outermost level are read one by one and freed, so that a long part is never held as a
tree. Elements are told by their local names, as the strict and the transitional flavour name spaces differently.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from workers.services.documents import equations, graphics, ooxml, symbols
from workers.services.documents.form_fields import Fields
from workers.services.documents.graphics import Warn

HEADINGS = ("heading", "title")
HEADING_LEVELS = frozenset("012345678")
"""Outline levels (ECMA-376, 17.3.1.20); 9 is plain text."""

_UNITS = frozenset(("p", "tr", "AlternateContent", "altChunk", "subDoc"))
_REMOVED = frozenset(("del", "moveFrom"))
_TAGS = (*_UNITS, *_REMOVED, "tbl")
_BREAKS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_UNREAD = (
    "tblPr", "tblGrid", "tblPrEx", "sectPr", "sdtPr", "sdtEndPr", "instrText", "delText", "delInstrText", "del",
    "moveFrom", "oMathParaPr", "fldData",
)  # fmt: skip
_DATE_PARTS = ("dayLong", "dayShort", "monthLong", "monthShort", "yearLong", "yearShort")
_PRIVATE_FIRST, _PRIVATE_LAST = "\uf020", "\uf0ff"


@dataclass
class Story:
    """The text of one part: blocks are paragraphs and table rows."""

    blocks: list[str] = field(default_factory=lambda: [])
    counts: Counter[str] = field(default_factory=lambda: Counter())

    @property
    def text(self) -> str:
        """The blocks, a line each."""
        return "\n".join(self.blocks)


@dataclass(frozen=True)
class Surroundings:
    """What a part needs of the document around it.

    Attributes:
        headings: Ids of the styles that make a paragraph a heading.
        linked: Reads the lines of what a relationship of the part leads to: a chart, diagram or imported part.
        warn: Takes the code and words of a warning.
    """

    headings: frozenset[str]
    linked: Callable[[str], list[str]]
    warn: Warn


def read_story(events: Iterator[tuple[str, ooxml.Element]], around: Surroundings) -> Story:
    """Read one part from the events of its XML (:data:`TAGS`): a line a paragraph, a line with tabs a table row."""
    reader = _StoryReader(around)
    depth = removed = 0
    for event, element in events:
        name = ooxml.local(element)
        if name in _REMOVED:
            removed += 1 if event == "start" else -1
            reader.story.counts["removals"] += event == "end"
        elif event == "start":
            depth += name in _UNITS
        elif name in _UNITS:
            depth -= 1
            if not depth:
                if not removed:
                    reader.read(element)
                _forget(element)
        elif not depth:
            reader.story.counts["tbl"] += 1
            _forget(element)
    return reader.finish()


TAGS = _TAGS
"""Elements whose events a story is read from."""


def _forget(element: ooxml.Element) -> None:
    """Free what was read: the element's content, and the siblings before it."""
    element.clear(keep_tail=False)
    while element.getprevious() is not None:
        del element.getparent()[0]


Handler = Callable[[ooxml.Element], None]


class _Handlers(dict[Any, Handler]):
    """Finds an element's handler by its tag; the local name decides, and what it decided is remembered."""

    def __init__(self, by_name: dict[str, Handler], default: Handler) -> None:
        super().__init__()
        self._by_name = by_name
        self._default = default

    def __missing__(self, tag: Any) -> Handler:
        name = tag.rpartition("}")[2] if isinstance(tag, str) else ""
        handler = self[tag] = self._by_name.get(name, self._default if name else _ignore)
        return handler


def _ignore(_element: ooxml.Element) -> None:
    """Leave an element out: properties, deleted text, comments."""


class _StoryReader:
    """Walks the trees of paragraphs and rows."""

    def __init__(self, around: Surroundings) -> None:
        self.story = Story()
        self._around = around
        self._blocks = self.story.blocks  # of the innermost open container
        self._pieces: list[str] = []  # of the innermost open paragraph
        self._carried = ""  # a paragraph whose end was deleted goes on in the next
        self._font: str = ""
        self._is_heading = self._is_joined = False
        self._fields = Fields()
        self._handlers = _Handlers(
            {
                "p": self._paragraph, "pPr": self._paragraph_properties, "r": self._run, "t": self._text,
                "rPr": self._run_properties, "sym": self._symbol, "fldChar": self._field_mark, "tbl": self._table,
                "tr": self._row, "txbxContent": self._text_box, "AlternateContent": self._alternatives,
                "oMath": lambda element: self._add(equations.spell(element)), "ruby": self._ruby,
                "docPr": self._alt_text, "cNvPr": self._alt_text, "shape": self._old_shape, "rect": self._old_shape,
                "textpath": lambda element: self._add(element.get("string") or ""), "chart": self._linked,
                "relIds": self._linked, "altChunk": self._imported, "subDoc": self._imported,
                **dict.fromkeys(_BREAKS, self._break), **dict.fromkeys(_DATE_PARTS, self._date_part),
                **dict.fromkeys(_UNREAD, _ignore),
            },
            self._descend,
        )  # fmt: skip

    def read(self, element: ooxml.Element) -> None:
        """Read a paragraph, a row or what stands between them."""
        self._handlers[element.tag](element)

    def finish(self) -> Story:
        """Give the story, with what a last deleted paragraph end left over."""
        if self._carried:
            self._blocks.append(self._carried)
        return self.story

    def _descend(self, element: ooxml.Element) -> None:
        handlers = self._handlers
        for child in element:
            handlers[child.tag](child)

    def _add(self, text: str) -> None:
        if text and (not self._fields.open or self._fields.shows_text()):
            self._pieces.append(text)

    # Paragraphs and runs

    def _paragraph(self, element: ooxml.Element) -> None:
        outer = self._pieces, self._is_heading, self._is_joined, self._font
        self._pieces, self._is_heading, self._is_joined, self._font = [], False, False, ""
        handlers = self._handlers
        for child in element:
            handlers[child.tag](child)
        text = "".join(self._pieces)
        is_heading, is_joined = self._is_heading, self._is_joined
        self._pieces, self._is_heading, self._is_joined, self._font = outer
        if is_joined:
            self._carried += text
            return
        self.story.counts["paragraphs"] += 1
        self.story.counts["headings"] += is_heading
        self._blocks.append(self._carried + text)
        self._carried = ""

    def _paragraph_properties(self, properties: ooxml.Element) -> None:
        for item in properties:
            name = ooxml.local(item)
            if name == "pStyle":
                value = ooxml.attribute(item, "val") or ""
                self._is_heading |= value in self._around.headings or value.lower().startswith(HEADINGS)
            elif name == "outlineLvl":
                self._is_heading |= ooxml.attribute(item, "val") in HEADING_LEVELS
            elif name == "rPr":
                self._is_joined = any(ooxml.local(mark) in _REMOVED for mark in item)

    def _run(self, element: ooxml.Element) -> None:
        handlers = self._handlers
        for child in element:
            handlers[child.tag](child)
        self._font = ""

    def _run_properties(self, properties: ooxml.Element) -> None:
        for fonts in properties.iterchildren("{*}rFonts"):
            font = ooxml.attribute(fonts, "ascii") or ooxml.attribute(fonts, "hAnsi") or ""
            self._font = font if symbols.is_symbol_font(font) else ""

    def _text(self, element: ooxml.Element) -> None:
        text = element.text
        if not text:
            return
        if self._font or not (text.isascii() or max(text) < _PRIVATE_FIRST):
            text = "".join(self._spelled(char) for char in text)
        if not self._fields.open or self._fields.shows_text():
            self._pieces.append(text)

    def _spelled(self, char: str) -> str:
        is_symbol = self._font or _PRIVATE_FIRST <= char <= _PRIVATE_LAST
        return self._known_symbol(self._font, ord(char)) if is_symbol else char

    def _symbol(self, element: ooxml.Element) -> None:
        code = ooxml.attribute(element, "char") or ""
        try:
            self._add(self._known_symbol(ooxml.attribute(element, "font") or "", int(code, 16)))
        except ValueError:
            self._add(symbols.UNKNOWN)

    def _known_symbol(self, font: str, code: int) -> str:
        found = symbols.spell(font, code)
        if found == symbols.UNKNOWN:
            self._around.warn("symbols", f"the symbol {code & 0xFF:#04x} of the font {font!a} has no Unicode character")
        return found

    def _break(self, element: ooxml.Element) -> None:
        self._add(_BREAKS[ooxml.local(element)])

    def _date_part(self, element: ooxml.Element) -> None:
        words = "dates that Word writes anew whenever the document is opened are not in the text"
        self._around.warn("date_fields", words)

    def _field_mark(self, element: ooxml.Element) -> None:
        value = self._fields.mark(element)
        if value:
            self._add(value)

    def _ruby(self, element: ooxml.Element) -> None:
        """Read a base text with how it is pronounced: ``漢(kan)``."""
        for base in element.iterchildren("{*}rubyBase"):
            self._descend(base)
        for above in element.iterchildren("{*}rt"):
            self._add("(")
            self._descend(above)
            self._add(")")

    # Tables, boxes, pictures

    def _table(self, element: ooxml.Element) -> None:
        self._descend(element)
        self.story.counts["tbl"] += 1

    def _row(self, element: ooxml.Element) -> None:
        if element.find("{*}trPr/{*}del") is not None:
            return
        before = self.story.counts["paragraphs"]
        cells = "\t".join([self._cell(cell) for cell in _cells(element)])
        if cells.strip() or self.story.counts["paragraphs"] > before:  # else all of it was deleted or moved away
            self._blocks.append(cells)

    def _cell(self, element: ooxml.Element) -> str:
        return " ".join(block.replace("\n", " ") for block in self._contained(element) if block)

    def _contained(self, element: ooxml.Element) -> list[str]:
        outer, blocks = (self._blocks, self._carried), list[str]()
        self._blocks, self._carried = blocks, ""
        self._descend(element)
        if self._carried:
            blocks.append(self._carried)
        self._blocks, self._carried = outer
        return blocks

    def _text_box(self, element: ooxml.Element) -> None:
        self.story.counts["text_boxes"] += 1
        self._blocks += self._contained(element)

    def _alternatives(self, element: ooxml.Element) -> None:
        """Read the first alternative that has something to read; the others say the same in older ways."""
        for alternative in sorted(element.iterchildren("{*}Choice", "{*}Fallback"), key=_is_fallback):
            before = len(self._pieces), len(self._blocks)
            self._descend(alternative)
            if (len(self._pieces), len(self._blocks)) != before:
                return

    def _alt_text(self, element: ooxml.Element) -> None:
        words = graphics.alt_text(element)
        if words and f"[{words}]" not in self._pieces[-3:]:  # pictures say it twice, inside and outside
            self._add(f"[{words}]")

    def _old_shape(self, element: ooxml.Element) -> None:
        words = " ".join((element.get("alt") or "").split())
        self._add(f"[{words}]" if words else "")
        self._descend(element)

    def _linked(self, element: ooxml.Element) -> None:
        """Read a chart or diagram; its lines stand before the paragraph that holds it."""
        link = ooxml.attribute(element, "dm") or ooxml.attribute(element, "id")
        self._blocks += self._around.linked(link) if link else []

    def _imported(self, element: ooxml.Element) -> None:
        self._blocks += self._around.linked(ooxml.attribute(element, "id") or "")


def _cells(row: ooxml.Element) -> Iterator[ooxml.Element]:
    """Give a row's cells, those inside of content controls too, without those that were deleted."""
    for element in row.iterchildren():
        name = ooxml.local(element)
        if name == "tc":
            if element.find("{*}tcPr/{*}cellDel") is None:
                yield element
        elif name in ("sdt", "sdtContent", "customXml", "ins", "moveTo"):
            yield from _cells(element)


def _is_fallback(element: ooxml.Element) -> bool:
    return ooxml.local(element) == "Fallback"

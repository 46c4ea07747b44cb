"""The text of paragraphs and table rows of a Word document: as it reads when every tracked change is accepted.

Elements are told by their local names, as the strict and the transitional flavour name spaces differently.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from workers.services.documents import equations, graphics, ooxml, symbols
from workers.services.documents.graphics import Warn
from workers.services.documents.word.form_fields import Fields, field_address
from workers.services.documents.word.list_numbers import ListNumbers

HEADINGS = ("heading", "title")
HEADING_LEVELS = frozenset("012345678")
"""Outline levels (ECMA-376, 17.3.1.20); 9 is plain text."""

REMOVED = frozenset(("del", "moveFrom"))
"""Elements around what a tracked change took away."""

BREAKS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_UNREAD = (
    "tblPr", "tblGrid", "tblPrEx", "sectPr", "sdtPr", "sdtEndPr", "delText", "delInstrText", "del",
    "moveFrom", "oMathParaPr", "fldData",
)  # fmt: skip
DATE_PARTS = ("dayLong", "dayShort", "monthLong", "monthShort", "yearLong", "yearShort")
_PRIVATE = re.compile("[\uf020-\uf0ff]")
"""Codes that symbol fonts have pictures for."""


@dataclass
class Story:
    """The text of one part: blocks are paragraphs and table rows; links are what is clicked, and where it leads."""

    blocks: list[str] = field(default_factory=lambda: [])
    counts: Counter[str] = field(default_factory=lambda: Counter())
    links: list[graphics.Link] = field(default_factory=lambda: [])

    @property
    def text(self) -> str:
        """The blocks, a line each."""
        return "\n".join(self.blocks)


@dataclass(frozen=True)
class Surroundings:
    """What a part needs of the document around it.

    Attributes:
        headings: Ids of the styles that make a paragraph a heading.
        numbers: Which paragraphs have a number that Word counts.
        address: Gives the outside address that a relationship of the part leads to, or nothing.
        linked: Reads the lines of what a relationship of the part leads to: a chart, diagram or imported part.
        warn: Takes the code and words of a warning.
    """

    headings: frozenset[str]
    numbers: ListNumbers
    address: Callable[[str], str]
    linked: Callable[[str], list[str]]
    warn: Warn

    def warn_of_number(self) -> None:
        """Say that numbers of lists are not read."""
        self.warn("list_numbers", "numbers that Word counts before paragraphs and headings are not in the text")

    def makes_heading(self, name: str, element: ooxml.Element) -> bool:
        """Tell whether a paragraph's style (``pStyle``) or outline level makes it a heading."""
        value = ooxml.attribute(element, "val") or ""
        if name == "outlineLvl":
            return value in HEADING_LEVELS
        return value in self.headings or value.lower().startswith(HEADINGS)


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


class StoryReader:
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
                "hyperlink": self._hyperlink, "fldSimple": self._simple_field, "instrText": self._field_code,
                **dict.fromkeys(BREAKS, self._break), **dict.fromkeys(DATE_PARTS, self._date_part),
                **dict.fromkeys(_UNREAD, _ignore),
            },
            self._descend,
        )  # fmt: skip

    def read(self, element: ooxml.Element) -> None:
        """Read a paragraph, a row or what stands between them."""
        self._handlers[element.tag](element)

    def read_plain(self, element: ooxml.Element, *, is_heading: bool) -> None:
        """Read a paragraph that has only runs of text, quickly."""
        text = "".join([part.text or "" for part in element.iter("{*}t")])
        if self._fields.open or not (text.isascii() or _PRIVATE.search(text) is None):
            self._paragraph(element)
        else:
            self._end_paragraph(text, is_heading=is_heading)

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
        else:
            self._end_paragraph(text, is_heading=is_heading)

    def _end_paragraph(self, text: str, *, is_heading: bool) -> None:
        self.story.counts["paragraphs"] += 1
        self.story.counts["headings"] += is_heading
        self._blocks.append(self._carried + text)
        self._carried = ""

    def _paragraph_properties(self, properties: ooxml.Element) -> None:
        for item in properties:
            name = ooxml.local_name(item)
            if name in ("pStyle", "outlineLvl"):
                self._is_heading |= self._around.makes_heading(name, item)
            elif name == "rPr":
                self._is_joined = any(ooxml.local_name(mark) in REMOVED for mark in item)

    def _run(self, element: ooxml.Element) -> None:
        handlers = self._handlers
        for child in element:
            handlers[child.tag](child)
        self._font = ""

    def _run_properties(self, properties: ooxml.Element) -> None:
        for fonts in properties.iterchildren("{*}rFonts"):
            self._font = symbol_font(fonts)

    def _text(self, element: ooxml.Element) -> None:
        text = element.text
        if not text:
            return
        if self._font:
            text = "".join(self._known_symbol(self._font, ord(char)) for char in text)
        elif not text.isascii():
            text = _PRIVATE.sub(lambda match: self._known_symbol("", ord(match[0])), text)
        if not self._fields.open or self._fields.shows_text():
            self._pieces.append(text)

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
        self._add(BREAKS[ooxml.local_name(element)])

    def _date_part(self, element: ooxml.Element) -> None:
        words = "dates that Word writes anew whenever the document is opened are not in the text"
        self._around.warn("date_fields", words)

    def _field_mark(self, element: ooxml.Element) -> None:
        value = self._fields.mark(element, len(self._pieces))
        if value:
            self._add(value)
        ended = self._fields.ended
        if ended and ended.address:
            self._keep_link(ended.first_piece, ended.address)

    def _field_code(self, element: ooxml.Element) -> None:
        self._fields.take_code(element.text or "")

    def _simple_field(self, element: ooxml.Element) -> None:
        before = len(self._pieces)
        self._descend(element)
        self._keep_link(before, field_address(ooxml.attribute(element, "instr") or ""))

    def _hyperlink(self, element: ooxml.Element) -> None:
        before = len(self._pieces)
        self._descend(element)
        self._keep_link(before, self._around.address(ooxml.attribute(element, "id") or ""))

    def _picture_link(self, element: ooxml.Element) -> None:
        self._keep_link(len(self._pieces), self._around.address(ooxml.attribute(element, "id") or ""))

    def _keep_link(self, first_piece: int, address: str) -> None:
        if address:
            self.story.links.append(("".join(self._pieces[first_piece:]), address))

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
        for link in element.iterchildren("{*}hlinkClick"):
            self._picture_link(link)

    def _old_shape(self, element: ooxml.Element) -> None:
        words = " ".join((element.get("alt") or "").split())
        self._add(f"[{words}]" if words else "")
        self._keep_link(len(self._pieces), element.get("href") or "")
        self._descend(element)

    def _linked(self, element: ooxml.Element) -> None:
        """Read a chart or diagram; its lines stand before the paragraph that holds it."""
        link = ooxml.attribute(element, "dm") or ooxml.attribute(element, "id")
        self._blocks += self._around.linked(link) if link else []

    def _imported(self, element: ooxml.Element) -> None:
        self._blocks += self._around.linked(ooxml.attribute(element, "id") or "")


def symbol_font(fonts: ooxml.Element) -> str:
    """Return the name of the font (``rFonts``) of a run when it has symbols for letters."""
    font = ooxml.attribute(fonts, "ascii") or ooxml.attribute(fonts, "hAnsi") or ""
    return font if symbols.is_symbol_font(font) else ""


def _cells(row: ooxml.Element) -> Iterator[ooxml.Element]:
    """Give a row's cells, those inside of content controls too, without those that were deleted."""
    for element in row.iterchildren():
        name = ooxml.local_name(element)
        if name == "tc":
            if element.find("{*}tcPr/{*}cellDel") is None:
                yield element
        elif name in ("sdt", "sdtContent", "customXml", "ins", "moveTo"):
            yield from _cells(element)


def _is_fallback(element: ooxml.Element) -> bool:
    return ooxml.local_name(element) == "Fallback"

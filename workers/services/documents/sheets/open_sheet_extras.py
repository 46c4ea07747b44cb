"""Extras of OpenDocument spreadsheets beside their cells: printed headers and footers, links, prompts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from workers.services.documents import ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.sheets import cell_extras

_STYLES_PART = "styles.xml"
_HEADERS = ("header", "header-left", "header-first", "footer", "footer-left", "footer-first")
_UNKNOWN_FIELD = "???"
"""Text of a field before a page is drawn: the sheet's name, a title that is not set."""
_LINK_FORMULA = re.compile(r"\bHYPERLINK\((?:\"([^\"]*)\")?")


@dataclass
class _Box:
    """The cells of one sheet that one rule is for."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    def grow(self, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        self.rows = min(self.rows[0], rows[0]), max(self.rows[1], rows[1])
        self.columns = min(self.columns[0], columns[0]), max(self.columns[1], columns[1])

    def name(self) -> str:
        return cell_extras.cell_range(*self.rows, *self.columns)


@dataclass
class SheetExtras:
    """What one sheet has with its cells."""

    style: str
    links: list[str] = field(default_factory=lambda: [])
    computed_links: int = 0
    boxes: dict[str, _Box] = field(default_factory=lambda: {})

    def add_cell(self, element: ooxml.Element, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """Look at a cell, which stands in these rows and columns, first and last, counted from 0."""
        rule = ooxml.attribute(element, "content-validation-name")
        if rule:
            self.boxes.setdefault(rule, _Box(rows, columns)).grow(rows, columns)
        cells = cell_extras.cell_range(rows[0], rows[0], columns[0], columns[0])
        for link in element.iter("{*}a"):
            address = ooxml.attribute(link, "href") or ""
            if address and not address.startswith("#"):
                self.links.append(cell_extras.link_line(cells, address))
        formula = ooxml.attribute(element, "formula") or ""
        call = _LINK_FORMULA.search(formula) if "HYPERLINK(" in formula else None
        if call and call[1]:
            self.links.append(cell_extras.link_line(cells, call[1]))
        self.computed_links += bool(call and not call[1])


class Prompts(dict[str, tuple[str, str]]):
    """What rules for cells say, title and words, by the rules' names."""

    def add(self, rule: ooxml.Element) -> None:
        """Keep a rule's message, unless it is not shown."""
        for message in rule.iterchildren("{*}help-message"):
            if ooxml.attribute(message, "display") == "true":
                words = " ".join("".join(part.itertext()) for part in message.iter("{*}p"))
                self[ooxml.attribute(rule, "name") or ""] = (ooxml.attribute(message, "title") or "", words)

    def lines(self, extras: SheetExtras) -> Iterator[str]:
        """Write the prompts of a sheet's cells."""
        for rule, box in extras.boxes.items():
            if rule in self:
                yield cell_extras.prompt_line(box.name(), *self[rule])


def read_headers(archive: Archive) -> dict[str, list[str]]:
    """Read what each kind of page (master page) prints above and below the cells."""
    if _STYLES_PART not in archive:
        return {}
    pages = ooxml.parse(archive, _STYLES_PART).iter("{*}master-page")
    return {ooxml.attribute(page, "name") or "": list(dict.fromkeys(_printed(page))) for page in pages}


def _printed(page: ooxml.Element) -> Iterator[str]:
    for part in page:
        if ooxml.local_name(part) in _HEADERS and ooxml.attribute(part, "display") != "false":
            for paragraph in part.iter("{*}p"):
                words = " ".join("".join(paragraph.itertext()).replace(_UNKNOWN_FIELD, " ").split())
                yield from filter(None, [words])

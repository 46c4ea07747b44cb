"""OpenDocument spreadsheets (``.ods``), streamed: odd cells, and what stands beside the cells or goes with them."""

from __future__ import annotations

import datetime as dt
import posixpath
import re

from celery_nexus.task_errors import DocumentError, TooLarge
from workers.errors import Encrypted
from workers.services.documents import graphics, ooxml
from workers.services.documents.archive import Archive
from workers.services.documents.graphics import Warn
from workers.services.documents.sheets.cells import Cell, ErrorCell, column_letters
from workers.services.documents.sheets.extent import MAX_CELLS
from workers.services.documents.sheets.odd_cells import SheetFindings
from workers.services.documents.sheets.open_sheet_extras import Prompts, SheetExtras, read_headers
from workers.services.documents.sheets.record_links import warn_of_link_formulas

MAX_REPEATED = 10_000
"""Odd cells that one repeated cell gives."""

_CELLS = ("table-cell", "covered-table-cell")
_SHAPES = ("frame", "custom-shape", "rect", "ellipse", "caption", "polygon", "path", "line", "connector")
_TAGS = ("style", "content-validation", "table", "table-row", *_CELLS, "annotation", *_SHAPES)
_SHOWN = re.compile(r"#(?:DIV/0!|N/A|NAME\?|NULL!|NUM!|REF!|VALUE!|SPILL!|CALC!)|Err:[0-9]{3}")
_DURATION = re.compile(
    r"(-?)P(?:([0-9]{1,7})D)?(?:T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,12}(?:[.,][0-9]*)?)S)?)?"
)
_DAY = dt.timedelta(days=1)


def read(archive: Archive, warn: Warn) -> dict[str, SheetFindings]:
    """Look through each sheet, by name.

    Raises:
        Encrypted: The workbook has a password.
        TooLarge: Filled cells are repeated beyond the limit.
    """
    if "META-INF/manifest.xml" in archive and b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise Encrypted("the workbook has a password; remove it and submit again")
    walk = _Walk(archive, warn)
    for event, element in ooxml.stream(archive, "content.xml", _TAGS):
        name = ooxml.local_name(element)
        if event == "start":
            if name == "table":
                walk.start_table(element)
            elif name == "style":
                walk.keep_style(element)
            continue
        if name == "table-row":
            walk.end_row(element)
            element.clear()
        elif name == "annotation":
            walk.end_comment(element)
            element.clear(keep_tail=False)
        elif name in _SHAPES:
            walk.end_shape(element)
            element.clear(keep_tail=False)
        elif name in _CELLS:
            walk.end_cell(element)
            element.clear(keep_tail=False)
        elif name == "content-validation":
            walk.prompts.add(element)
    walk.finish()
    return walk.by_sheet


class _Walk:
    """Collects what a stream of elements shows."""

    def __init__(self, archive: Archive, warn: Warn) -> None:
        self.by_sheet: dict[str, SheetFindings] = {}
        self._archive = archive
        self._warn = warn
        self._found = SheetFindings()
        self._row = self._column = 0
        self._cells: list[tuple[int, int, Cell]] = []  # of the open row: column, how many, content
        self._filled = 0
        self.prompts = Prompts()
        self._extras: dict[str, SheetExtras] = {}  # by sheet
        self._open = SheetExtras("")
        self._pages: dict[str, str] = {}  # style of a table → kind of its pages

    def keep_style(self, element: ooxml.Element) -> None:
        page = ooxml.attribute(element, "master-page-name")
        if page:
            self._pages[ooxml.attribute(element, "name") or ""] = page

    def start_table(self, element: ooxml.Element) -> None:
        name = ooxml.attribute(element, "name") or ""
        self._found = self.by_sheet.setdefault(name, SheetFindings())
        self._open = self._extras.setdefault(name, SheetExtras(ooxml.attribute(element, "style-name") or ""))
        self._row = self._column = 0

    def finish(self) -> None:
        """Write what goes with the cells of each sheet behind its other lines."""
        headers = read_headers(self._archive)
        for name, extras in self._extras.items():
            printed = headers.get(self._pages.get(extras.style, ""), [])
            lines = [*printed, *self.prompts.lines(extras), *extras.links]
            self.by_sheet[name].annotations += filter(None, lines)
            warn_of_link_formulas(name, extras.computed_links, self._warn)

    def end_row(self, element: ooxml.Element) -> None:
        """Place the odd cells of a row, as often as the row is repeated."""
        repeated = _times(element, "number-rows-repeated")
        for row in range(self._row, self._row + min(repeated, MAX_REPEATED if self._cells else 0)):
            for column, count, cell in self._cells:
                for at in range(column, column + min(count, MAX_REPEATED)):
                    self._found.put(row, at, cell)
        self._row += repeated
        self._column = 0
        self._cells = []

    def end_cell(self, element: ooxml.Element) -> None:
        count = _times(element, "number-columns-repeated")
        cell = _odd(element)
        if cell is not None:
            self._cells.append((self._column, count, cell))
        rows = _times(element.getparent(), "number-rows-repeated")
        if len(element) or element.attrib:
            self._open.add_cell(element, (self._row, self._row + rows - 1), (self._column, self._column + count - 1))
        if ooxml.attribute(element, "value-type"):
            self._filled += count * rows
        if self._filled > MAX_CELLS:
            raise TooLarge(f"more than {MAX_CELLS} cells, most of them repeated")
        self._column += count

    def end_comment(self, element: ooxml.Element) -> None:
        words = " ".join(" ".join(_text(part) for part in element.iter("{*}p")).split())
        if words:
            self._found.annotations.append(f"{column_letters(self._column + 1)}{self._row + 1}: {words}")

    def end_shape(self, element: ooxml.Element) -> None:
        """Read a shape's paragraphs, what it is said to show, and the chart in it."""
        lines = [" ".join(_text(part).split()) for part in element.iter("{*}p")]
        said = next((_text(part) for name in ("desc", "title") for part in element.iterchildren(f"{{*}}{name}")), "")
        lines += [f"[{said}]"] if said.strip() else []
        for item in element.iterchildren("{*}object"):
            lines += self._object(ooxml.attribute(item, "href") or "")
        self._found.annotations += [line for line in lines if line.strip()]

    def _object(self, target: str) -> list[str]:
        part = posixpath.normpath(posixpath.join(target, "content.xml"))
        try:
            return _object_lines(ooxml.parse(self._archive, part))
        except DocumentError:
            self._warn("chart_data", f"the chart or object {target[:200]!a} can't be read")
            return []


def _object_lines(root: ooxml.Element) -> list[str]:
    """Read the content of a chart: its titles, then its data as a table."""
    rows = [
        "\t".join(" ".join(map(_text, cell.iter("{*}p"))) for cell in row.iterchildren("{*}table-cell"))
        for row in root.iter("{*}table-row")
    ][: graphics.MAX_POINTS]
    others = (part for part in root.iter("{*}p") if next(part.iterancestors("{*}table-cell"), None) is None)
    return [*map(_text, others), *rows]


def _odd(element: ooxml.Element) -> Cell | None:
    """Give what a cell shows when the quick reader doesn't: an error, or a time that no clock has."""
    text = "".join(_text(part) for part in element.iterchildren("{*}p"))
    if any(value == "error" for key, value in element.attrib.items() if key.endswith("}value-type")):
        return ErrorCell(text or "#ERROR")
    if _SHOWN.fullmatch(text) and ooxml.attribute(element, "formula"):
        return ErrorCell(text)
    span = _span(ooxml.attribute(element, "time-value") or "")
    return span if span is not None and not dt.timedelta() <= span < _DAY else None


def _span(text: str) -> dt.timedelta | None:
    match = _DURATION.fullmatch(text) if text else None
    if not match:
        return None
    days, hours, minutes, seconds = (float((part or "0").replace(",", ".")) for part in match.groups()[1:])
    try:
        span = dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        return None
    return -span if match[1] else span


def _text(element: ooxml.Element) -> str:
    return "".join(element.itertext())


def _times(element: ooxml.Element, name: str) -> int:
    """Read how often a row or cell is repeated."""
    value = ooxml.attribute(element, name) or "1"
    return int(value) if value.isdecimal() and len(value) < 9 else 1

"""A report as PDF and as Word document."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from workers.services.reports import charts, fonts
from workers.services.reports.content import Cell, Grid, Limit, Report, Section, spell_cell

PDF_LIMIT = Limit(rows=1000, cells=10_000)
DOCX_LIMIT = Limit(rows=500, cells=10_000)
COLUMNS = 7
"""Columns side by side on a page; wider tables go on below, their first column repeated."""

CELL = 160
"""Longest text of a cell on paper."""

_PADDING = 14
"""Points around a cell's text."""


def write_pdf(report: Report, notes: list[str], file: BinaryIO) -> None:
    """Write a PDF with its fonts inside; :func:`find_undrawable` says what they lack."""
    from reportlab.lib.pagesizes import A4, landscape
    from reportlab.platypus import SimpleDocTemplate

    paper: Any = SimpleDocTemplate(
        file, pagesize=landscape(A4), title=report.title, author="Nexus", invariant=1, leftMargin=36, rightMargin=36
    )
    typesetter = fonts.Typesetter([*_texts(report), *notes])
    paper.build(_Story(typesetter, paper.width).build(report, notes))


def find_undrawable(report: Report) -> list[str]:
    """Say which characters of a report can't be drawn on paper with the fonts of this machine."""
    return fonts.note(fonts.Typesetter(_texts(report)).missing)


def _texts(report: Report) -> Iterator[str]:
    yield from (report.title, report.narrative, *report.warnings)
    for name, value in report.figures:
        yield from (name, spell_cell(value))
    for section in report.sections:
        yield from (section.title, section.text)
        for chart in section.charts:
            yield from (chart.title, *chart.labels, *(name for name, _ in chart.series))
        for part in slices(section.grid, PDF_LIMIT) if section.grid else ():
            yield from part.columns
            yield from (brief(cell) for row in part.rows for cell in row)


class _Story:
    """What stands on the pages, from top to bottom.

    Args:
        typesetter: Knows the fonts.
        width: Points between the margins.
    """

    def __init__(self, typesetter: fonts.Typesetter, width: float) -> None:
        self._typesetter = typesetter
        self._width = width
        self._styles = _styles()

    def build(self, report: Report, notes: list[str]) -> list[Any]:
        """Put a report's parts one below the other."""
        from reportlab.platypus import ListFlowable, Spacer

        made = f"{report.kind} report, {report.created_at:%Y-%m-%d %H:%M UTC}"
        story = [self._text(report.title, "title"), self._text(made, "body"), self._figures(report), Spacer(1, 8)]
        if notes:
            story.append(ListFlowable([self._text(note, "body") for note in notes], bulletType="bullet"))
        story += [self._text(text, "body") for text in report.narrative.split("\n\n") if text]
        for section in report.sections:
            story += self._section(section)
        return story

    def _section(self, section: Section) -> Iterator[Any]:
        from reportlab.platypus import Image

        yield self._text(section.title, "head")
        if section.text:
            yield self._text(section.text, "body")
        for chart in section.charts:
            yield Image(io.BytesIO(charts.png(chart, self._typesetter.paths)), width=480, height=200)
        for part in slices(section.grid, PDF_LIMIT) if section.grid else ():
            yield self._table(part)

    def _figures(self, report: Report) -> Any:
        from reportlab.platypus import Paragraph

        set_ = self._typesetter.markup
        figures = [f"{set_(name)}: <b>{set_(spell_cell(value))}</b>" for name, value in report.figures]
        return Paragraph(" &nbsp; ".join(figures), self._styles["body"])

    def _text(self, text: str, style: str, parts: int = 1) -> Any:
        from reportlab.platypus import Paragraph

        look = self._styles[style]
        return Paragraph(self._typesetter.markup(text, self._width / parts - _PADDING, look.fontSize), look)

    def _table(self, grid: Grid) -> Any:
        from reportlab.lib import colors
        from reportlab.platypus import LongTable, TableStyle

        grey: Any = colors
        columns = len(grid.columns)
        rows = [[self._text(cell, "name", columns) for cell in grid.columns]]
        rows += [[self._text(brief(cell), "cell", columns) for cell in row] for row in grid.rows]
        look = TableStyle([("GRID", (0, 0), (-1, -1), 0.25, grey.grey), ("VALIGN", (0, 0), (-1, -1), "TOP")])
        return LongTable(rows, repeatRows=1, style=look, hAlign="LEFT", spaceAfter=10)


def write_docx(report: Report, notes: list[str], file: BinaryIO) -> None:
    """Write a Word document."""
    import docx
    from docx.enum.section import WD_ORIENT
    from docx.shared import Inches

    document: Any = docx.Document()
    page = document.sections[0]
    page.orientation = WD_ORIENT.LANDSCAPE
    page.page_width, page.page_height = page.page_height, page.page_width
    document.core_properties.title = report.title[:255]
    document.core_properties.author = "Nexus"
    document.add_heading(report.title, 0)
    document.add_paragraph(f"{report.kind} report, {report.created_at:%Y-%m-%d %H:%M UTC}")
    for name, value in report.figures:
        document.add_paragraph(f"{name}: {spell_cell(value)}", style="List Bullet")
    for note in notes:
        document.add_paragraph(note, style="Intense Quote")
    for text in report.narrative.split("\n\n"):
        if text:
            document.add_paragraph(text)
    for section in report.sections:
        document.add_heading(section.title, 1)
        if section.text:
            document.add_paragraph(section.text)
        for chart in section.charts:
            document.add_picture(io.BytesIO(charts.png(chart)), width=Inches(6.5))
        for part in slices(section.grid, DOCX_LIMIT) if section.grid else ():
            _docx_table(document, part)
            document.add_paragraph()
    document.save(file)


def slices(grid: Grid, limit: Limit) -> Iterator[Grid]:
    """Cut a table to what fits on paper: its first rows, and a few columns at a time."""
    kept = grid.rows[: limit.rows_of(grid)]
    if len(grid.columns) <= COLUMNS:
        yield Grid(grid.columns, kept)
        return
    for start in range(1, len(grid.columns), COLUMNS - 1):
        stop = start + COLUMNS - 1
        cut = tuple((row[0], *row[start:stop]) for row in kept)
        yield Grid((grid.columns[0], *grid.columns[start:stop]), cut)


def brief(cell: Cell) -> str:
    """Spell a cell for paper, shortened."""
    text = spell_cell(cell)
    return text if len(text) <= CELL else f"{text[: CELL - 1]}…"


def _styles() -> dict[str, Any]:
    from reportlab.lib.styles import ParagraphStyle

    def style(name: str, size: float, leading: float, font: str = fonts.FAMILY) -> ParagraphStyle:
        return ParagraphStyle(name, fontName=font, fontSize=size, leading=leading)

    fonts.register_family()
    bold = f"{fonts.FAMILY}-Bold"
    return {
        "body": style("body", 9, 12),
        "cell": style("cell", 7, 9),
        "name": style("name", 7, 9, bold),
        "head": style("head", 13, 22, bold),
        "title": style("title", 18, 26, bold),
    }


def _docx_table(document: Any, grid: Grid) -> None:
    table = document.add_table(rows=1 + len(grid.rows), cols=len(grid.columns))
    table.style = "Light Grid Accent 1"
    cells = iter(table._cells)
    for text in (*grid.columns, *(cell for row in grid.rows for cell in row)):
        next(cells).text = brief(text)

"""A report as PDF and as Word document."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from xml.sax.saxutils import escape

from workers.services.reports import charts
from workers.services.reports.content import Cell, Grid, Report, shown

PDF_ROWS = 1000
DOCX_ROWS = 500
COLUMNS = 7
"""Columns side by side on a page; wider tables go on below, their first column repeated."""

CELL = 160
"""Longest text of a cell on paper."""


def write_pdf(report: Report, notes: list[str], file: BinaryIO) -> None:
    """Write a PDF with an embedded font for Latin, Greek and Cyrillic."""
    from reportlab.lib.pagesizes import A4, landscape
    from reportlab.platypus import Image, ListFlowable, Paragraph, SimpleDocTemplate, Spacer

    styles = _styles()
    platypus: Any = SimpleDocTemplate(
        file, pagesize=landscape(A4), title=report.title, author="Nexus", invariant=1, leftMargin=36, rightMargin=36
    )
    story: list[Any] = [Paragraph(_xml(report.title), styles["title"])]
    story.append(Paragraph(f"{report.kind} report, {report.created_at:%Y-%m-%d %H:%M UTC}", styles["body"]))
    figures = [f"{_xml(name)}: <b>{_xml(shown(value))}</b>" for name, value in report.figures]
    story += [Paragraph(" &nbsp; ".join(figures), styles["body"]), Spacer(1, 8)]
    if notes:
        story.append(ListFlowable([Paragraph(_xml(note), styles["body"]) for note in notes], bulletType="bullet"))
    story += [Paragraph(_xml(text), styles["body"]) for text in report.narrative.split("\n\n") if text]
    for section in report.sections:
        story.append(Paragraph(_xml(section.title), styles["head"]))
        if section.text:
            story.append(Paragraph(_xml(section.text), styles["body"]))
        story += [Image(io.BytesIO(charts.png(chart)), width=480, height=200) for chart in section.charts]
        if section.grid:
            story += [_pdf_table(part, styles) for part in slices(section.grid, PDF_ROWS)]
    platypus.build(story)


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
        document.add_paragraph(f"{name}: {shown(value)}", style="List Bullet")
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
        for part in slices(section.grid, DOCX_ROWS) if section.grid else ():
            _docx_table(document, part)
            document.add_paragraph()
    document.save(file)


def slices(grid: Grid, rows: int) -> Iterator[Grid]:
    """Cut a table to what fits on paper: its first rows, and a few columns at a time."""
    kept = grid.rows[:rows]
    if len(grid.columns) <= COLUMNS:
        yield Grid(grid.columns, kept)
        return
    for start in range(1, len(grid.columns), COLUMNS - 1):
        stop = start + COLUMNS - 1
        cut = tuple((row[0], *row[start:stop]) for row in kept)
        yield Grid((grid.columns[0], *grid.columns[start:stop]), cut)


def brief(cell: Cell) -> str:
    """Spell a cell for paper, shortened."""
    text = shown(cell)
    return text if len(text) <= CELL else f"{text[: CELL - 1]}…"


def _styles() -> dict[str, Any]:
    import matplotlib as mpl
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    metrics: Any = pdfmetrics
    if "Nexus" not in metrics.getRegisteredFontNames():
        folder = Path(str(mpl.get_data_path())) / "fonts" / "ttf"
        metrics.registerFont(TTFont("Nexus", str(folder / "DejaVuSans.ttf")))
        metrics.registerFont(TTFont("Nexus-Bold", str(folder / "DejaVuSans-Bold.ttf")))
        metrics.registerFontFamily("Nexus", normal="Nexus", bold="Nexus-Bold", italic="Nexus", boldItalic="Nexus-Bold")

    def style(name: str, size: float, leading: float, font: str = "Nexus") -> ParagraphStyle:
        return ParagraphStyle(name, fontName=font, fontSize=size, leading=leading)

    return {
        "body": style("body", 9, 12),
        "cell": style("cell", 7, 9),
        "head": style("head", 13, 22, "Nexus-Bold"),
        "title": style("title", 18, 26, "Nexus-Bold"),
    }


def _pdf_table(grid: Grid, styles: dict[str, Any]) -> Any:
    from reportlab.lib import colors
    from reportlab.platypus import LongTable, Paragraph, TableStyle

    def paragraphs(cells: tuple[Cell, ...], tag: str = "{}") -> list[Any]:
        return [Paragraph(tag.format(_xml(brief(cell))), styles["cell"]) for cell in cells]

    grey: Any = colors
    rows = [paragraphs(grid.columns, "<b>{}</b>"), *(paragraphs(row) for row in grid.rows)]
    look = TableStyle([("GRID", (0, 0), (-1, -1), 0.25, grey.grey), ("VALIGN", (0, 0), (-1, -1), "TOP")])
    return LongTable(rows, repeatRows=1, style=look, hAlign="LEFT", spaceAfter=10)


def _docx_table(document: Any, grid: Grid) -> None:
    table = document.add_table(rows=1 + len(grid.rows), cols=len(grid.columns))
    table.style = "Light Grid Accent 1"
    cells = iter(table._cells)
    for text in (*grid.columns, *(cell for row in grid.rows for cell in row)):
        next(cells).text = brief(text)


def _xml(text: str) -> str:
    return escape(text).replace("\n", "<br/>")

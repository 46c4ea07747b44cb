"""A report as a workbook with native charts."""

from __future__ import annotations

import re
from typing import Any, BinaryIO

from celery_nexus.exports import cells
from celery_nexus.exports.cells import Changes
from workers.services.reports.content import Cell, Chart, Grid, Report

SHEET_NAME = 31
XLSX_ROWS = 1_048_575
_FORBIDDEN = re.compile(r"[\[\]:*?/\\']")
_ROWS_OF_A_CHART = 16


def write(report: Report, notes: list[str], file: BinaryIO) -> None:
    """Write an overview with charts, and a sheet for each table; text is text, whatever it starts with."""
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(file, options) as book:
        bold = book.add_format({"bold": True})
        overview: Any = book.add_worksheet("Overview")
        overview.set_column(0, 1, 28)
        below = _overview(overview, report, notes, bold)
        taken = {"overview", "chart data"}
        for section in report.sections:
            if section.grid:
                _sheet(book, section.title, section.grid, bold, taken)
        _charts(book, overview, [chart for section in report.sections for chart in section.charts], below)


def sheet_name(title: str, taken: set[str]) -> str:
    """Make a sheet's name: Excel's length and characters, and none twice."""
    base = _FORBIDDEN.sub(" ", title).strip()[:SHEET_NAME] or "Table"
    name, count = base, 1
    while name.lower() in taken:
        count += 1
        name = f"{base[: SHEET_NAME - 5]} ({count})"
    taken.add(name.lower())
    return name


def _overview(sheet: Any, report: Report, notes: list[str], bold: Any) -> int:
    changes = Changes()
    _cell(sheet, 0, 0, report.title, changes, bold)
    _cell(sheet, 1, 0, f"{report.kind} report, {report.created_at:%Y-%m-%d %H:%M UTC}", changes)
    row = 3
    for name, value in report.figures:
        _cell(sheet, row, 0, name, changes)
        _cell(sheet, row, 1, value, changes, bold)
        row += 1
    for text in (*notes, *report.narrative.split("\n\n")):
        row += 1
        _cell(sheet, row, 0, text or None, changes)
    return row + 2


def _sheet(book: Any, title: str, grid: Grid, bold: Any, taken: set[str]) -> None:
    changes = Changes()
    sheet = book.add_worksheet(sheet_name(title, taken))
    sheet.freeze_panes(1, 0)
    for column, name in enumerate(grid.columns):
        _cell(sheet, 0, column, name, changes, bold)
        sheet.set_column(column, column, min(40, max(10, len(name) + 2)))
    for at, row in enumerate(grid.rows[:XLSX_ROWS], 1):
        for column, value in enumerate(row):
            _cell(sheet, at, column, value, changes)


def _charts(book: Any, overview: Any, charts: list[Chart], row: int) -> None:
    if not charts:
        return
    data = book.add_worksheet("Chart data")
    changes, column = Changes(), 0
    for number, chart in enumerate(charts):
        drawn = book.add_chart({"type": "line" if chart.kind == "line" else "column"})
        last = max(1, len(chart.labels))
        for at, text in enumerate(("", *chart.labels)):
            _cell(data, at, column, text or None, changes)
        for index, (name, values) in enumerate(chart.series, 1):
            for at, value in enumerate((name, *values)):
                _cell(data, at, column + index, value, changes)
            place = [data.get_name(), 1, column + index, last, column + index]
            categories = [data.get_name(), 1, column, last, column]
            drawn.add_series({"name": [data.get_name(), 0, column + index], "categories": categories, "values": place})
        if chart.kind == "bar":
            drawn.set_y_axis(_axis_from_zero(chart))
        drawn.set_title({"name": chart.title.lstrip("="), "name_font": {"size": 11}})
        drawn.set_size({"width": 620, "height": 300})
        if len(chart.series) == 1:
            drawn.set_legend({"none": True})
        overview.insert_chart(row + (number // 2) * _ROWS_OF_A_CHART, 0 if number % 2 == 0 else 6, drawn)
        column += len(chart.series) + 2


def _axis_from_zero(chart: Chart) -> dict[str, float]:
    """Let bars begin at zero: programs choose another start when the values are close to each other."""
    values = [value for _, series in chart.series for value in series if value is not None]
    if min(values, default=0) >= 0:
        return {"min": 0}
    return {"max": 0} if max(values) <= 0 else {}


def _cell(sheet: Any, row: int, column: int, value: Cell, changes: Changes, look: Any = None) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value, look)
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) <= cells.EXACT_IN_DOUBLE):
        sheet.write_number(row, column, value, look)
    else:
        sheet.write_string(row, column, cells.truncate(cells.plain(value), changes), look)

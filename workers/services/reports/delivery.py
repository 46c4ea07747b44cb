"""Delivery of a report: written in a format, and its path returned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO, Literal

from workers.services.reports import page, paper, text, workbook
from workers.services.reports.content import Limit, Report
from workers.services.storage import OutputFolder

ReportFormat = Literal["html", "pdf", "xlsx", "docx", "csv", "json", "md"]
Renderer = Callable[[Report, list[str], BinaryIO], None]

RENDERERS: dict[str, Renderer] = {
    "html": page.write,
    "pdf": paper.write_pdf,
    "xlsx": workbook.write,
    "docx": paper.write_docx,
    "csv": text.write_csv,
    "json": text.write_json,
    "md": text.write_md,
}
LIMITS = {"html": page.LIMIT, "pdf": paper.PDF_LIMIT, "docx": paper.DOCX_LIMIT, "md": text.MD_LIMIT}
"""Limits of tables by format; other formats show whole tables."""

CONTENT_LIMIT = Limit(rows=20, cells=200)
CONTENT = 6_000
"""Characters of the text that comes back with the result."""


def deliver(report: Report, format_: ReportFormat, folder: OutputFolder) -> dict[str, Any]:
    """Write ``report.FORMAT`` in ``folder``; return paths, numbers, warnings and the report as text.

    Raises:
        TaskError: The output can't be written.
    """
    notes = [*report.warnings, *_cut(report, format_), *(paper.find_undrawable(report) if format_ == "pdf" else ())]
    name = f"{report.kind}-report.{format_}"
    folder.make()
    with folder.open_file(name) as file:
        RENDERERS[format_](report, notes, file)
    path = str(folder.path / name)
    return {
        "outputs": {"file": path, f"{format_}_file": path, "stats": report.stats},
        "stats": report.stats,
        "warnings": notes,
        "content": text.markdown(report, notes, CONTENT_LIMIT)[:CONTENT],
    }


def _cut(report: Report, format_: str) -> list[str]:
    limit = LIMITS.get(format_)
    return [
        f"{section.title}: {limit.rows_of(section.grid)} of {len(section.grid.rows)} rows are shown;"
        " xlsx, csv and json hold all"
        for section in report.sections
        if limit and section.grid and len(section.grid.rows) > limit.rows_of(section.grid)
    ]

"""A report as CSV, JSON and Markdown."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import BinaryIO

from celery_nexus.exports.cells import Changes, neutralize_formula, plain
from workers.services.reports.content import Cell, Grid, Limit, Report, spell_cell

MD_LIMIT = Limit(rows=5000, cells=100_000)
_MARKUP = re.compile(r"([\\`*_\[\]{}<>#|!~$])")


def write_csv(report: Report, notes: list[str], file: BinaryIO) -> None:
    """Write the report's main table; what a spreadsheet would run starts with an apostrophe."""
    changes = Changes()
    text = io.TextIOWrapper(file, "utf-8", newline="")
    rows = csv.writer(text, lineterminator="\r\n")
    for row in (report.main.columns, *report.main.rows):
        rows.writerow([neutralize_formula(cell, changes) if isinstance(cell, str) else plain(cell) for cell in row])
    text.flush()
    text.detach()  # the file belongs to the caller, who closes it


def write_json(report: Report, notes: list[str], file: BinaryIO) -> None:
    """Write everything, tables as lists of objects."""
    sections = [
        {"title": part.title, "text": part.text, "rows": part.grid.as_json() if part.grid else []}
        for part in report.sections
    ]
    whole = {
        "title": report.title,
        "report_type": report.kind,
        "created_at": report.created_at.isoformat(timespec="seconds"),
        "figures": dict(report.figures),
        "stats": report.stats,
        "sections": sections,
        "narrative": report.narrative or None,
        "warnings": notes,
    }
    file.write(json.dumps(whole, allow_nan=False, indent=1).encode() + b"\n")


def write_md(report: Report, notes: list[str], file: BinaryIO) -> None:
    """Write Markdown with tables; markup in the data shows as text."""
    file.write(markdown(report, notes, MD_LIMIT).encode("utf-8", "replace"))


def markdown(report: Report, notes: list[str], limit: Limit) -> str:
    """Spell a report as Markdown with at most so much of each table."""
    lines = [f"# {_md(report.title)}", "", f"{report.kind} report, {report.created_at:%Y-%m-%d %H:%M UTC}", ""]
    lines += [f"- {_md(name)}: **{_md(spell_cell(value))}**" for name, value in report.figures]
    lines += ["", *(f"> {_md(note)}" for note in notes)]
    lines += ["", report.narrative] if report.narrative else []
    for section in report.sections:
        lines += ["", f"## {_md(section.title)}", "", *([_md(section.text), ""] if section.text else [])]
        lines += _md_table(section.grid, limit) if section.grid else []
    return "\n".join(lines) + "\n"


def _md_table(grid: Grid, limit: Limit) -> list[str]:
    kept = grid.rows[: limit.rows_of(grid)]
    return [_md_row(grid.columns), "|" + " --- |" * len(grid.columns), *(_md_row(row) for row in kept)]


def _md_row(cells: tuple[Cell, ...]) -> str:
    return f"| {' | '.join(_md(spell_cell(cell)) for cell in cells)} |"


def _md(text: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))

"""A report as one HTML page: no scripts, nothing from outside, charts inline, fit for screen and paper."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from workers.services.reports import charts
from workers.services.reports.content import Cell, Chart, Limit, Report, spell_cell

LIMIT = Limit(rows=5000, cells=100_000)


def write(report: Report, notes: list[str], file: BinaryIO) -> None:
    """Write the page; everything from outside is escaped."""
    parts = _template().generate(
        report=report, notes=notes, shown=spell_cell, is_number=_is_number, svg=_svg, limit=LIMIT.rows_of
    )
    for part in parts:
        file.write(part.encode("utf-8", "replace"))


@lru_cache(maxsize=1)
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("report.html.j2")


def _svg(chart: Chart) -> Markup:
    return Markup(charts.svg(chart))  # noqa: S704  (made by matplotlib, which escapes labels)


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)

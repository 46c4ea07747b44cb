"""Content of a report, whatever format it is written in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from workers.services.exports.sources import unique_names

Cell = str | int | float | bool | None

MANY_DIGITS = 1e15
"""From here on a number is shown in scientific notation."""


@dataclass(frozen=True)
class Grid:
    """A table: names of its columns, and rows of cells."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def as_json(self) -> list[dict[str, Cell]]:
        """Give one object a row."""
        names = unique_names(self.columns)
        return [dict(zip(names, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Limit:
    """How much of a table a format shows: so many rows, and fewer of a wide one."""

    rows: int
    cells: int

    def rows_of(self, grid: Grid) -> int:
        """Say how many rows of a table are shown."""
        return min(len(grid.rows), self.rows, max(1, self.cells // max(1, len(grid.columns))))


@dataclass(frozen=True)
class Chart:
    """Bars or lines over labels.

    Attributes:
        title: What it shows.
        kind: ``bar`` or ``line``.
        labels: One a point, in order.
        series: Name and values of each line or group of bars; None is a gap.
    """

    title: str
    kind: str
    labels: tuple[str, ...]
    series: tuple[tuple[str, tuple[float | None, ...]], ...]


@dataclass(frozen=True)
class Section:
    """A headline with what belongs below it."""

    title: str
    text: str = ""
    grid: Grid | None = None
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        title: Its headline.
        kind: ``summary``, ``detailed``, ``trend``, ``comparison`` or ``performance``.
        figures: The numbers to see first.
        sections: Its parts.
        main: The table that formats with a single table (csv) hold.
        stats: The numbers for programs, as JSON.
        warnings: What a reader must know of the data.
        narrative: A text about it by the AI family, or empty.
        created_at: When it was made.
    """

    title: str
    kind: str
    figures: tuple[tuple[str, Cell], ...]
    sections: tuple[Section, ...]
    main: Grid
    stats: dict[str, Any] = field(default_factory=dict[str, Any])
    warnings: tuple[str, ...] = ()
    narrative: str = ""
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))


def spell_cell(cell: Cell) -> str:
    """Spell a cell for people: thousands apart, at most four digits behind the point of small numbers."""
    if cell is None:
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str):
        return cell
    if abs(cell) >= MANY_DIGITS:
        return f"{cell:.6g}" if isinstance(cell, float) or abs(cell) < 10**300 else str(cell)[:12] + "…"
    if isinstance(cell, int):
        return f"{cell:,}"
    if cell.is_integer():
        return f"{int(cell):,}"
    return f"{cell:,.2f}" if abs(cell) >= 1 else f"{cell:.4g}"

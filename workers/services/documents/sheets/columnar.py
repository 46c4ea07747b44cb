"""Figures of large worksheets, read into typed columns at once instead of cell by cell.

Only for sheets whose columns hold one kind of values each below the first row; the others are read row by row
(:mod:`workers.services.documents.sheets.figures`), which finds the same figures more slowly.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Any, cast

import fastexcel
import polars as pl

from workers.services.documents.sheets import figures
from workers.services.documents.sheets.cells import KINDS, Cell, Row, as_text, day_or_time

_NOTHING = pl.Series()
_LAST_DAY_MS = 253_402_300_800_000
"""Milliseconds from 1970 to the end of the year 9999."""

logging.getLogger("fastexcel").setLevel(logging.ERROR)  # it warns of each empty column


@dataclass(frozen=True)
class Table:
    """A worksheet that was read by columns.

    Attributes:
        top: Its first rows that have something in them; the first begins in column A.
        frame: Every row below the first of these, in order; empty cells and empty texts are null.
    """

    top: list[Row]
    frame: pl.DataFrame

    @cached_property
    def header(self) -> list[Cell]:
        """The first row when it names the columns, else nothing."""
        return figures.split_header(self.top)[0]

    @property
    def errors(self) -> Counter[str]:
        """None: a sheet with cells that show errors is not read by columns."""
        return Counter()

    @property
    def data_rows(self) -> int:
        """Number of rows that have something in them, without the header."""
        return self.extent["rows"] - bool(self.header)

    @cached_property
    def extent(self) -> dict[str, Any]:
        """The used range, from the first to the last cell that has something in it."""
        first, values = self.top[0]
        filled = self.frame.select(filled=pl.any_horizontal(pl.all().is_not_null()))["filled"].arg_true()
        last = first + 1 + filled[-1] if len(filled) else first
        counts = [series.len() - series.null_count() for series in self.frame]
        right = max(len(values), *(index for index, count in enumerate(counts, 1) if count), 1)
        return figures.describe_used_range(
            (1, first),
            (right, last),
            rows=len(filled) + 1,
            cells=sum(counts) + sum(value != "" for value in values),
        )

    def descriptions(self) -> Iterator[dict[str, Any]]:
        """Describe each column that has something in it."""
        columns = [series.drop_nulls() for series in self.frame]
        for index, (column, above) in enumerate(zip_longest(columns, self.top[0][1], fillvalue="")):
            cells = _NOTHING if isinstance(column, str) else column
            if above != "" and not self.header:
                yield figures.describe(index, "", [above, *_values(cells)], self.data_rows)
            elif above != "" or len(cells):
                yield _described(index, as_text(above), cells, self.data_rows)

    def preview(self, rows: int) -> list[Row]:
        """Return the first rows, at most as many as ``top`` has."""
        return self.top[:rows]


def read(data: bytes, name: str, top: list[Row], cells: int) -> Table | None:
    """Read a worksheet by columns; None when a column holds several kinds of values, or a cell was left out.

    The library leaves out errors, white space, and texts such as ``N/A``.

    Args:
        data: The workbook.
        name: Of the worksheet.
        top: Its first rows that have something in them.
        cells: Number of cells in its XML.
    """
    if not top or top[0][1][0] == "":
        return None  # the library counts columns from the first that has a cell: only now is that A for sure
    try:
        sheet = fastexcel.read_excel(data).load_sheet(
            name,
            header_row=None,
            skip_rows=top[0][0],
            schema_sample_rows=None,
            dtype_coercion="strict",
            whitespace_as_null=True,
        )
        table = Table(top, sheet.to_polars())
    except fastexcel.FastExcelError:
        return None
    return table if table.extent["cells"] == cells and _has_only_usual_dates(table.frame) else None


def _has_only_usual_dates(frame: pl.DataFrame) -> bool:
    """Tell whether all moments can be Python's; further ones are numbers to the reader of rows."""
    moments = (series for series in frame if series.dtype.is_temporal())
    for series in moments:
        numbers = series.drop_nulls().to_physical()
        unit = getattr(series.dtype, "time_unit", "ms")
        limit = _LAST_DAY_MS * {"ms": 1, "us": 1000, "ns": 1_000_000}[unit]
        if len(numbers) and not -limit <= cast("int", numbers.min()) <= cast("int", numbers.max()) < limit:
            return False
    return True


def _described(index: int, name: str, cells: pl.Series, rows: int) -> dict[str, Any]:
    if not len(cells):
        return figures.description(index, name, {}, rows)
    kind = KINDS[type(cells[0])]
    kinds = {kind: len(cells)}
    if kind == "number":
        return figures.description(index, name, kinds, rows, numbers=figures.numbers_of(_values(cells)))
    return figures.description(index, name, kinds, rows, dates=_values(cells) if kind == "date" else ())


def _values(cells: pl.Series) -> list[Cell]:
    """Give cells as the reader of rows does."""
    values: list[Cell] = cells.to_list()
    if cells.dtype != pl.Datetime:
        return values
    return [day_or_time(value) if isinstance(value, dt.datetime) else value for value in values]

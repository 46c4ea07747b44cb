"""Streaming writers, one per table format."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from xml.sax.saxutils import escape, quoteattr

from celery_nexus.exports import cells
from celery_nexus.exports.cells import Changes, Scalar
from celery_nexus.exports.shape import Kind, Shape, as_moment
from celery_nexus.extras import require

Rows = Iterator[list[Any]]
Writer = Callable[[BinaryIO, Shape, Rows, Changes], None]

XLSX_ROWS = 1_048_575
"""Most rows of a sheet below its header; the rest goes to further sheets."""

PARQUET_ROWS = 20_000
PARQUET_CHARACTERS = 8_000_000
"""Size of a row group, in characters; each number counts as ten."""

_CSP = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = (
    ":root{color-scheme:light dark}body{font:14px system-ui,sans-serif;margin:2rem}"
    ".table{overflow-x:auto}table{border-collapse:collapse}"
    "td,th{border:1px solid #8886;padding:.25rem .5rem;text-align:left;"
    "vertical-align:top}th{position:sticky;top:0;background:Canvas}td.n{text-align:right}"
)


def write_csv(file: BinaryIO, shape: Shape, rows: Rows, changes: Changes) -> None:
    """Write comma-separated values in UTF-8, without the byte order mark that most programs take for data."""
    _write_delimited(file, shape, rows, changes, ",")


def write_tsv(file: BinaryIO, shape: Shape, rows: Rows, changes: Changes) -> None:
    """Write tab-separated values."""
    _write_delimited(file, shape, rows, changes, "\t")


def write_json(file: BinaryIO, shape: Shape, rows: Rows, changes: Changes) -> None:
    """Write one JSON list of objects, one a line."""
    separator = b"[\n"
    for line in _json_lines(shape, rows):
        file.write(separator + line)
        separator = b",\n"
    file.write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def write_jsonl(file: BinaryIO, shape: Shape, rows: Rows, changes: Changes) -> None:
    """Write one JSON object a line."""
    for line in _json_lines(shape, rows):
        file.write(line + b"\n")


def write_html(file: BinaryIO, shape: Shape, rows: Rows, changes: Changes) -> None:
    """Write a page of its own with one table; its policy allows neither scripts nor outside files."""
    names = "".join(f"<th>{html.escape(column.name)}</th>" for column in shape.columns)
    head = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_CSP}">'
        f"<title>Export</title><style>{_STYLE}</style></head><body>\n<p>{shape.rows} records</p>\n"
        f"<div class=table><table><thead><tr>{names}</tr></thead><tbody>\n"
    )
    file.write(head.encode())
    for row in rows:
        file.write(f"<tr>{''.join(map(_html_cell, row))}</tr>\n".encode())
    file.write(b"</tbody></table></div>\n</body></html>\n")


def write_xml(file: BinaryIO, shape: Shape, rows: Rows, changes: Changes) -> None:
    """Write ``<records><record><field name="…">…`` with ``null="true"`` for what is missing."""
    names = [quoteattr(column.name, {"\r": "&#13;"}) for column in shape.columns]
    file.write(b'<?xml version="1.0" encoding="UTF-8"?>\n<records>\n')
    for row in rows:
        fields = "".join(map(_xml_field, names, row))
        file.write(f"<record>{fields}</record>\n".encode())
    file.write(b"</records>\n")


def write_parquet(file: BinaryIO, shape: Shape, rows: Rows, changes: Changes) -> None:
    """Write typed columns, a group of rows at a time; columns of ISO dates and times become dates and times."""
    require("export", "an export as parquet", "pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow: Any = pa
    types = {
        "integer": arrow.int64(), "number": arrow.float64(), "boolean": arrow.bool_(), "text": arrow.string(),
        "date": arrow.date32(), "local_time": arrow.timestamp("us"), "time": arrow.timestamp("us", tz="UTC"),
    }  # fmt: skip
    schema = arrow.schema([arrow.field(column.name, types[column.kind]) for column in shape.columns])
    kinds: list[Kind] = [column.kind for column in shape.columns]
    writer: Any = pq.ParquetWriter(file, schema, compression="zstd")
    with writer:
        for batch in _batches(rows):
            columns = [[_typed(cell, kind) for cell in values] for kind, values in _by_column(kinds, batch)]
            writer.write_table(
                arrow.Table.from_arrays(
                    [arrow.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
                )
            )


def write_xlsx(file: BinaryIO, shape: Shape, rows: Rows, changes: Changes, temporary: Path | None = None) -> None:
    """Write a workbook in constant memory; text is text, whatever it starts with.

    Args:
        file: Where to.
        shape: Columns and number of rows.
        rows: What to write.
        changes: Counts what was cut.
        temporary: Folder of the sheets' working files; the system's when left out.
    """
    require("export", "an export as xlsx", "xlsxwriter")
    import xlsxwriter

    options: dict[str, Any] = {"constant_memory": True, "strings_to_urls": False, "strings_to_formulas": False}
    if temporary:
        temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        options["tmpdir"] = str(temporary)
    with xlsxwriter.Workbook(file, options) as book:
        book.use_zip64()
        bold = book.add_format({"bold": True})
        sheet, at = None, XLSX_ROWS
        for row in rows:
            if sheet is None or at >= XLSX_ROWS:
                sheet, at = _xlsx_sheet(book, shape, bold, changes), 0
            at += 1
            for index, cell in enumerate(row):
                _xlsx_cell(sheet, at, index, cell, changes)
        if sheet is None:
            _xlsx_sheet(book, shape, bold, changes)


WRITERS: dict[str, Writer] = {
    "csv": write_csv,
    "tsv": write_tsv,
    "json": write_json,
    "jsonl": write_jsonl,
    "xlsx": write_xlsx,
    "parquet": write_parquet,
    "html": write_html,
    "xml": write_xml,
}


def _write_delimited(file: BinaryIO, shape: Shape, rows: Rows, changes: Changes, delimiter: str) -> None:
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=False)
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow([cells.neutralize_formula(column.name, changes) for column in shape.columns])
    for row in rows:
        writer.writerow(
            [cells.neutralize_formula(cell, changes) if isinstance(cell, str) else cells.plain(cell) for cell in row]
        )
    text.flush()
    text.detach()  # the file belongs to the caller, who closes it


def _json_lines(shape: Shape, rows: Rows) -> Iterator[bytes]:
    names = [column.name for column in shape.columns]
    for row in rows:
        yield json.dumps(dict(zip(names, row, strict=True)), allow_nan=False).encode()


def _batches(rows: Rows) -> Iterator[list[list[Any]]]:
    batch: list[list[Any]] = []
    characters = 0
    for row in rows:
        batch.append(row)
        characters += sum(len(cell) if type(cell) is str else 10 for cell in row)
        if len(batch) == PARQUET_ROWS or characters >= PARQUET_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _by_column(kinds: list[Kind], batch: list[list[Any]]) -> Iterator[tuple[Kind, tuple[Any, ...]]]:
    return zip(kinds, zip(*batch, strict=True), strict=True)


def _typed(cell: Scalar, kind: Kind) -> Any:
    """Give a cell as its column's type in Parquet takes it."""
    if cell is None or kind in ("integer", "number", "boolean"):
        return cell
    if kind == "text":
        return cells.plain(cell)
    moment = as_moment(str(cell))
    return moment.date() if moment and kind == "date" else moment


def _html_cell(cell: Scalar) -> str:
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
    return f"<td{' class=n' if is_number else ''}>{html.escape(cells.plain(cell))}</td>"


def _xml_field(name: str, cell: Scalar) -> str:
    if cell is None:
        return f'<field name={name} null="true"/>'
    return f"<field name={name}>{escape(cells.plain(cell), {chr(13): '&#13;'})}</field>"


def _xlsx_sheet(book: Any, shape: Shape, bold: Any, changes: Changes) -> Any:
    count = len(book.worksheets())
    sheet = book.add_worksheet("Data" if not count else f"Data {count + 1}")
    sheet.freeze_panes(1, 0)
    for index, column in enumerate(shape.columns):
        sheet.write_string(0, index, cells.truncate(column.name, changes), bold)
    return sheet


def _xlsx_cell(sheet: Any, row: int, column: int, cell: Scalar, changes: Changes) -> None:
    if cell is None:
        return
    if isinstance(cell, bool):
        sheet.write_boolean(row, column, cell)
    elif isinstance(cell, float) or (isinstance(cell, int) and abs(cell) <= cells.EXACT_IN_DOUBLE):
        sheet.write_number(row, column, cell)
    else:
        sheet.write_string(row, column, cells.truncate(cells.plain(cell), changes))

"""A worksheet as CSV, JSON or HTML; nothing in it can run where it is opened."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from html import escape
from typing import BinaryIO

from workers.services.documents.cells import as_csv, as_json
from workers.services.documents.job import clean
from workers.services.documents.workbook import Row

_GAP_ROWS = 100
"""Longest run of empty rows that is written; a longer one is left out."""
_PAGE = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    "<title>{title}</title><style>body{{font-family:sans-serif}}table{{border-collapse:collapse}}"
    "td{{border:1px solid #bbb;padding:2px 6px;vertical-align:top}}</style></head><body><h1>{title}</h1><table>\n"
)


def _filled(rows: Iterable[Row]) -> Iterable[Row]:
    """Give short runs of empty rows between the others, so that rows stay where they are."""
    last = 0
    for number, values in rows:
        if last and 1 < number - last <= _GAP_ROWS:
            for missing in range(last + 1, number):
                yield missing, []
        last = number
        yield number, values


def write_csv(_title: str, rows: list[Row], file: BinaryIO) -> None:
    """Write CSV (UTF-8, RFC 4180); formula-like text gets an apostrophe."""
    text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="", write_through=True)
    writer = csv.writer(text)
    for _, values in _filled(rows):
        writer.writerow([as_csv(clean(value) if isinstance(value, str) else value) for value in values])
    text.detach()


def write_json(title: str, rows: list[Row], file: BinaryIO) -> None:
    """Write ``{"sheet": …, "rows": [{"row": 1, "values": […]}, …]}``, a row a line."""
    file.write(f'{{"sheet": {json.dumps(title)}, "rows": ['.encode())
    for index, (number, values) in enumerate(rows):
        line = json.dumps({"row": number, "values": [as_json(value) for value in values]})
        file.write(f"{',' if index else ''}\n{line}".encode())
    file.write(b"\n]}\n")


def write_html(title: str, rows: list[Row], file: BinaryIO) -> None:
    """Write a self-contained page with one table; all text is escaped."""
    file.write(_PAGE.format(title=escape(clean(title))).encode("utf-8", "replace"))
    for _, values in _filled(rows):
        cells = "".join(
            f"<td>{escape(clean(str(as_json(value)))) if value is not None else ''}</td>" for value in values
        )
        file.write(f"<tr>{cells}</tr>\n".encode("utf-8", "replace"))
    file.write(b"</table></body></html>\n")


WRITERS: dict[str, Callable[[str, list[Row], BinaryIO], None]] = {
    "csv": write_csv,
    "json": write_json,
    "html": write_html,
}
"""Format → its writer: sheet name, rows, target."""

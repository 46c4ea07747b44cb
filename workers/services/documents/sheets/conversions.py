"""A worksheet as CSV, JSON or HTML; nothing in it can run where it is opened."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from html import escape
from itertools import islice
from typing import BinaryIO

from workers.services.documents.job import without_controls
from workers.services.documents.sheets.cells import Row, as_csv, as_json, as_text

_GAP_ROWS = 100
"""Longest run of empty rows that is written; a longer one is left out."""
_BATCH_ROWS = 1000
_PAGE = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    "<title>{title}</title><style>body{{font-family:sans-serif}}table{{border-collapse:collapse}}"
    ".table{{overflow-x:auto}}td{{border:1px solid #bbb;padding:2px 6px;vertical-align:top}}</style></head><body>"
    "<h1>{title}</h1><div class=table><table>\n"
)


def _filled(rows: Iterable[Row]) -> Iterator[Row]:
    """Give short runs of empty rows between the others, so that rows stay where they are."""
    last = 0
    for number, values in rows:
        if last and 1 < number - last <= _GAP_ROWS:
            for missing in range(last + 1, number):
                yield missing, []
        last = number
        yield number, values


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    pending = iter(rows)
    while batch := list(islice(pending, _BATCH_ROWS)):
        yield batch


def write_csv(_title: str, rows: list[Row], file: BinaryIO) -> None:
    """Write CSV (UTF-8, RFC 4180); formula-like text gets an apostrophe."""
    for batch in _batches(_filled(rows)):
        text = io.StringIO(newline="")
        csv.writer(text).writerows([as_csv(value) for value in values] for _, values in batch)
        file.write(without_controls(text.getvalue()).encode("utf-8", "replace"))


def write_json(title: str, rows: list[Row], file: BinaryIO) -> None:
    """Write ``{"sheet": …, "rows": [{"row": 1, "values": […]}, …]}``, a row a line."""
    file.write(f'{{"sheet": {json.dumps(title)}, "rows": ['.encode())
    between = "\n"
    for batch in _batches(rows):
        lines = [f'{{"row": {number}, "values": {json.dumps([*map(as_json, values)])}}}' for number, values in batch]
        file.write((between + ",\n".join(lines)).encode())
        between = ",\n"
    file.write(b"\n]}\n")


def write_html(title: str, rows: list[Row], file: BinaryIO) -> None:
    """Write a self-contained page with one table; all text is escaped."""
    file.write(_PAGE.format(title=escape(without_controls(title))).encode("utf-8", "replace"))
    for batch in _batches(_filled(rows)):
        lines = ["<td>".join(("<tr>", *(escape(as_text(value)) for value in values))) for _, values in batch]
        file.write(without_controls("\n".join(lines) + "\n").encode("utf-8", "replace"))
    file.write(b"</table></div></body></html>\n")


WRITERS: dict[str, Callable[[str, list[Row], BinaryIO], None]] = {
    "csv": write_csv,
    "json": write_json,
    "html": write_html,
}
"""Format → its writer: sheet name, rows, target."""

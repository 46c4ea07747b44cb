"""Export of a view: its rows as CSV or JSON, its picture as SVG, into a file whose name has the time."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from celery_nexus.exports.cells import Changes, clean, neutralize_formula
from celery_nexus.privacy.masking import mask
from celery_nexus.rows.text import raw_json
from nexus_tui.preferences.user_files import cache_path
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.tables.columns import Column

FORMATS = {"c": "csv", "j": "json", "s": "svg"}
"""Formats by their keys."""

MOST_ROWS = 10_000
"""Most rows of an export; ``nexus-tui export`` writes all runs."""

_MOST_NAMES = 100
"""Most files of one second."""


def write_csv(columns: Sequence[Column], cells: Callable[[Any], Sequence[Line]], rows: Iterable[Any]) -> str:
    """Write rows as the table shows them; what a spreadsheet would run as a formula begins with an apostrophe."""
    text, changes = io.StringIO(newline=""), Changes()
    writer = csv.writer(text, lineterminator="\r\n")
    places = [place for place, column in enumerate(columns) if column.title]
    writer.writerow([columns[place].title for place in places])
    for row in rows:
        shown = cells(row)
        words = ("".join(part for part, _ in shown[place]).strip() for place in places)
        writer.writerow([neutralize_formula(clean(word), changes) for word in words])
    return text.getvalue()


def write_json(rows: Iterable[Any]) -> str:
    """Write rows with all that is known of them, secrets masked."""
    plain = [mask(json.loads(raw_json(row))) for row in rows]
    return json.dumps(plain, ensure_ascii=False, indent=2) + "\n"


def write_export(view: str, kind: str, text: str, now: datetime) -> Path:
    """Write an export into the working directory, or where that can't be written into the user's folder for what can
    be lost; never over another file. Only its owner can read it.

    Raises:
        OSError: It can't be written there either.
    """
    name = f"nexus-{view}-{now.astimezone():%Y%m%d-%H%M%S}"
    try:
        return _write_new(Path.cwd(), name, kind, text)
    except OSError:
        folder = cache_path("exports")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _write_new(folder, name, kind, text)


def _write_new(folder: Path, name: str, kind: str, text: str) -> Path:
    for number in range(1, _MOST_NAMES):
        path = folder / f"{name}{f'-{number}' if number > 1 else ''}.{kind}"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
        return path
    raise FileExistsError(f"{folder / name} exists {_MOST_NAMES} times")

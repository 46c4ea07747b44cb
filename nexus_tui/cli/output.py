"""Output of the command line: one JSON document, or tables; outside text never raw."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from celery_nexus.rows.outcomes import Outcome
from celery_nexus.rows.text import safe_text
from nexus_tui.documents import as_json


def print_json(value: Any) -> None:
    """Print one JSON document on stdout; control characters are escaped by JSON itself."""
    import json

    click.echo(json.dumps(as_json(value), ensure_ascii=True, indent=2 if sys.stdout.isatty() else None))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """Print aligned columns, or the sentence that says what to do when there is nothing.

    Numbers are aligned to the right; None is printed as ``?``.
    """
    cells = [["?" if cell is None else safe_text(str(cell)) for cell in row] for row in rows]
    if not cells:
        click.echo(empty)
        return
    widths = [max(len(header), *(len(row[i]) for row in cells)) for i, header in enumerate(headers)]
    numeric = [all(_is_number(row[i]) for row in cells) for i in range(len(headers))]
    for row in [list(headers), *cells]:
        line = "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        click.echo(line.rstrip())


def print_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """Print names and values below each other; a value of several lines is indented."""
    rows = [(name, "?" if value is None else str(value)) for name, value in fields]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        lines = [safe_text(line) for line in value.split("\n")]
        click.echo(f"{name.ljust(width)}  {lines[0]}")
        for line in lines[1:]:
            click.echo(f"{'':{width}}  {line}")


def print_outcome(outcome: Outcome) -> None:
    """Print what happened to each target."""
    for row in outcome.targets:
        click.echo(f"{'✓' if row.done else '✗'} {safe_text(row.target)}: {safe_text(row.message)}")


def fail(message: str) -> None:
    """Print an error on stderr; further lines (the end of a log) follow indented."""
    from celery_nexus.privacy.masking import mask_text

    first, *rest = mask_text(message).split("\n")
    click.echo(f"nexus-tui: {safe_text(first)}", err=True)
    for line in rest:
        click.echo(safe_text(line), err=True)


def _is_number(cell: str) -> bool:
    return cell == "?" or cell.replace(",", "").replace(".", "", 1).removeprefix("-").isdigit()

"""The shape of a table: its columns and what each holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from celery_nexus.exports.cells import Changes, Scalar, scalar

Record = Mapping[str, Any]
Reader = Callable[[Any, Changes], Any]
Kind = Literal["integer", "number", "boolean", "text", "date", "local_time", "time"]
"""Type of all values of a column; ISO dates, times without and times with a zone are text in formats without them."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?")


@dataclass(frozen=True)
class Column:
    """A column: the records' key, the name shown, and what all its values are."""

    key: str
    name: str
    kind: Kind


@dataclass(frozen=True)
class Shape:
    """Columns and number of rows of a table."""

    columns: tuple[Column, ...]
    rows: int
    numbers_are_text: bool

    def row(self, record: Record, changes: Changes, read: Reader = scalar) -> list[Any]:
        """Return a record's cells in column order, each made fit by ``read``."""
        if self.numbers_are_text:
            return [self._from_text(record.get(column.key), column.kind, changes) for column in self.columns]
        return [read(record.get(column.key), changes) for column in self.columns]

    def _from_text(self, value: str | None, kind: Kind, changes: Changes) -> Scalar:
        if kind in ("integer", "number"):
            return (int(value) if kind == "integer" else float(value)) if value else None
        return scalar(value, changes)


def as_moment(text: str) -> datetime | None:
    """Read an ISO 8601 date or time; None for anything else."""
    if text[4:5] != "-" or not _MOMENT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None

"""Records as a table: columns of one kind each, whatever the records look like."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, cast

from celery_nexus.exports.cells import Changes, clean, scalar
from workers.services.exports.sources import require_record, unique_names

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["number", "boolean", "date", "text"]

MAX_COLUMNS = 200
"""A report with more columns tells nobody anything; the rest is left out and said."""

MAX_NAME = 80
MAX_DEPTH = 4
"""Objects in objects become ``a.b.c.d``; what is deeper becomes JSON text."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?)?\s?(Z|z|[+-]\d{2}:?\d{2})?")


@dataclass(frozen=True)
class Table:
    """Records in columns.

    Attributes:
        frame: Numbers as floats, dates in UTC; None where a record had nothing.
        kinds: What each column holds, in order of first appearance.
        rows: The cells as they came, for listings.
        warnings: What had to be changed or left out.
    """

    frame: pl.DataFrame
    kinds: dict[str, Kind]
    rows: tuple[tuple[Any, ...], ...]
    warnings: tuple[str, ...]

    def of_kind(self, kind: Kind) -> list[str]:
        """Names of the columns that hold ``kind``."""
        return [name for name, own in self.kinds.items() if own == kind]


def tabulate(records: Sequence[Any]) -> Table:
    """Make a table of a list of objects.

    Raises:
        InvalidArgument: A record is no object.
    """
    import polars as pl

    changes, warnings = Changes(), list[str]()
    flat = [_flat(require_record(record, f"data.records[{index}]"), changes) for index, record in enumerate(records)]
    keys = list(dict.fromkeys(key for record in flat for key in record))
    if len(keys) > MAX_COLUMNS:
        warnings.append(f"only the first {MAX_COLUMNS} of {len(keys)} columns are reported")
        keys = keys[:MAX_COLUMNS]
    names = unique_names([clean(key)[:MAX_NAME] for key in keys])
    kinds: dict[str, Kind] = {}
    series: list[pl.Series] = []
    for key, name in zip(keys, names, strict=True):
        values = [record.get(key) for record in flat]
        kinds[name] = _kind(values)
        series.append(_series(name, kinds[name], values))
    rows = tuple(tuple(record.get(key) for key in keys) for record in flat)
    if changes.not_finite:
        warnings.append(f"{changes.not_finite} values were NaN or infinite and count as missing")
    if changes.replaced:
        warnings.append(f"{changes.replaced} values had control characters or broken Unicode, shown as U+FFFD")
    return Table(pl.DataFrame(series), kinds, rows, tuple(warnings))


def as_time(text: str) -> datetime | None:
    """Read an ISO 8601 date or time; without a zone it counts as UTC. None for anything else."""
    if not _DATE.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" Z", "Z").replace("z", "Z"))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _flat(record: Mapping[str, Any], changes: Changes, prefix: str = "", depth: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value and depth < MAX_DEPTH:
            inner = _flat(cast("Mapping[str, Any]", value), changes, f"{name}.", depth + 1)
            for inner_name, item in inner.items():
                found.setdefault(inner_name, item)
        else:
            found[name] = scalar(value, changes)
    return found


def _kind(values: Sequence[Any]) -> Kind:
    present = [value for value in values if value is not None and value != ""]
    if not present:
        return "text"
    if all(isinstance(value, bool) for value in present):
        return "boolean"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        return "number"
    if all(isinstance(value, str) and as_time(value) is not None for value in present):
        return "date"
    return "text"


def _series(name: str, kind: Kind, values: Sequence[Any]) -> pl.Series:
    import polars as pl

    if kind == "number":
        return pl.Series(name, [_number(value) for value in values], dtype=pl.Float64)
    if kind == "boolean":
        return pl.Series(name, [value if isinstance(value, bool) else None for value in values], dtype=pl.Boolean)
    if kind == "date":
        return pl.Series(name, [as_time(value) if value else None for value in values], dtype=pl.Datetime("us", "UTC"))
    return pl.Series(name, [None if value in (None, "") else _text(value) for value in values], dtype=pl.String)


def _number(value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        return float(value)
    except OverflowError:  # a whole number beyond every float
        return sys.float_info.max if value > 0 else -sys.float_info.max


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else str(value)

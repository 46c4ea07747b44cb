"""Statistics of single columns, with the sections and charts made of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import polars as pl

from workers.services.reports.content import Cell, Chart, Grid, Section
from workers.services.reports.table import Table

TOP = 10
"""Most frequent texts that are charted."""

BINS = 12
CHARTED_COLUMNS = 4
LABEL = 40

_NUMBER_FIELDS = ("count", "missing", "sum", "mean", "min", "median", "p95", "max", "std")
_OVERVIEW = ("kind", "distinct", *_NUMBER_FIELDS, "most_frequent")


def describe(table: Table, name: str) -> dict[str, Any]:
    """Compute a column's statistics; numbers get sum, mean, percentiles, texts their most frequent value."""
    column, kind = table.frame[name], table.kinds[name]
    present = column.drop_nulls()
    found: dict[str, Any] = {"kind": kind, "count": len(present), "missing": column.null_count()}
    found["distinct"] = present.n_unique()
    if not len(present):
        return found
    if kind == "number":
        return found | number_stats(present)
    if kind == "date":
        return found | {"min": moment(present.min()), "max": moment(present.max())}
    value, count = find_most_frequent(present, 1)[0]
    return found | {"most_frequent": value, "most_frequent_count": count}


def number_stats(present: pl.Series) -> dict[str, float | None]:
    """Compute what describes numbers; what overflows is None."""
    return {
        "sum": round_finite(present.sum()),
        "mean": round_finite(present.mean()),
        "min": round_finite(present.min()),
        "median": round_finite(present.median()),
        "p95": round_finite(present.quantile(0.95, "linear")),
        "max": round_finite(present.max()),
        "std": round_finite(present.std()) if len(present) > 1 else None,
    }


def round_finite(value: Any) -> float | None:
    """Return a number rounded to twelve digits, or None for what is none (empty, overflown)."""
    if value is None or value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  (NaN)
        return None
    return float(f"{float(value):.12g}")


def moment(value: Any) -> str | None:
    """Spell a time in ISO 8601, a date alone where it is midnight."""
    if not isinstance(value, datetime):
        return None
    midnight = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
    return value.date().isoformat() if midnight else value.isoformat().replace("+00:00", "Z")


def find_most_frequent(present: pl.Series, limit: int) -> list[tuple[str, int]]:
    """Return the most frequent values with their counts; ties in order of the text."""
    counts = present.cast(pl.String).rename("value").value_counts().sort(["count", "value"], descending=[True, False])
    return [(str(value), int(count)) for value, count in counts.head(limit).iter_rows()]


def label(text: str) -> str:
    """Shorten a text to what fits below a bar."""
    line = " ".join(text.split())
    return line if len(line) <= LABEL else f"{line[: LABEL - 1]}…"


def figures(table: Table, stats: dict[str, dict[str, Any]]) -> tuple[tuple[str, Cell], ...]:
    """Choose the numbers to see first."""
    found: list[tuple[str, Cell]] = [("Records", len(table.rows)), ("Columns", len(table.kinds))]
    found.append(("Missing values", sum(column["missing"] for column in stats.values())))
    for name in table.of_kind("date")[:1]:
        found += [("From", stats[name].get("min")), ("To", stats[name].get("max"))]
    return tuple(found)


def overview(stats: dict[str, dict[str, Any]]) -> Grid:
    """Make one table with a row a column."""
    rows = [(name, *(cast("Cell", column.get(field)) for field in _OVERVIEW)) for name, column in stats.items()]
    return Grid(("column", *_OVERVIEW), tuple(rows))


def number_section(table: Table, names: list[str], stats: dict[str, dict[str, Any]]) -> Section | None:
    """Show the number columns and how their values are distributed."""
    if not names:
        return None
    rows = [(name, *(cast("Cell", stats[name].get(field)) for field in _NUMBER_FIELDS)) for name in names]
    charts = [_histogram(name, table.frame[name].drop_nulls()) for name in names[:CHARTED_COLUMNS]]
    return Section("Numbers", "", Grid(("column", *_NUMBER_FIELDS), tuple(rows)), tuple(c for c in charts if c))


def text_section(table: Table, stats: dict[str, dict[str, Any]]) -> Section | None:
    """Show the other columns and their most frequent values."""
    names = table.of_kind("text") + table.of_kind("boolean")
    if not names:
        return None
    fields = ("count", "missing", "distinct", "most_frequent", "most_frequent_count")
    rows = [(name, *(cast("Cell", stats[name].get(field)) for field in fields)) for name in names]
    repeated = [name for name in names if 0 < stats[name]["distinct"] <= max(2, stats[name]["count"] // 2)]
    charts = [_top(name, table.frame[name].drop_nulls()) for name in repeated[:CHARTED_COLUMNS]]
    return Section("Texts", "", Grid(("column", *fields), tuple(rows)), tuple(charts))


def date_section(table: Table, stats: dict[str, dict[str, Any]]) -> Section | None:
    """Show the date columns with their first and last moment."""
    names = table.of_kind("date")
    rows = [
        (name, stats[name]["count"], stats[name]["missing"], stats[name].get("min"), stats[name].get("max"))
        for name in names
    ]
    return Section("Dates", "", Grid(("column", "count", "missing", "first", "last"), tuple(rows))) if rows else None


def _histogram(name: str, present: pl.Series) -> Chart | None:
    low, high = round_finite(present.min()), round_finite(present.max())
    if low is None or high is None or low == high:
        return None
    width = high / BINS - low / BINS  # divided first: their difference may pass the largest float
    counts = [0] * BINS
    for value in present:
        counts[min(BINS - 1, int(value / width - low / width))] += 1
    labels = tuple(f"{low + index * width:.4g}" for index in range(BINS))
    return Chart(f"{label(name)}: distribution (from)", "bar", labels, (("records", tuple(map(float, counts))),))


def _top(name: str, present: pl.Series) -> Chart:
    top = find_most_frequent(present, TOP)
    values = tuple(float(count) for _, count in top)
    return Chart(
        f"{label(name)}: most frequent", "bar", tuple(label(value) for value, _ in top), (("records", values),)
    )

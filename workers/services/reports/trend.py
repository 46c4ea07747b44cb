"""A trend: records counted and added up over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import polars as pl

from workers.services.reports.columns import label, moment, round_finite
from workers.services.reports.content import Cell, Chart, Grid, Report, Section
from workers.services.reports.table import Table

MAX_VALUES = 8
"""Number columns that are followed."""

PARTS = 30
"""Equal parts of records that carry no dates."""

MAX_BUCKETS = 2000
"""Longest gap-free row of buckets; sparser data is shown without its gaps."""

_STEPS = (
    ("1h", "hour", timedelta(days=3)),
    ("1d", "day", timedelta(days=100)),
    ("1w", "week", timedelta(days=800)),
    ("1mo", "month", timedelta(days=366 * 20)),
)


def report(table: Table, title: str, date_field: str | None, value_fields: Sequence[str] | None) -> Report:
    """Follow counts, sums and means of the number columns over time, or over the records' order without dates."""
    values = list(value_fields or table.of_kind("number"))[:MAX_VALUES]
    dates = [date_field] if date_field else table.of_kind("date")[:1]
    warnings = list(table.warnings)
    if dates and dates[0] in table.kinds and table.frame[dates[0]].null_count() < len(table.rows):
        buckets, unit, partial = _by_time(table.frame, dates[0], values)
        warnings += _said(partial, unit)
        undated = table.frame[dates[0]].null_count()
        if undated:
            warnings.append(f"{undated} records have no {dates[0]} and are left out")
    else:
        buckets, unit, partial = _by_order(table.frame, values), "part", Partial()
        if table.rows:
            warnings.append("no column holds ISO dates: the trend follows the order of the records")
    return _report(table, title, buckets, unit, values, partial, tuple(warnings))


def _own(frame: pl.DataFrame, values: list[str]) -> dict[str, pl.Series]:
    """Rename the number columns: polars takes outside names such as ``*`` or ``^a.*$`` for patterns."""
    return {f"v{index}": frame[name] for index, name in enumerate(values)}


def _aggregates(values: list[str]) -> list[pl.Expr]:
    sums = [pl.col(f"v{index}").sum().alias(f"s{index}") for index in range(len(values))]
    means = [pl.col(f"v{index}").mean().alias(f"m{index}") for index in range(len(values))]
    return [pl.len().cast(pl.Int64).alias("records"), *sums, *means]


def _by_time(frame: pl.DataFrame, date: str, values: list[str]) -> tuple[pl.DataFrame, str, Partial]:
    dated = pl.DataFrame({"time": frame[date], **_own(frame, values)}).filter(pl.col("time").is_not_null())
    first, last = cast("datetime", dated["time"].min()), cast("datetime", dated["time"].max())
    every, unit = next(((every, unit) for every, unit, span in _STEPS if last - first <= span), ("1y", "year"))
    found = dated.group_by(pl.col("time").dt.truncate(every).alias("at")).agg(_aggregates(values))
    found = _without_gaps(found.sort("at"), every)
    labels = [moment(value) or "" for value in found["at"]]
    partial = _partial(dated["time"], every)
    if found.height - partial.first - partial.last < 2:
        partial = Partial()  # too few whole ones to compare
    return found.with_columns(pl.Series("bucket", labels)), unit, partial


@dataclass(frozen=True)
class Partial:
    """Whether the data begins and ends in the middle of a bucket; such ones are not compared with whole ones."""

    first: bool = False
    last: bool = False


def _partial(times: pl.Series, every: str) -> Partial:
    """Compare the distances of the first and last record from their buckets' edges with the records' usual distance."""
    first, last = cast("datetime", times.min()), cast("datetime", times.max())
    begin, end = pl.lit(first), pl.lit(last)
    gaps: tuple[timedelta, timedelta] = pl.select(
        first=begin - begin.dt.truncate(every), last=end.dt.truncate(every).dt.offset_by(every) - end
    ).row(0)
    tolerance = 2 * (last - first) / max(len(times) - 1, 1)
    grain = timedelta(days=1) if bool((times == times.dt.truncate("1d")).all()) else timedelta()
    return Partial(gaps[0] >= max(tolerance, grain) and gaps[0] > timedelta(), gaps[1] - grain > tolerance)


def _said(partial: Partial, unit: str) -> list[str]:
    which = " and ".join(name for name, is_partial in (("first", partial.first), ("last", partial.last)) if is_partial)
    if not which:
        return []
    verb = "are" if partial.first and partial.last else "is"
    return [f"the {which} {unit} {verb} not whole in the data, and {verb} not compared"]


def _without_gaps(found: pl.DataFrame, every: str) -> pl.DataFrame:
    first, last = found["at"].min(), found["at"].max()
    whole = pl.datetime_range(cast("Any", first), cast("Any", last), every, eager=True).alias("at")
    if len(whole) > MAX_BUCKETS:
        return found
    filled = pl.DataFrame({"at": whole.cast(found.schema["at"])}).join(found, on="at", how="left")
    sums = [name for name in filled.columns if name.startswith("s")]
    return filled.with_columns(pl.col("records").fill_null(0), *(pl.col(name).fill_null(0.0) for name in sums))


def _by_order(frame: pl.DataFrame, values: list[str]) -> pl.DataFrame:
    size = max(1, -(-frame.height // PARTS))
    numbered = pl.DataFrame({"row": range(frame.height), **_own(frame, values)})
    found = numbered.group_by((pl.col("row") // size).alias("at")).agg(_aggregates(values)).sort("at")
    return found.with_columns((pl.col("at") * size + 1).cast(pl.String).alias("bucket"))


def _report(
    table: Table,
    title: str,
    buckets: pl.DataFrame,
    unit: str,
    values: list[str],
    partial: Partial,
    warnings: tuple[str, ...],
) -> Report:
    labels = tuple(buckets["bucket"]) if buckets.height else ()
    counts = [int(count) for count in buckets["records"]] if buckets.height else []
    grid, charts = _grid(buckets, unit, values), list[Chart]()
    if counts:
        charts.append(Chart(f"Records per {unit}", "line", labels, (("records", tuple(map(float, counts))),)))
    whole = slice(int(partial.first), len(counts) - partial.last)
    changes: dict[str, Any] = {"records": _change([float(count) for count in counts[whole]])}
    for index, name in enumerate(values):
        sums = [round_finite(value) for value in buckets[f"s{index}"]] if buckets.height else []
        changes[name] = _change(sums[whole])
        if sums:
            charts.append(Chart(f"{label(name)} per {unit}", "line", labels, ((label(name), tuple(sums)),)))
    rows = [(name, *(cast("Cell", change[key]) for key in _CHANGE)) for name, change in changes.items()]
    figures: tuple[tuple[str, Cell], ...] = (("Records", len(table.rows)), ("Buckets", len(counts)), ("Bucket", unit))
    sections = (
        Section("Change", f"The first whole {unit} compared with the last.", Grid(("what", *_CHANGE), tuple(rows))),
        Section(f"By {unit}", "", grid, tuple(charts)),
    )
    if not counts:
        sections = (Section("No records", "There are no records to report."),)
    stats: dict[str, Any] = {"records": len(table.rows), "bucket": unit, "buckets": len(counts), "change": changes}
    stats["partial"] = [text for text, cut in zip(_ends(labels), (partial.first, partial.last), strict=False) if cut]
    return Report(title, "trend", figures, sections, grid, stats, warnings)


def _ends(labels: tuple[str, ...]) -> tuple[str, ...]:
    return (labels[0], labels[-1]) if labels else ()


_CHANGE = ("first", "last", "change", "change_percent", "slope", "min", "max")


def _change(values: Sequence[float | None]) -> dict[str, float | None]:
    present = [value for value in values if value is not None]
    if not present:
        return dict.fromkeys(_CHANGE)
    first, last = present[0], present[-1]
    percent = round_finite(100 * (last / first - 1)) if first else None
    return {
        "first": first,
        "last": last,
        "change": round_finite(last - first),
        "change_percent": percent,
        "slope": _slope(present),
        "min": min(present),
        "max": max(present),
    }


def _slope(values: list[float]) -> float | None:
    """Slope of the straight line through the values by least squares, per bucket."""
    count = len(values)
    if count < 2:
        return None
    middle, mean = (count - 1) / 2, sum(values) / count
    above = sum((index - middle) * (value - mean) for index, value in enumerate(values))
    return round_finite(above / sum((index - middle) ** 2 for index in range(count)))


def _grid(buckets: pl.DataFrame, unit: str, values: list[str]) -> Grid:
    names = [unit, "records", *(f"{name}: {word}" for name in values for word in ("sum", "mean"))]
    chosen = ["bucket", "records", *(f"{letter}{index}" for index in range(len(values)) for letter in "sm")]
    if not buckets.height:
        return Grid(tuple(names), ())
    rows = tuple(
        tuple(round_finite(cell) if isinstance(cell, float) else cell for cell in row)
        for row in buckets.select(chosen).iter_rows()
    )
    return Grid(tuple(names), rows)

"""A comparison: the same numbers for each value of a column, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from workers.services.reports.columns import label, round_finite
from workers.services.reports.content import Cell, Chart, Grid, Report, Section
from workers.services.reports.table import Table

MAX_GROUPS = 200
"""Groups that are listed, the largest first."""

CHARTED_GROUPS = 12
MAX_VALUES = 8
WITHOUT = "(none)"
"""Group of the records that have no value."""


def report(table: Table, title: str, group_by: str | None, value_fields: Sequence[str] | None) -> Report:
    """Compare groups of records: counts, shares, sums and means, each mean against all records' mean."""
    values = [name for name in value_fields or table.of_kind("number") if name != group_by][:MAX_VALUES]
    chosen = group_by or choose(table)
    warnings = list(table.warnings)
    if not table.rows:
        empty = Section("No records", "There are no records to report.")
        return Report(title, "comparison", (("Records", 0),), (empty,), Grid(("group",), ()), {"records": 0})
    if chosen is None:
        warnings.append("no column has values that repeat: all records are one group; name one in group_by")
    groups = _groups(table.frame, chosen, values)
    if groups.height > MAX_GROUPS:
        warnings.append(f"the {MAX_GROUPS} largest of {groups.height} groups are listed")
    listed = groups.head(MAX_GROUPS)
    grid = _grid(listed, chosen or "group", values, len(table.rows))
    spread = _spread(listed, values, table)
    sections = (
        Section(f"Groups by {chosen}" if chosen else "All records", "", grid, _charts(listed, values)),
        Section("Highest and lowest", "Means of the groups, and the mean of all records.", spread),
    )
    figures: tuple[tuple[str, Cell], ...] = (
        ("Records", len(table.rows)),
        ("Groups", groups.height),
        ("Compared by", chosen or "–"),
        ("Largest group", str(groups["group"][0])),
    )
    stats: dict[str, Any] = {"records": len(table.rows), "group_by": chosen, "groups": groups.height}
    stats |= {"by_group": grid.as_json(), "spread": spread.as_json()}
    return Report(title, "comparison", figures, sections if values else sections[:1], grid, stats, tuple(warnings))


def choose(table: Table) -> str | None:
    """Choose the column to compare by: text or yes/no, 2 to 20 different values, the fewest; None if none repeats."""
    candidates = table.of_kind("text") + table.of_kind("boolean")
    distinct = {name: table.frame[name].drop_nulls().n_unique() for name in candidates}
    good = [name for name in candidates if 2 <= distinct[name] <= min(20, max(2, len(table.rows) - 1))]
    return min(good, key=lambda name: distinct[name], default=None)


def _groups(frame: pl.DataFrame, by: str | None, values: list[str]) -> pl.DataFrame:
    # Names of our own: polars takes outside ones such as "*" or "^a.*$" for patterns.
    own = {f"v{index}": frame[name] for index, name in enumerate(values)}
    group = pl.Series(["all"] * frame.height) if by is None else frame[by].cast(pl.String).fill_null(WITHOUT)
    sums = [pl.col(f"v{index}").sum().alias(f"s{index}") for index in range(len(values))]
    means = [pl.col(f"v{index}").mean().alias(f"m{index}") for index in range(len(values))]
    count = pl.len().cast(pl.Int64).alias("records")
    grouped = pl.DataFrame({"group": group, **own}).group_by("group").agg(count, *sums, *means)
    return grouped.sort(["records", "group"], descending=[True, False])


def _grid(groups: pl.DataFrame, by: str, values: list[str], total: int) -> Grid:
    names = (by, "records", "share_percent", *(f"{name}: {word}" for name in values for word in ("sum", "mean")))
    rows: list[tuple[Cell, ...]] = []
    for row in groups.iter_rows(named=True):
        cells = [round_finite(row[f"{letter}{index}"]) for index in range(len(values)) for letter in "sm"]
        rows.append((row["group"], row["records"], round(100 * row["records"] / total, 2), *cells))
    return Grid(names, tuple(rows))


def _spread(groups: pl.DataFrame, values: list[str], table: Table) -> Grid:
    rows: list[tuple[Cell, ...]] = []
    for index, name in enumerate(values):
        means = groups.filter(pl.col(f"m{index}").is_not_null()).sort(f"m{index}")
        if not means.height:
            continue
        low, high = means.row(0, named=True), means.row(-1, named=True)
        overall = round_finite(table.frame[name].mean())
        rows.append(
            (
                name,
                high["group"],
                round_finite(high[f"m{index}"]),
                low["group"],
                round_finite(low[f"m{index}"]),
                overall,
            )
        )
    return Grid(("what", "highest", "highest_mean", "lowest", "lowest_mean", "overall_mean"), tuple(rows))


def _charts(groups: pl.DataFrame, values: list[str]) -> tuple[Chart, ...]:
    top = groups.head(CHARTED_GROUPS)
    labels = tuple(label(str(group)) for group in top["group"])
    charts = [Chart("Records", "bar", labels, (("records", tuple(float(count) for count in top["records"])),))]
    for index, name in enumerate(values[:4]):
        means = tuple(round_finite(value) for value in top[f"m{index}"])
        charts.append(Chart(f"{label(name)}: mean", "bar", labels, ((label(name), means),)))
    return tuple(charts)

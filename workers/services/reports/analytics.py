"""Analytics over any records: a summary, all details, a trend over time, or groups compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from celery_nexus.exports.cells import clean
from celery_nexus.task_errors import InvalidArgument
from workers.services.reports import columns, comparison, trend
from workers.services.reports.content import Grid, Report, Section
from workers.services.reports.table import Table, tabulate
from workers.services.storage import spell_name

ReportType = Literal["summary", "detailed", "trend", "comparison"]


@dataclass(frozen=True)
class Wishes:
    """What a caller may ask for beyond the type.

    Attributes:
        title: Headline; one is made from the type when empty.
        group_by: Column whose values are compared; None to choose one.
        date_field: Column with times for a trend; None to choose one.
        value_fields: Number columns to report; None for all.
    """

    title: str = ""
    group_by: str | None = None
    date_field: str | None = None
    value_fields: Sequence[str] | None = None


def records_of(data: Any) -> list[Any]:
    """Take the records out of a task's ``data``.

    Raises:
        InvalidArgument: There is no list of records.
    """
    records = cast("dict[str, Any]", data).get("records") if isinstance(data, dict) else data
    if not isinstance(records, list):
        raise InvalidArgument("data: expected an object with a list of objects in `records`")
    return cast("list[Any]", records)


def analyse(data: Any, report_type: ReportType, wishes: Wishes) -> Report:
    """Make a report of ``data["records"]``.

    Raises:
        InvalidArgument: There are no records to read, or a named column does not exist or fit.
    """
    table = tabulate(records_of(data))
    _check(table, wishes)
    title = clean(wishes.title).strip() or f"{report_type.capitalize()} report"
    if report_type == "trend":
        return trend.report(table, title, wishes.date_field, wishes.value_fields)
    if report_type == "comparison":
        return comparison.report(table, title, wishes.group_by, wishes.value_fields)
    summary = _summary(table, title, wishes.value_fields)
    return _detailed(table, summary) if report_type == "detailed" else summary


def _check(table: Table, wishes: Wishes) -> None:
    if not table.kinds:
        return
    named = {"group_by": wishes.group_by, "date_field": wishes.date_field}
    wanted = [(argument, name) for argument, name in named.items() if name is not None]
    wanted += [("value_fields", name) for name in wishes.value_fields or ()]
    for argument, name in wanted:
        if name not in table.kinds:
            known = ", ".join(list(table.kinds)[:20])
            raise InvalidArgument(spell_name(f"{argument}: no column {name}; there are: {known}", 500))
    if wishes.date_field and table.kinds[wishes.date_field] != "date":
        raise InvalidArgument(f"date_field: {wishes.date_field} holds {table.kinds[wishes.date_field]}, no ISO dates")
    for name in wishes.value_fields or ():
        if table.kinds[name] != "number":
            raise InvalidArgument(f"value_fields: {name} holds {table.kinds[name]}, no numbers")


def _summary(table: Table, title: str, value_fields: Sequence[str] | None) -> Report:
    numbers = list(value_fields or table.of_kind("number"))
    stats = {name: columns.describe(table, name) for name in table.kinds}
    sections = [
        columns.number_section(table, numbers, stats),
        columns.date_section(table, stats),
        columns.text_section(table, stats),
    ]
    present = tuple(section for section in sections if section)
    if not table.rows:
        present = (Section("No records", "There are no records to report."),)
    return Report(
        title=title,
        kind="summary",
        figures=columns.figures(table, stats),
        sections=present,
        main=columns.overview(stats),
        stats={"records": len(table.rows), "columns": stats},
        warnings=table.warnings,
    )


def _detailed(table: Table, summary: Report) -> Report:
    records = Grid(tuple(table.kinds), table.rows)
    section = Section("Records", f"{len(table.rows)} records as they came.", records)
    return replace(summary, kind="detailed", sections=(*summary.sections, section), main=records)

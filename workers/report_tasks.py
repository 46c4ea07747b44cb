"""Reports: the shells that Celery runs around the plain functions in ``workers.services``.

A run writes into a folder named by its id, and its outcome is kept under that id: the same message delivered
twice, as by a beat that was killed at its tick, gives one report.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, cast

from celery import current_task
from pydantic import AfterValidator, BeforeValidator, Field

from celery_nexus.runtime.progress import RunProgress
from celery_nexus.runtime.task import NexusTask
from celery_nexus.task_errors import InvalidArgument, TransientError
from config.celery_config import celery_app
from config.queues import BY_FAMILY
from config.settings import settings
from workers.services.exports.sources import require_record
from workers.services.reports.periods import seconds_of
from workers.services.storage import OutputFolder, folder_name
from workers.upload_path import UploadPath

SPEC = BY_FAMILY["reports"]

ExportFormat = Literal["csv", "tsv", "json", "jsonl", "xlsx", "parquet", "html", "xml"]
ReportFormat = Literal["html", "pdf", "xlsx", "docx", "csv", "json", "md"]
ReportType = Literal["summary", "detailed", "trend", "comparison"]
ProviderChoice = Literal["auto", "claude", "openai"]
RecurringAction = Literal["create", "list", "change", "remove"]
RecurringReport = Literal["analytics", "summary", "performance", "export"]
Title = Annotated[str, Field(max_length=300)]
Every = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int | float) else value)]


def _with_records(data: dict[str, Any]) -> dict[str, Any]:
    records = data.get("records")
    if not isinstance(records, list):
        raise InvalidArgument("data: expected an object with a list of objects in `records`")
    for index, record in enumerate(cast("list[Any]", records)):
        require_record(record, f"data.records[{index}]")
    return data


def _period(period: str) -> str:
    seconds_of(period)
    return period


Data = Annotated[dict[str, Any], AfterValidator(_with_records)]
Period = Annotated[str, AfterValidator(_period)]


class ExportTask(NexusTask):
    """A task that takes either records or a file of them."""

    abstract = True

    def check(self, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
        """Check arguments also against each other."""
        checked = super().check(args, kwargs)
        if (checked["records"] is None) == (checked["source"] is None):
            raise InvalidArgument("records: give either `records` (a list of objects) or `source` (a file)")
        return checked


@celery_app.task(bind=False, base=None, **SPEC.task_options)
def generate_analytics_report(
    data: Data,
    report_type: ReportType = "summary",
    format: ReportFormat = "html",
    title: Title = "",
    group_by: str | None = None,
    date_field: str | None = None,
    value_fields: list[str] | None = None,
) -> dict[str, Any]:
    """Report on records: statistics, all details, a trend over time, or groups compared.

    Any list of objects will do: numbers, ISO dates, texts and yes/no are recognised, objects in objects become
    dotted columns. Html, pdf, xlsx and docx have charts; csv holds the report's main table.

    Args:
        data: An object with `records`, a list of objects.
        report_type: summary, detailed (with all records), trend (over time) or comparison (of groups).
        format: Kind of file to write.
        title: Headline; made from the type when left out.
        group_by: Column to compare by; the text column with the fewest values when left out.
        date_field: Column with ISO dates for a trend; the first one when left out.
        value_fields: Number columns to report; all when left out.

    Returns:
        ``outputs.file`` and ``outputs.html_file`` (or the format's), ``stats``, ``warnings``, ``content`` (Markdown).
    """

    def effect() -> dict[str, Any]:
        from workers.services.reports.analytics import Wishes, analyse
        from workers.services.reports.delivery import deliver

        progress = RunProgress()
        progress(0, 2, "computing")
        report = analyse(data, report_type, Wishes(title, group_by, date_field, value_fields))
        progress(1, 2, "writing")
        outcome = deliver(report, format, _folder("analytics"))
        progress(2, 2, "written")
        return outcome

    return _once(effect)


@celery_app.task(bind=False, base=None, **SPEC.task_options)
def generate_summary_report(
    data: Data,
    format: ReportFormat = "html",
    title: Title = "",
    provider: ProviderChoice = "auto",
    language: Annotated[str, Field(min_length=2, max_length=60)] | None = None,
    timeout_s: Annotated[float, Field(ge=1, le=600)] = 120,
) -> dict[str, Any]:
    """Summarise records in numbers and, where an AI provider has a key, in words.

    The provider gets the statistics, never the records. Without a key, or when it fails, the numbers are delivered
    and the warning says why the narrative is missing.

    Args:
        data: An object with `records`, a list of objects.
        format: Kind of file to write.
        title: Headline.
        provider: Whom to ask for the narrative; auto takes Claude when it has a key, else OpenAI.
        language: Language of the narrative; the title's when left out.
        timeout_s: Seconds until the provider is given up.

    Returns:
        As ``generate_analytics_report``, with ``narrative`` (text, or null).
    """

    def effect() -> dict[str, Any]:
        from workers.narrative import add_narrative
        from workers.services.reports.analytics import Wishes, analyse
        from workers.services.reports.delivery import deliver

        progress = RunProgress()
        progress(0, 3, "computing")
        report = analyse(data, "summary", Wishes(title))
        progress(1, 3, "asking for words")
        told = add_narrative(report, provider, language, timeout_s, may_retry=_may_retry())
        progress(2, 3, "writing")
        outcome = deliver(told, format, _folder("summary"))
        progress(3, 3, "written")
        return {**outcome, "narrative": told.narrative or None}

    return _once(effect)


@celery_app.task(bind=False, base=ExportTask, **SPEC.task_options)
def export_data(
    records: list[Any] | None = None,
    format: ExportFormat = "csv",
    source: UploadPath | None = None,
    columns: list[str] | None = None,
) -> dict[str, Any]:
    """Write records to a file: csv, tsv, json, jsonl, xlsx, parquet, html or xml.

    Rows stream from source to file, so a million of them need little memory. Cells that a spreadsheet would run as a
    formula become text; what had to be changed is counted.

    Args:
        records: A list of objects, one a row; fit for thousands. Give this or `source`.
        format: Kind of file to write.
        source: A .jsonl, .ndjson, .csv or .tsv file below the upload root, for many records.
        columns: Columns to write, in this order; all of them, in order of appearance, when left out.

    Returns:
        ``outputs.file`` (its path), ``stats`` (rows, columns, bytes, changed cells), ``warnings`` and ``content``.
    """

    def effect() -> dict[str, Any]:
        from workers.services.exports import sources
        from workers.services.exports.export import export

        current = settings()
        found = sources.Listed(records or []) if source is None else sources.from_file(current.uploads, source)
        return export(found, format, _folder("export"), columns, current.paths.temporary, RunProgress())

    return _once(effect)


@celery_app.task(bind=False, base=None, **SPEC.task_options)
def generate_task_performance_report(
    period: Period = "day", format: ReportFormat = "html", title: Title = ""
) -> dict[str, Any]:
    """Report how tasks performed: counts, failures, retries, waits and run times, busiest hours, slowest runs, errors.

    Args:
        period: hour, day, week, month or year until now, or a time such as 90m, 12h, 3d or 2w.
        format: Kind of file to write.
        title: Headline.

    Returns:
        ``outputs.file``, ``stats`` (totals, ``tasks``, ``queues``, ``busiest_hours``, ``slowest``, ``errors``),
        ``warnings`` and ``content``.
    """

    def effect() -> dict[str, Any]:
        from celery_nexus.history.errors import HistoryError
        from workers.services.reports.delivery import deliver
        from workers.services.reports.performance import performance

        try:
            report = performance(settings().paths.history, period, title)
        except HistoryError as error:
            raise TransientError(str(error)) from None
        return deliver(report, format, _folder("performance"))

    return _once(effect)


@celery_app.task(bind=False, base=None, **SPEC.task_options)
def schedule_recurring_report(
    action: RecurringAction = "create",
    name: str | None = None,
    report: RecurringReport | None = None,
    arguments: dict[str, Any] | None = None,
    cron: str | None = None,
    every: Every | None = None,
    enabled: bool | None = None,
) -> dict[str, Any]:
    """Create, list, change or remove a report that beat starts again and again.

    It is kept in beat's schedule in Redis: it survives restarts, runs once at each of its times, and is seen in the
    dashboard's schedule.

    Args:
        action: create, list, change (what is given) or remove.
        name: Name of the recurring report: letters, digits, dots, dashes and underscores.
        report: Which report: analytics, summary, performance or export.
        arguments: Arguments of that report, checked at once; a `source` file is read anew each time.
        cron: When, in UTC: minute, hour, day, month, weekday, like 30 6 * * mon-fri. Day and weekday must both match.
        every: Or how often: seconds, or a time like 15m, 2h or 1d.
        enabled: no pauses it, yes lets it go on.

    Returns:
        ``reports``: the one created or changed, or all of them by name, each with ``name``, ``report``,
        ``arguments``, ``cron``, ``every_s``, ``enabled``, ``last_run_at``, ``next_run_at`` (UTC; now when it is
        overdue), ``runs`` and ``note`` (what is easily misread in its cron, or None).
    """
    from workers import recurring

    if action == "list":
        rows = recurring.list_reports()
        return {"action": action, "reports": rows, "stats": {"reports": len(rows)}}
    chosen = recurring.check_name(name)
    if action == "remove":
        removed = recurring.remove(chosen)
        return {"action": action, "reports": [], "stats": {"removed": int(removed)}}
    wanted = recurring.Wanted(report, arguments, cron, every, enabled)
    row = recurring.create(chosen, wanted) if action == "create" else recurring.change(chosen, wanted)
    return {"action": action, "reports": [row], "stats": {"reports": 1}}


def _run_id() -> str | None:
    request = current_task.request if current_task else None
    return str(request.id) if request and request.id and not request.called_directly else None


def _may_retry() -> bool:
    return _run_id() is not None and current_task.request.retries < SPEC.retry.max_retries


def _once(effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Make a report, or return the one that an earlier delivery of this message made."""
    run_id = _run_id()
    if run_id is None:
        return effect()
    from celery_nexus.runtime.idempotency import Once, redis_client, run_once

    once = Once(redis_client(), f"report:{run_id}", lease_s=SPEC.time_limit_s)
    found = once.look()
    if found and found.abandoned:
        once.release()  # its process died: a report can be written again, into the same file
    outcome: dict[str, Any] = run_once(once, effect)
    return outcome


def _folder(name: str) -> OutputFolder:
    """Choose this run's output folder; a run that is delivered twice gets the same one and writes the same files."""
    root = settings().outputs
    return OutputFolder(root, root / "reports" / folder_name(name, _run_id() or uuid.uuid4().hex), source=root)

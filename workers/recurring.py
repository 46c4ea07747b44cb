"""Recurring reports: entries of beat's schedule in Redis (RedBeat), made, listed, changed and removed while it runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from celery.schedules import ParseException, crontab, schedule
from redbeat import RedBeatSchedulerEntry, schedulers

from celery_nexus.task_errors import InvalidArgument
from config.celery_config import celery_app

PREFIX = "report:"
"""Before the name of a recurring report in beat's schedule; its Redis key is ``redbeat:report:NAME``."""

TASKS = {
    "analytics": "workers.report_tasks.generate_analytics_report",
    "summary": "workers.report_tasks.generate_summary_report",
    "performance": "workers.report_tasks.generate_task_performance_report",
    "export": "workers.report_tasks.export_data",
}
LONGEST_S = 366 * 24 * 3600

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EVERY = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, None: 1}
_RESERVED = "__type__"
"""RedBeat reads objects with this key as its own types."""

BOTH_DAYS = "runs only on days that match both day and weekday, as Celery's crontab; cron of Unix takes either"
"""Said of a report whose cron has both."""

Schedule = crontab | schedule


@dataclass(frozen=True)
class Wanted:
    """What a caller asks for; None leaves a thing as it is."""

    report: str | None = None
    arguments: Mapping[str, Any] | None = None
    cron: str | None = None
    every: str | float | None = None
    enabled: bool | None = None


def create(name: str, wanted: Wanted) -> dict[str, Any]:
    """Add a recurring report; the same one again changes nothing.

    Raises:
        InvalidArgument: Something is missing or wrong, or another report has this name.
    """
    task = _task(wanted.report or "")
    arguments = _checked(task, wanted.arguments or {})
    when = _schedule(wanted)
    if when is None:
        raise InvalidArgument("cron: give cron (five fields, UTC) or every (seconds, or like 15m, 2h, 1d)")
    known = _find(name)
    if known is not None:
        if (known.task, known.kwargs, known.schedule) == (task, arguments, when):
            return _row(known)
        raise InvalidArgument(f"name: {name} exists already; change or remove it")
    entry = _entry(name, task, arguments, when, enabled=wanted.enabled is not False)
    entry.save()
    return _row(entry)


def change(name: str, wanted: Wanted) -> dict[str, Any]:
    """Change what is given; a new time, or being enabled again, counts from now.

    Raises:
        InvalidArgument: There is no such report, or a new value is wrong.
    """
    known = _find(name)
    if known is None:
        raise InvalidArgument(f"name: there is no recurring report {name}; there are: {', '.join(_names()) or 'none'}")
    task = _task(wanted.report) if wanted.report else str(known.task)
    given = wanted.arguments if wanted.arguments is not None else cast("dict[str, Any]", known.kwargs)
    when = _schedule(wanted)
    enabled = bool(known.enabled) if wanted.enabled is None else wanted.enabled
    entry = _entry(name, task, _checked(task, given), when or known.schedule, enabled=enabled)
    entry.last_run_at, entry.total_run_count = known.last_run_at, known.total_run_count
    entry.save()
    if when is not None or (enabled and not known.enabled):
        entry.reschedule()
    return _row(_find(name))


def remove(name: str) -> bool:
    """Remove a recurring report; tells whether there was one."""
    known = _find(name)
    if known is None:
        return False
    known.delete()
    return True


def list_reports() -> list[dict[str, Any]]:
    """List all recurring reports by name."""
    found = [_find(name) for name in _names()]
    return [_row(entry) for entry in found if entry is not None]


def check_name(name: str | None) -> str:
    """Return a name that can be used.

    Raises:
        InvalidArgument: It is missing or has other characters.
    """
    if name is None or not _NAME.fullmatch(name):
        raise InvalidArgument("name: give up to 64 letters, digits, dots, dashes and underscores")
    return name


def _task(report: str) -> str:
    if report not in TASKS:
        raise InvalidArgument(f"report: expected one of {', '.join(TASKS)}")
    return TASKS[report]


def _checked(task: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Check the arguments of the report itself, now and not at the first run."""
    if _has_reserved(arguments):
        raise InvalidArgument(f"arguments: the key {_RESERVED} can't be kept in the schedule")
    registered: Any = celery_app.tasks[task]
    registered.check((), arguments)
    return dict(arguments)


def _has_reserved(value: Any) -> bool:
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value)
        return _RESERVED in pairs or any(_has_reserved(item) for item in pairs.values())
    return isinstance(value, list) and any(_has_reserved(item) for item in cast("list[Any]", value))


def _schedule(wanted: Wanted) -> Schedule | None:
    if wanted.cron is not None and wanted.every is not None:
        raise InvalidArgument("every: give cron or every, not both")
    if wanted.cron is not None:
        return _crontab(wanted.cron)
    if wanted.every is not None:
        return schedule(timedelta(seconds=_seconds(wanted.every)), app=celery_app)
    return None


def _crontab(text: str) -> crontab:
    fields = text.split()
    try:
        minute, hour, day, month, weekday = fields
        found = crontab(minute, hour, weekday, day, month, app=celery_app)
        _period_s(found)
    except (ValueError, ParseException, RuntimeError) as error:
        reason = f" ({error})" if len(fields) == 5 else ""
        raise InvalidArgument(
            f"cron: expected minute, hour, day, month and weekday, in UTC, like '30 6 * * mon-fri';"
            f" day and weekday must both match{reason}"
        ) from None
    return found


def _seconds(every: str | float) -> float:
    found = _EVERY.fullmatch(str(every).strip().lower())
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if not 1 <= seconds <= LONGEST_S:
        raise InvalidArgument("every: expected seconds, or a time like 30s, 15m, 2h or 1d, from one second to a year")
    return seconds


def _period_s(when: Any) -> float:
    """Seconds between the next run and the one after it."""
    if not isinstance(when, crontab):
        return float(when.run_every.total_seconds())
    first = _next_after(when, datetime.now(UTC))
    return (_next_after(when, first) - first).total_seconds()


def next_run(when: Any, last_run_at: datetime, now: datetime) -> datetime:
    """Find when beat starts a report again: its next slot after the last run, or now when that has passed.

    RedBeat's own ``due_at`` adds what is left from *now* to the *last run*: too early by the time between them.
    """
    slot = _next_after(when, last_run_at) if isinstance(when, crontab) else last_run_at + when.run_every
    return max(slot, now)


def _next_after(when: crontab, moment: datetime) -> datetime:
    last, delta, _ = when.remaining_delta(moment.astimezone(UTC))
    return last + delta


def _entry(name: str, task: str, arguments: Mapping[str, Any], when: Any, *, enabled: bool) -> Any:
    # Expires before its next turn: stopped workers find one run of each report and not a pile.
    options = {"expires": max(60, int(_period_s(when)))}
    return cast("Any", RedBeatSchedulerEntry)(
        PREFIX + name, task, when, kwargs=dict(arguments), options=options, enabled=enabled, app=celery_app
    )


def _find(name: str) -> Any:
    conf = cast("Any", schedulers).ensure_conf(celery_app)
    try:
        return cast("Any", RedBeatSchedulerEntry).from_key(f"{conf.key_prefix}{PREFIX}{name}", app=celery_app)
    except KeyError:
        return None


def _names() -> list[str]:
    tools: Any = schedulers
    start = f"{tools.ensure_conf(celery_app).key_prefix}{PREFIX}"
    return sorted(str(key)[len(start) :] for key in tools.get_redis(celery_app).scan_iter(f"{start}*", count=500))


def _row(entry: Any) -> dict[str, Any]:
    when, now = entry.schedule, datetime.now(UTC)
    is_cron = isinstance(when, crontab)
    return {
        "name": str(entry.name).removeprefix(PREFIX),
        "report": next((report for report, task in TASKS.items() if task == entry.task), str(entry.task)),
        "arguments": entry.kwargs,
        "cron": _spell(when) if is_cron else None,
        "every_s": None if is_cron else when.run_every.total_seconds(),
        "enabled": bool(entry.enabled),
        "last_run_at": _second(entry.last_run_at) if entry.last_run_at and entry.total_run_count else None,
        "next_run_at": _second(next_run(when, entry.last_run_at or now, now)) if entry.enabled else None,
        "runs": int(entry.total_run_count or 0),
        "note": BOTH_DAYS if is_cron and _has_both_days(when) else None,
    }


def _has_both_days(when: Any) -> bool:
    return "*" not in (str(when._orig_day_of_month), str(when._orig_day_of_week))


def _second(moment: datetime) -> str:
    """Spell a time to the nearest second."""
    return (moment + timedelta(milliseconds=500)).isoformat(timespec="seconds")


def _spell(when: Any) -> str:
    fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
    return " ".join(str(getattr(when, f"_orig_{field}")) for field in fields)

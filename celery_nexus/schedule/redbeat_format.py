"""Format of RedBeat's entries in Redis, decoded into Celery's objects without RedBeat itself.

Source: ``redbeat/decoder.py`` of celery-redbeat 2.4.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from celery_nexus.rows.text import safe_text
from celery_nexus.schedule.due import SCHEDULE_ERRORS
from celery_nexus.schedule.stored import StoredEntry
from celery_nexus.schedule.words import every_words

if TYPE_CHECKING:
    from celery import Celery

_TYPE = "__type__"
_CRON = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
_SHOWN = 80


class NoEntry(ValueError):
    """A key that holds no entry of RedBeat; the message says what it holds."""


def read_entry(name: str, definition: bytes | None, meta: bytes | None, app: Celery | None) -> StoredEntry:
    """Read an entry; what is wrong with its schedule is in the entry.

    Args:
        name: Its name, as its key has it.
        definition: Field ``definition`` of its hash.
        meta: Field ``meta``: when it was sent last.
        app: The application, whose time zone holds for crontabs; None when its code is not here.

    Raises:
        NoEntry: There is no definition, or it is none.
    """
    if not definition:
        raise NoEntry("has no definition; beat removes it from the schedule when it is due")
    told = _object(definition, "definition")
    if not isinstance(told.get("task"), str):
        raise NoEntry("its definition names no task")
    noted = _object(meta, "meta") if meta else {}
    when, spec, problem = _schedule(told.get("schedule"), app)
    last_at = read_time(noted.get("last_run_at"))
    return StoredEntry(
        name,
        told["task"],
        when,
        args=cast("list[Any]", _revived(told["args"])) if isinstance(told.get("args"), list) else [],
        kwargs=_revived(_mapping(told.get("kwargs"))),
        options=_mapping(told.get("options")),
        is_enabled=told.get("enabled") is not False,
        last_at=last_at,
        runs=_count(noted.get("total_run_count")) or 0,
        spec=spec,
        problem=problem,
    )


def change_definition(definition: bytes, *, is_enabled: bool) -> bytes:
    """Write a definition that beat sends, or does not; everything else stays as it is.

    Raises:
        NoEntry: It is none.
    """
    return json.dumps({**_object(definition, "definition"), "enabled": is_enabled}).encode()


def change_meta(meta: bytes | None, last_at: datetime) -> bytes:
    """Write when an entry was sent last; everything else stays as it is."""
    try:
        told = _object(meta, "meta") if meta else {}
    except NoEntry:
        told = {}
    return json.dumps({**told, "last_run_at": write_time(last_at)}).encode()


def write_time(moment: datetime) -> dict[str, Any]:
    """Write a time as RedBeat does."""
    at = moment.astimezone(UTC)
    fields = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {_TYPE: "datetime", **{field: getattr(at, field) for field in fields}, "timezone": "UTC"}


def read_time(told: Any) -> datetime | None:
    """Read a time; None for what is none."""
    if not isinstance(told, dict):
        return None
    fields = dict(cast("dict[str, Any]", told))
    if fields.pop(_TYPE, None) != "datetime":
        return None
    zone: Any = fields.pop("timezone", "UTC")
    try:
        place = timezone(timedelta(seconds=zone)) if isinstance(zone, int | float) else ZoneInfo(zone)
        return datetime(**fields, tzinfo=place).astimezone(UTC)
    except SCHEDULE_ERRORS:
        return None


def _object(raw: bytes, what: str) -> dict[str, Any]:
    try:
        told: Any = json.loads(raw)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise NoEntry(f"its {what} is no JSON object: {safe_text(raw.decode('utf-8', 'replace'), _SHOWN)}")
    return cast("dict[str, Any]", told)


def _schedule(told: Any, app: Celery | None) -> tuple[Any, str, str]:
    """Make a schedule object; tell its times in words where that can't be done, and what is wrong."""
    if not isinstance(told, dict):
        return None, "", "its definition has no schedule"
    fields = dict(cast("dict[str, Any]", told))
    kind: Any = fields.pop(_TYPE, None)
    words = _raw_words(kind, fields)
    if find_spec("celery") is None:
        return None, words, ""
    try:
        return _made(kind, fields, app), "", ""
    except ImportError:
        return None, words, ""
    except (*SCHEDULE_ERRORS, *_parse_errors()) as error:
        return None, words, f"its schedule can't be used: {safe_text(error, _SHOWN)}"


def _made(kind: Any, fields: dict[str, Any], app: Celery | None) -> Any:
    from celery.schedules import crontab, schedule

    from celery_nexus.schedule.settings_store import make_schedule

    if kind == "crontab":
        return crontab(**fields, app=app)
    if kind == "interval":
        made, problem = make_schedule(schedule(fields["every"], bool(fields.get("relative"))), app)
        if problem:
            raise ValueError(problem)
        return made
    if kind == "rrule":
        from kombu.utils.imports import symbol_by_name

        decoder: Any = symbol_by_name("redbeat.decoder:RedBeatJSONDecoder")  # it may not be installed here
        made = json.loads(json.dumps({_TYPE: kind, **fields}), cls=decoder)
        made.app = app
        return made
    raise ValueError(f"a schedule of the type {kind!r} is not known")


def _parse_errors() -> tuple[type[Exception], ...]:
    from celery.schedules import ParseException

    return (ParseException, AssertionError)


def _raw_words(kind: Any, fields: Mapping[str, Any]) -> str:
    every: Any = fields.get("every")
    if kind == "interval" and isinstance(every, int | float) and every > 0:
        return every_words(every)
    if kind == "crontab":
        return safe_text("cron " + " ".join(_plain(fields.get(name, "*")) for name in _CRON), _SHOWN)
    return safe_text(f"{kind}", _SHOWN)


def _plain(value: Any) -> str:
    return ",".join(map(str, cast("Sequence[Any]", value))) if isinstance(value, list) else str(value)


def _revived(value: Any) -> Any:
    """Turn the times in arguments back into times: they are sent as such."""
    if isinstance(value, list):
        return [_revived(each) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    pairs = cast("dict[str, Any]", value)
    return read_time(pairs) or {name: _revived(each) for name, each in pairs.items()}


def _mapping(told: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def _count(told: Any) -> int | None:
    return told if isinstance(told, int) and not isinstance(told, bool) else None

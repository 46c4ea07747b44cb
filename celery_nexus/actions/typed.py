"""Values typed on a command line: JSON, points in time, spans of time."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, cast

from celery_nexus import times
from celery_nexus.errors import Invalid


def read_object(text: str, option: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        Invalid: It is none.
    """
    value = _read_json(text, option)
    if not isinstance(value, dict):
        raise Invalid(f"{option} must be an object like '{{\"name\": 1}}'")
    return cast("dict[str, Any]", value)


def read_array(text: str, option: str) -> list[Any]:
    """Read a JSON array.

    Raises:
        Invalid: It is none.
    """
    value = _read_json(text, option)
    if not isinstance(value, list):
        raise Invalid(f"{option} must be an array like '[1, 2]'")
    return cast("list[Any]", value)


def read_time(text: str) -> datetime:
    """Read a time, ISO 8601.

    Raises:
        Invalid: It is none.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is no ISO 8601 time; write it like 2030-01-31T09:00:00+00:00") from None


def read_aware_time(text: str) -> datetime:
    """Read a time with its zone, ISO 8601.

    Raises:
        Invalid: It is none, or has no zone.
    """
    moment = read_time(text)
    if moment.tzinfo is None:
        raise Invalid(f"{text!r} has no zone; write it like 2030-01-31T09:00:00+00:00")
    return moment


def read_span(text: str, option: str) -> float:
    """Read a span of time in seconds.

    Raises:
        Invalid: It is none, or zero.
    """
    span = times.read_span(text)
    if not span:
        raise Invalid(f"{option}: {text!r} is no span of time; write it like 90s, 30m, 24h, 7d or 2w")
    return span


def _read_json(text: str, option: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Invalid(f"{option} is not JSON: {error}") from None

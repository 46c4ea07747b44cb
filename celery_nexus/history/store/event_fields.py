"""Fields of an event: their validation, and the encoding of values for the file."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from celery_nexus.history.errors import BadEvent
from celery_nexus.history.filter.matching import loads
from celery_nexus.times import parse_time

MAX_NAME = 255
MAX_COUNT = 1_000_000
MAX_PRIORITY = 255
"""Highest priority of foreign applications; ours go to 9."""
_EARLIEST, LATEST = 1_000_000_000.0, 4_102_444_800.0
"""Bounds of valid times: the years 2001 … 2100."""

_LITERAL = re.compile(r"[(\[{'\"\d-]|None\Z|True\Z|False\Z")
"""Beginnings of Python literals that have a JSON form."""

_CUT = "..."
"""Mark in a repr of what Celery left out."""

Event = dict[str, Any]


def encode_value(value: Any, json_text: str | None = None) -> str | None:
    """Write a value of an event as the file holds it: JSON; or ``~`` and a repr that can't be read as JSON.

    Args:
        value: A JSON value, or its repr as Celery sends it.
        json_text: The value as JSON, where the event has it so.
    """
    if json_text is not None:
        return json_text
    if isinstance(value, str):
        return _encode_repr(value)
    return None if value is None else dumps(value)


def _encode_repr(text: str) -> str:
    if _LITERAL.match(text) and _CUT not in text:
        value = loads(f"~{text}")
        if value != text:
            return dumps(value)
    return f"~{text}"


def dumps(value: Any) -> str:
    """Encode a JSON value as text.

    Raises:
        BadEvent: It is nested so deeply that nobody could read it again.
    """
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer of more than 64 bits, half a character, some hundred levels
        try:
            return json.dumps(value, separators=(",", ":"))
        except RecursionError:
            raise BadEvent("a value in a thousand others") from None


def name_of(value: Any) -> str | None:
    """Return a name as it is kept; None where it is none."""
    return value[:MAX_NAME] if isinstance(value, str) and value else None


def count_of(value: Any) -> int:
    """Return a number of retries; 0 where it is none."""
    return value if isinstance(value, int) and 0 < value < MAX_COUNT else 0


def priority_of(value: Any, known: int | None) -> int | None:
    """Return a priority; the one ``known`` where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_PRIORITY else known


def optional_time(value: Any) -> float | None:
    """Return a time; None where it is none."""
    return float(value) if isinstance(value, int | float) and _EARLIEST < value < LATEST else None


def iso_time(value: Any) -> float | None:
    """Return the time that an ISO text says, UTC where it names no zone; None where it says none."""
    moment = parse_time(value)
    return None if moment is None else optional_time(moment.timestamp())


def event_time(event: Event) -> float:
    """Return the time of an event.

    Raises:
        BadEvent: It has none.
    """
    at = event.get("timestamp")
    if type(at) is float and _EARLIEST < at < LATEST:
        return at
    if isinstance(at, bool) or not isinstance(at, int | float) or not _EARLIEST < at < LATEST:
        raise BadEvent(f"no time: {str(at)[:40]!r}")
    return float(at)

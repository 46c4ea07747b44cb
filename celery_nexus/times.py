"""Times in messages and events, as Celery writes and reads them; spans of time as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([smhdw])")


def parse_time(text: object) -> datetime | None:
    """Read an ISO 8601 time; None for what is none.

    A time without a zone is UTC, whatever zone the application or this machine has: Celery's workers read it so
    (``celery.utils.time.maybe_make_aware``).

    Returns:
        An aware time in UTC, whose timestamp can be taken.
    """
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_span(text: object) -> float | None:
    """Read a span like ``90s``, ``10m``, ``1.5h``, ``2d``, ``1w`` in seconds; None for what is none."""
    found = _SPAN.fullmatch(text.strip()) if isinstance(text, str) else None
    return None if found is None else float(found[1]) * _UNITS[found[2]]


def write_span(seconds: float) -> str:
    """Write a span as :func:`read_span` takes it, in the largest unit that leaves no rest: ``90s``, ``10m``."""
    for unit in ("w", "d", "h", "m"):
        if seconds >= _UNITS[unit] and not seconds % _UNITS[unit]:
            return f"{seconds / _UNITS[unit]:g}{unit}"
    return f"{seconds:g}s"

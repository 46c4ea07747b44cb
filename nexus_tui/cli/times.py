"""Times and spans of time as people type them: ``90s``, ``24h``, ``7d``, ``2030-01-31T09:00:00+00:00``."""

from __future__ import annotations

import re
import time
from datetime import datetime

from celery_nexus.errors import Invalid

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([smhdw])")


def parse_seconds(text: str, option: str) -> float:
    """Read a span of time in seconds.

    Raises:
        Invalid: It is none.
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise Invalid(f"{option}: {text!r} is no span of time; write it like 90s, 30m, 24h, 7d or 2w")
    return float(match[1]) * _UNITS[match[2]]


def parse_moment(text: str, option: str, now: float | None = None) -> float:
    """Read a time, in seconds since the epoch: a span before now, or ISO 8601 (local without a zone).

    Raises:
        Invalid: It is none.
    """
    if _SPAN.fullmatch(text.strip()):
        return (time.time() if now is None else now) - parse_seconds(text, option)
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError):
        raise Invalid(
            f"{option}: {text!r} is neither a span of time (24h, 7d) nor a time like 2030-01-31T09:00:00+00:00"
        ) from None

"""Times and spans of time as people type them: ``90s``, ``24h``, ``7d``, ``2030-01-31T09:00:00+00:00``."""

from __future__ import annotations

import time
from datetime import datetime

from celery_nexus.actions import typed
from celery_nexus.errors import Invalid
from celery_nexus.times import read_span


def parse_seconds(text: str, option: str) -> float:
    """Read a span of time in seconds.

    Raises:
        Invalid: It is none.
    """
    return typed.read_span(text, option)


def parse_moment(text: str, option: str, now: float | None = None) -> float:
    """Read a time, in seconds since the epoch: a span before now, or ISO 8601 (local without a zone).

    Raises:
        Invalid: It is none.
    """
    if read_span(text) is not None:
        return (time.time() if now is None else now) - parse_seconds(text, option)
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError):
        raise Invalid(
            f"{option}: {text!r} is neither a span of time (24h, 7d) nor a time like 2030-01-31T09:00:00+00:00"
        ) from None

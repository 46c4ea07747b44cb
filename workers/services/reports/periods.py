"""Periods of reports in words."""

from __future__ import annotations

import re

from celery_nexus.task_errors import InvalidArgument

PERIODS_S = {"hour": 3600, "day": 86400, "week": 7 * 86400, "month": 30 * 86400, "year": 365 * 86400}

_SPAN = re.compile(r"(\d{1,6})\s*(m|h|d|w)")
_UNITS_S = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def seconds_of(period: str) -> int:
    """Read a period: ``hour``, ``day``, ``week``, ``month``, ``year``, or a time such as ``90m``, ``12h``, ``3d``.

    Raises:
        InvalidArgument: It is none of these, or longer than a year.
    """
    text = period.strip().lower().removeprefix("last ").removeprefix("last_")
    found = _SPAN.fullmatch(text)
    seconds = int(found[1]) * _UNITS_S[found[2]] if found else PERIODS_S.get(text, 0)
    if not 0 < seconds <= PERIODS_S["year"]:
        raise InvalidArgument(
            f"period: expected one of {', '.join(PERIODS_S)}, or a time up to a year such as 90m, 12h, 3d, 2w"
        )
    return seconds

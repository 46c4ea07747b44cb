"""A schedule in words: ``every 5 minutes``, ``at 03:00 on Mondays, Europe/Berlin``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from celery_nexus.rows.text import safe_text

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_WEEKDAYS = {1, 2, 3, 4, 5}
_MOST_TIMES = 6
"""More times of day than these are told by their hours and minutes."""

_MOST_CHARACTERS = 200


def spec_words(when: Any) -> str:
    """Say when a schedule is due.

    Args:
        when: A schedule object of Celery, or of a package that builds on them.
    """
    if hasattr(when, "run_every"):
        return _interval_words(when.run_every, is_rounded=bool(getattr(when, "relative", False)))
    if hasattr(when, "_orig_minute"):
        return _crontab_words(when)
    if hasattr(when, "event") and hasattr(when, "lat"):
        return f"at {str(when.event).replace('_', ' ')} at latitude {float(when.lat):g}, longitude {float(when.lon):g}"
    if hasattr(when, "clocked_time"):
        return f"once at {when.clocked_time.isoformat(timespec='seconds')}"
    if hasattr(when, "rrule"):
        return safe_text("by the rule " + " ".join(str(when.rrule).split()), _MOST_CHARACTERS)
    return safe_text(repr(when), _MOST_CHARACTERS)


def every_words(seconds: float) -> str:
    """Say an interval: ``every 5 minutes``, ``every 90 seconds``, ``every day``."""
    for unit, length in _UNITS:
        if seconds >= length and seconds % length == 0:
            count = int(seconds // length)
            return f"every {unit}" if count == 1 else f"every {count:,} {unit}s"
    return f"every {seconds:g} seconds"


def _interval_words(every: timedelta, *, is_rounded: bool) -> str:
    words = every_words(every.total_seconds())
    return f"{words}, rounded to the clock" if is_rounded else words


def _crontab_words(when: Any) -> str:
    times, has_hours = _times(sorted(when.minute), sorted(when.hour))
    days = _days(when)
    zone = f", {_zone(when)}" if has_hours or days else ""
    return " ".join([times, *days]) + zone


def _times(minutes: Sequence[int], hours: Sequence[int]) -> tuple[str, bool]:
    """Say the times of a day, and whether they are certain hours of it."""
    has_hours = len(hours) < 24
    if has_hours and len(minutes) == 1 and _is_range(hours):
        return f"every hour from {hours[0]:02}:{minutes[0]:02} to {hours[-1]:02}:{minutes[0]:02}", True
    if has_hours and len(minutes) * len(hours) <= _MOST_TIMES:
        return f"at {_listed(f'{hour:02}:{minute:02}' for hour in hours for minute in minutes)}", True
    step = _step(minutes)
    past = step or f"at {_counted('minute', minutes)}"
    if not has_hours:
        return step or f"{past} of every hour", False
    if _is_range(hours) or len(hours) == 1:
        return f"{past} from {hours[0]:02}:00 to {hours[-1]:02}:59", True
    return f"{past} in {_counted('hour', hours)}", True


def _is_range(numbers: Sequence[int]) -> bool:
    return len(numbers) > 2 and list(numbers) == list(range(numbers[0], numbers[-1] + 1))


def _step(minutes: Sequence[int]) -> str:
    """Say minutes that are evenly spread over the hour; empty for others."""
    if len(minutes) < 2 or minutes[0] != 0:
        return ""
    step = minutes[1]
    if 60 % step or list(minutes) != list(range(0, 60, step)):
        return ""
    return "every minute" if step == 1 else f"every {step} minutes"


def _days(when: Any) -> list[str]:
    words: list[str] = []
    month_days: list[int] = sorted(when.day_of_month)
    week_days, months = set[int](when.day_of_week), list[int](sorted(when.month_of_year))
    if len(month_days) < 31:
        words.append(f"on {_counted('day', month_days)} of the month")
    if len(week_days) < 7:
        words.append(f"if it is a {_listed(_names(week_days), 'or')}" if words else f"on {_week_days(week_days)}")
    if len(months) < 12:
        words.append(f"in {_listed(_MONTHS[month - 1] for month in months)}")
    return words


def _names(week_days: Iterable[int]) -> list[str]:
    return [_DAYS[day] for day in sorted(week_days, key=lambda day: (day - 1) % 7)]


def _week_days(week_days: set[int]) -> str:
    return "weekdays" if week_days == _WEEKDAYS else _listed(f"{name}s" for name in _names(week_days))


def _counted(unit: str, numbers: Sequence[int]) -> str:
    """Say numbered things, runs of three and more as a range: ``minutes 0, 20 and 40``, ``days 1 to 7``."""
    if len(numbers) == 1:
        return f"{unit} {numbers[0]}"
    return f"{unit}s {_listed(_ranges(numbers))}"


def _ranges(numbers: Sequence[int]) -> list[str]:
    rows: list[list[int]] = []
    for number in numbers:
        if rows and number == rows[-1][-1] + 1:
            rows[-1].append(number)
        else:
            rows.append([number])
    return [text for row in rows for text in ([f"{row[0]} to {row[-1]}"] if len(row) > 2 else map(str, row))]


def _listed(words: Iterable[str], last: str = "and") -> str:
    *head, tail = words
    return f"{', '.join(head)} {last} {tail}" if head else tail


def _zone(when: Any) -> str:
    zone: Any = when.tz
    return str(getattr(zone, "key", zone))

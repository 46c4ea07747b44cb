"""Unexpected exits of programs, from supervisord's log."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

WINDOW_S = 600.0
"""Age from which exits say nothing about now."""

_EXIT = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d{3} \w+ exited: (\S+) \((.+); (?:not )?expected\)$", re.M)
_ERROR = re.compile(r"\b(?:[A-Z]\w*(?:Error|Exception|Failure)\b|ERROR\b|CRITICAL\b|Can't|can't|cannot|refused)")


@dataclass(frozen=True, slots=True)
class Exits:
    """How often a program ended by itself within :data:`WINDOW_S`, and how it ended last (``exit status 1``)."""

    count: int
    how: str


def parse_exits(log: str, now: float) -> dict[str, Exits]:
    """Count the exits of each program by its name without its group.

    Args:
        log: The end of supervisord's log; its times are in this machine's time zone.
        now: Seconds since the epoch.
    """
    found: dict[str, Exits] = {}
    for moment, name, how in _EXIT.findall(log):
        at = time.mktime(time.strptime(moment, "%Y-%m-%d %H:%M:%S"))
        if now - at <= WINDOW_S:
            found[name] = Exits(found[name].count + 1 if name in found else 1, how)
    return found


def last_error(log: str) -> str:
    """Return the last line of a program's log that tells of an error, or else its last line; outside text."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if _ERROR.search(line)), lines[-1] if lines else "")

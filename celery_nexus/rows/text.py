"""Text made safe for terminals, and numbers, times and sizes formatted for people.

Everything that comes from outside (arguments, results, tracebacks, log lines, names) passes :func:`safe_text`
before it is drawn. None is unknown and is always drawn as ``?``.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

UNKNOWN = "?"

MAX_CELL_CHARS = 10_000
"""Longest text of one cell; what is longer is cut and says so."""

MAX_DETAIL_CHARS = 1_000_000
"""Longest text of a detail view."""

_PICTURES = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "␡"}

# C1 controls, invisible format characters (bidi overrides and isolates, zero-width, tags), line separators, surrogates
_INVISIBLE = re.compile(
    "[\x80-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)


def command_line(*words: object) -> str:
    """Write a command of ours as a shell takes it: each word that needs quotes gets them."""
    return shlex.join(["nexus-tui", *map(str, words)])


def safe_text(value: object, limit: int = MAX_CELL_CHARS) -> str:
    """Turn anything into one line that no terminal and no markup parser obeys.

    Control characters become their pictures (``␛``), C1 and invisible format characters their number
    (``<U+202E>``). Longer than ``limit`` characters is cut, with the number of those left out.
    """
    text = value if isinstance(value, str) else str(value)
    left_out = len(text) - limit
    if left_out > 0:
        text = f"{text[:limit]}… {left_out:,} more"
    if text.isascii() and text.isprintable():
        return text
    return _INVISIBLE.sub(_number, text.translate(_PICTURES))


def safe_lines(value: object, limit: int = MAX_DETAIL_CHARS) -> list[str]:
    """Split a text of many lines into safe ones; tabs become four spaces."""
    text = value if isinstance(value, str) else str(value)
    left_out = len(text) - limit
    if left_out > 0:
        text = f"{text[:limit]}\n… {left_out:,} more characters"
    lines = text.replace("\r\n", "\n").replace("\t", "    ").split("\n")
    return [safe_text(line, limit) for line in lines]


def compact(value: Any) -> str:
    """Write a JSON value on one safe line; a string that is already a repr stays as it is."""
    if value is None:
        return ""
    return safe_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def pretty(value: Any) -> list[str]:
    """Write a JSON value, or a row of the models, on many safe lines."""
    if isinstance(value, str):
        return safe_lines(value)
    return safe_lines(raw_json(value))


def raw_json(value: Any) -> str:
    """Write a value or a row of the models as indented JSON, times in ISO 8601."""
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    return json.dumps(plain, ensure_ascii=False, indent=2, default=_plain)


def number(value: int | None) -> str:
    """Write a count: ``1,204``."""
    return UNKNOWN if value is None else f"{value:,}"


def rate(value: float | None) -> str:
    """Write a rate a second: ``3.2``, ``120``."""
    if value is None:
        return UNKNOWN
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def percent(value: float | None) -> str:
    """Write a percentage without decimals: ``12 %``."""
    return UNKNOWN if value is None else f"{value:.0f} %"


def size(value: int | None) -> str:
    """Write bytes: ``118 MB``."""
    if value is None:
        return UNKNOWN
    amount = float(value)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def duration(seconds: float | None) -> str:
    """Write how long something took: ``12 ms``, ``2.1 s``, ``1 m 02 s``, ``2 d 4 h``."""
    if seconds is None:
        return UNKNOWN
    if seconds < 0.9995:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} m {rest:02} s"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes:02} m"


def age(seconds: float | None) -> str:
    """Write an age that changes seldom: ``2 s``, ``41 m``, ``1.5 h``, ``2 d``."""
    if seconds is None:
        return UNKNOWN
    seconds = max(seconds, 0)
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if seconds < 3570:
        return f"{seconds / 60:.0f} m"
    if seconds < 86_400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.0f} d"


def clock(moment: datetime | None, now: datetime | None = None) -> str:
    """Write a time in the operator's zone: ``10:42:07``, with the date when it is not today."""
    if moment is None:
        return UNKNOWN
    local = moment.astimezone()
    today = (now or moment.now()).astimezone().date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M:%S")


def short_clock(moment: datetime | None, now: datetime) -> str:
    """Write a time in eleven characters: ``10:42:07``, ``03-13 10:42`` for another day, the date for another year."""
    if moment is None:
        return UNKNOWN
    local, today = moment.astimezone(), now.astimezone()
    if local.date() == today.date():
        return local.strftime("%H:%M:%S")
    return local.strftime("%m-%d %H:%M" if local.year == today.year else "%Y-%m-%d")


def short_id(run_id: str) -> str:
    """Shorten a run id for a table; it is still a prefix that finds the run."""
    return safe_text(run_id[:8])


def _number(found: re.Match[str]) -> str:
    return f"<U+{ord(found[0]):04X}>"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    return str(value)

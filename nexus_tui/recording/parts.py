"""Parts of a recording: what each holds, and its rows as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from celery_nexus.privacy.masking import mask
from celery_nexus.rows import moment
from celery_nexus.rows.audit import AuditEntry
from celery_nexus.rows.broker import Message, QueueStats
from celery_nexus.rows.history import ErrorGroup, QueueWaits, Share, Slice, TaskStats, TrendPoint
from celery_nexus.rows.logs import LogLine
from celery_nexus.rows.marks import Mark as HistoryMark
from celery_nexus.rows.runs import Run
from celery_nexus.rows.text import safe_text
from celery_nexus.rows.workers import Program, Worker

FORMAT, VERSION = "nexus recording", 1


class Damaged(ValueError):
    """A part does not hold what its name says."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a recording.

    Attributes:
        nexus: What kind of file this is.
        version: Of the format.
        at: When it began, seconds since the epoch.
    """

    nexus: str
    version: int
    at: float


@dataclass(frozen=True, slots=True)
class Totals:
    """What is known of all runs, beside those that are recorded.

    Attributes:
        running: How many run, in words.
        failures: How many failed of all that are kept, in words.
        left_out: Changes of runs that came faster than they are recorded.
        hour: What became of the runs of the last hour; None when nothing did.
    """

    running: str = ""
    failures: str = ""
    left_out: int = 0
    hour: TaskStats | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """What was wrong with each source, in words; empty while it answered."""

    broker: str = ""
    workers: str = ""
    programs: str = ""
    history: str = ""


@dataclass(frozen=True, slots=True)
class Spread:
    """How long the runs of a task ran and waited, as bars of a histogram."""

    ran: tuple[Share, ...]
    waited: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment at which something got into trouble: what, and what proves it."""

    what: str
    because: str = ""
    is_bad: bool = True


PARTS: Mapping[str, Any] = {
    "place": str,
    "queues": tuple[QueueStats, ...],
    "workers": tuple[Worker, ...],
    "programs": tuple[Program, ...],
    "silence": Silence,
    "runs": tuple[Run, ...],
    "totals": Totals,
    "stats": dict[str, tuple[TaskStats, ...]],
    "failures": dict[str, tuple[ErrorGroup, ...]],
    "trends": dict[str, tuple[TrendPoint, ...]],
    "spreads": dict[str, Spread],
    "chart": tuple[Slice, ...],
    "waits": tuple[QueueWaits, ...],
    "marked": tuple[HistoryMark, ...],
    "messages": dict[str, tuple[Message, ...]],
    "audit": tuple[AuditEntry, ...],
    "log": tuple[LogLine, ...],
    "mark": Mark,
}
"""Each part by its name. Those of ``runs`` and ``log`` are told once, when they changed or were written; of the others
the last told value holds.
"""

_OURS = frozenset({"place", "silence", "totals", "log", "mark"})
"""Parts whose texts screens draw as they are: elsewhere they are made safe where they are drawn."""

_FIRST_YEAR, _LAST_YEAR = 1990, 2200
_GREATEST = 1e11
"""Of times in seconds since the epoch, and of every other number with a point."""


_STEADY_S = 2.0
"""To which the moments are rounded that ages are recorded as: ages are read to the second."""


def since_when(age_s: float | None) -> float | None:
    """Turn an age into the moment since when (seconds since the epoch): it does not change while time goes on."""
    return None if age_s is None else round((moment.now().timestamp() - age_s) / _STEADY_S) * _STEADY_S


def age_since(since: float | None) -> float | None:
    """Turn such a moment into the age that it is now."""
    return None if since is None else max(moment.now().timestamp() - since, 0.0)


def dump_part(name: str, value: Any) -> Any:
    """Make JSON values of a part, secrets masked and long texts cut."""
    return _mask(_adapter(name).dump_python(value, mode="json", warnings=False, fallback=str))


def load_part(name: str, value: Any) -> Any:
    """Make rows of JSON values that may be from anybody.

    Raises:
        Damaged: They are no such rows.
    """
    try:
        loaded = _adapter(name).validate_python(_made_safe(value) if name in _OURS else value)
        _check(loaded)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"][:6]))
        raise Damaged(safe_text(f"{name} {place}: {first['msg']}", 200)) from None
    except RecursionError:
        raise Damaged(f"{name}: values in each other without end") from None
    return loaded


def load_header(value: Any) -> Header:
    """Read the first line.

    Raises:
        Damaged: It is none.
    """
    try:
        return TypeAdapter(Header).validate_python(value)
    except ValidationError:
        raise Damaged("it does not begin as a recording does") from None


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(PARTS[name])


def _check(value: Any) -> None:
    """Refuse times and numbers that no view can calculate with.

    Raises:
        Damaged: There is such a one.
    """
    if isinstance(value, datetime):
        if value.tzinfo is None or not _FIRST_YEAR <= value.year <= _LAST_YEAR:
            raise Damaged(f"{value} is no time of a recording")
    elif isinstance(value, float):
        if not abs(value) <= _GREATEST:
            raise Damaged(f"{value} is no number of a recording")
    elif isinstance(value, tuple | dict):
        held = cast("dict[Any, Any]", value).values() if isinstance(value, dict) else cast("tuple[Any, ...]", value)
        for item in held:
            _check(item)
    elif is_dataclass(value):
        for one in fields(value):
            _check(getattr(value, one.name))


def _mask(value: Any) -> Any:
    """Mask row by row: a list of many rows must not be cut as one value is."""
    if isinstance(value, list):
        return [_mask(row) for row in cast("list[Any]", value)]
    if isinstance(value, dict):
        rows = cast("dict[str, Any]", value)
        if rows and all(isinstance(row, list) for row in rows.values()):
            return {name: _mask(row) for name, row in rows.items()}
        return mask(rows)
    return mask(value)


def _made_safe(value: Any) -> Any:
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, list):
        return [_made_safe(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: _made_safe(item) for name, item in cast("dict[str, Any]", value).items()}
    return value

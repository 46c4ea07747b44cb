"""Failed starts of a run, and the rule by which their number makes it a dead letter.

A run that is delivered again and again would hold up its queue and end one process after the other. It is set aside
when :data:`MAX_STARTS` starts in a row ended at the same place: without getting further than the start before, whether
its child or its worker died, or it rejected its message. How far a start got is the number that it last told with
``RunProgress`` (``done``): it is noted beside the start, for as long as the message is in flight.
"""

from __future__ import annotations

import math
from typing import Any, cast

from celery_nexus.delivery import keys, validation
from celery_nexus.delivery.keys import DELIVERIES_HEADER

MAX_STARTS = 3
"""Starts in a row without progress."""

MOST_REMEMBERED = 10
"""Starts that a message names; of a run that gets on there can be any number."""

Json = dict[str, Any]


def read_earlier_starts(message: validation.Json) -> list[Json]:
    """Read a message's starts, the oldest first: ``{"worker", "at", "lost", "progress"}``."""
    headers: Json = message.get("headers") or {}
    known: Any = headers.get(DELIVERIES_HEADER)
    if not isinstance(known, list):
        return []
    return [cast("Json", entry) for entry in cast("list[Any]", known) if isinstance(entry, dict)]


def with_start(starts: list[Json], *, worker: str, at: float, lost: str, progress: float | None) -> list[Json]:
    """Add a start that came to nothing.

    Args:
        starts: Those before.
        worker: Its node.
        at: When it ended, in seconds since the epoch.
        lost: What died, ``worker`` or ``child``; ``rejected`` of a run that put its message back.
        progress: How far it got, or None when it told nothing.
    """
    return [*starts, {"worker": worker, "at": at, "lost": lost, "progress": progress}][-MOST_REMEMBERED:]


def starts_without_progress(starts: list[Json]) -> int:
    """Count the latest starts that all ended at the same place."""
    best = count = 0.0
    for start in starts:
        progress: Any = start.get("progress")
        if isinstance(progress, int | float) and math.isfinite(progress) and progress > best:
            best, count = float(progress), 0.0
        count += 1
    return int(count)


def is_exhausted(starts: list[Json]) -> bool:
    """Tell whether a run was started in vain as often as is allowed."""
    return starts_without_progress(starts) >= MAX_STARTS


def read_progress(note: bytes | None) -> float | None:
    """Read how far a start got from its note; None when it told nothing."""
    try:
        progress = float(note or b"")
    except ValueError:
        return None
    return progress if math.isfinite(progress) else None


def place_of_note(request: Any, prefix: str) -> tuple[str, str] | None:
    """Name the hash and the field in which a run's start is noted; None with stock delivery.

    Args:
        request: ``current_task.request``.
        prefix: kombu's ``global_keyprefix``.
    """
    properties: Json = request.properties or {}
    tag: Any = properties.get("delivery_tag")
    if not isinstance(tag, str) or " " not in tag or not request.hostname:
        return None
    return f"{prefix}{keys.starts_key(request.hostname)}", tag

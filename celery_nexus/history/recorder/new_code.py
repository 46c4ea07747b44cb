"""Marks of new code: made when a worker starts with another code than before, once for all workers of a deployment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from celery_nexus.history.marks import MarksFile
from celery_nexus.history.store.event_fields import Event, name_of
from celery_nexus.history.store.store import Store
from celery_nexus.rows.marks import MAX_LABEL, Mark
from celery_nexus.rows.text import safe_text

CODES = "codes"
"""Name under which the history remembers, as JSON, the code and start of each worker that told."""

MOST_WORKERS = 500

Starts = Mapping[str, tuple[str, float]]
"""Code and time of the last start, by worker, and by application with the worker's name without its host."""


def mark_new_code(store: Store, marks: MarksFile, events: Iterable[Event | bytes]) -> None:
    """Add a mark for each new code with which workers start.

    Raises:
        OSError: The marks can't be written.
        sqlite3.Error: The history can't be written.
    """
    told = [event for event in events if isinstance(event, dict) and event.get("type") == "worker-online"]
    starts = [start for event in told if (start := _read(event)) is not None]
    if not starts:
        return
    known = _load(store.meta(CODES))
    for worker, group, code, at in starts:
        if is_new(known, marks.read(), worker, group, code):
            label = safe_text(f"code {code}", MAX_LABEL)
            marks.add(Mark(datetime.fromtimestamp(at, UTC), label, safe_text(worker, 200), code))
        known |= {worker: (code, at), group: (code, at)}
    latest = sorted(known.items(), key=lambda row: row[1][1])[-MOST_WORKERS:]
    store.write((), **{CODES: json.dumps(dict(latest))})


def is_new(known: Starts, marks: Iterable[Mark], worker: str, group: str, code: str) -> bool:
    """Tell whether a start with this code deserves a mark.

    A worker is compared with its own last start, one of a name that was never seen with the last one of its group; when
    the code was marked since then, it is part of a deployment that has its mark.
    """
    before = known.get(worker) or known.get(group)
    if before is None or before[0] == code:
        return False
    return not any(mark.code == code and mark.at.timestamp() >= before[1] for mark in marks)


def _read(event: Event) -> tuple[str, str, str, float] | None:
    worker, code, at = name_of(event.get("hostname")), name_of(event.get("code")), event.get("timestamp")
    if worker is None or code is None or not isinstance(at, int | float) or not 0 < at < 4e9:
        return None
    return worker, f"{event.get('application')}:{worker.partition('@')[0]}", code, float(at)


def _load(text: Any) -> dict[str, tuple[str, float]]:
    try:
        rows = cast("dict[str, list[Any]]", json.loads(text or "{}"))
        return {name: (str(code), float(at)) for name, (code, at) in rows.items()}
    except (ValueError, TypeError, AttributeError):
        return {}

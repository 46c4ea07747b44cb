"""Decoder of a batch of events, with the outcome of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from celery_nexus.history.store.event_fields import Event

_MAX_ID = 255


@dataclass
class Counts:
    """What became of a batch's events."""

    events: int = 0
    bad: int = 0
    dropped: int = 0


def decode_events(events: Iterable[Event | bytes], counts: Counts) -> list[Event]:
    """Decode a batch, without what can't be events of runs."""
    good: list[Event] = []
    for item in events:
        counts.events += 1
        try:
            event: Any = orjson.loads(item) if isinstance(item, bytes) else item
            kind, id_ = event["type"], event.get("uuid")
            if kind.startswith("task-"):
                if isinstance(id_, str) and 0 < len(id_) <= _MAX_ID and "\0" not in id_:
                    good.append(event)
                else:
                    counts.bad += 1
            elif kind == "stream-dropped":
                counts.dropped += int(event["count"])
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):  # whatever JSON can be
            counts.bad += 1
    return good

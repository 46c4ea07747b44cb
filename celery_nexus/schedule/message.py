"""Message of an entry: its arguments and options, as beat makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.util import find_spec
from typing import Any, cast

from celery_nexus.schedule.stored import CONDITION, DUE_HEADER, NAME_HEADER, StoredEntry


def options_of(entry: StoredEntry, due_at: datetime | None) -> dict[str, Any]:
    """Return the options of a message as beat has them, with headers that say what it is for."""
    options = {name: value for name, value in entry.options.items() if name != CONDITION}
    told: Any = options.get("headers")
    headers: dict[str, Any] = {
        **(cast("Mapping[str, Any]", told) if isinstance(told, Mapping) else {}),
        NAME_HEADER: entry.name,
    }
    if due_at is not None:
        headers[DUE_HEADER] = due_at.isoformat()
        options.pop("expires", None)
    return {**options, "headers": headers, "retry": False}


def evaluate(arguments: Any) -> Any:
    """Call the arguments that beat computes when it sends (``celery.beat.BeatLazyFunc``)."""
    if find_spec("celery") is None:
        return arguments
    from celery.beat import BeatLazyFunc

    def value(each: Any) -> Any:
        return cast("Any", each)() if isinstance(each, BeatLazyFunc) else each

    if isinstance(arguments, Mapping):
        return {name: value(each) for name, each in cast("Mapping[str, Any]", arguments).items()}
    return [value(each) for each in cast("Sequence[Any]", arguments)]

"""Records of paused queues."""

from __future__ import annotations

import json
from typing import Any, cast


def read_paused_workers(raw: bytes | None) -> tuple[str, ...]:
    """Read who consumed a queue when it was paused; nobody when nothing that makes sense is remembered."""
    try:
        told = json.loads(raw or b"")
    except (ValueError, RecursionError):
        return ()
    workers = cast("dict[str, Any]", told).get("workers") if isinstance(told, dict) else None
    return tuple(str(name) for name in cast("list[Any]", workers)) if isinstance(workers, list) else ()

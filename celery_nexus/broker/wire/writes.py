"""Check of whether the broker accepts writes."""

from __future__ import annotations

from typing import Any

import redis


def write_trouble(client: redis.Redis) -> str:
    """Say why the broker takes no changes now; empty when it does.

    Raises:
        RedisError: It does not answer, or does not show.
    """
    info: dict[str, Any] = client.info("persistence")  # pyright: ignore[reportAssignmentType]
    if info.get("aof_enabled") and info.get("aof_last_write_status") == "err":
        return (
            "the broker refuses every change: its append-only file can't be written; "
            "make room on its disk, and all goes on by itself"
        )
    return ""

"""Persistent revokes: ids and stamps in Redis, kept for as long as such a run might start."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import redis

from celery_nexus.connection.keys import REVOKED_FOR_S

STEP = 5_000


def remember_ids(client: redis.Redis, key: str, run_ids: Sequence[str]) -> None:
    """Remember all of these ids, by the broker's clock: those of hosts differ.

    Raises:
        RedisError: The broker does not answer.
    """
    remember(client, key, [run_id.encode("utf-8", "surrogatepass") for run_id in run_ids])


def remember(client: redis.Redis, key: str, members: Sequence[bytes]) -> None:
    """Add members to a sorted set by time, and forget those that are too old.

    Raises:
        RedisError: The broker does not answer.
    """
    now = broker_now(client)
    for start in range(0, len(members), STEP):
        client.zadd(key, dict.fromkeys(members[start : start + STEP], now))
    client.zremrangebyscore(key, "-inf", now - REVOKED_FOR_S)


def broker_now(client: redis.Redis) -> float:
    """Read the broker's clock, in seconds since the epoch."""
    seconds, microseconds = client.time()
    return seconds + microseconds / 1_000_000


def stamp_member(header: str, stamp: Any) -> bytes:
    """Write a stamp that is revoked."""
    return json.dumps([header, stamp]).encode()


def read_stamp(member: bytes) -> tuple[str, Any] | None:
    """Read a stamp that is revoked; None for what is none."""
    try:
        header, stamp = json.loads(member)
    except (ValueError, TypeError, RecursionError):
        return None
    return (header, stamp) if isinstance(header, str) else None

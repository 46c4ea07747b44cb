"""Delete a whole list, and count what it held."""

from __future__ import annotations

import uuid
from typing import cast

import redis

from workers.delivery import keys, scripts

STEP = 500
"""Messages that one script looks at."""


def unmarked(client: redis.Redis, key: str) -> tuple[int, int]:
    """Count the messages of a list or sorted set, and those among them that were never counted.

    Raises:
        RedisError: The broker does not answer.
    """
    script = client.register_script(scripts.UNMARKED)
    seen = found = 0
    while True:
        try:
            part, more = cast("tuple[int, int]", script(keys=[key], args=[seen, seen + STEP - 1]))
        except redis.ResponseError:  # neither list nor sorted set
            return 0, 0
        seen, found = seen + part, found + more
        if part < STEP:
            return seen, found


def purge(client: redis.Redis, key: str, prefix: str) -> int:
    """Delete a list or sorted set of messages; returns how many it held.

    Raises:
        RedisError: The broker does not answer.
    """
    aside = f"{prefix}nexus:purged:{uuid.uuid4().hex}"
    try:
        client.rename(key, aside)
    except redis.ResponseError:  # there is none
        return 0
    seen, uncounted = unmarked(client, aside)
    client.delete(aside)
    if seen > uncounted:
        client.hincrby(prefix + keys.COUNTERS, keys.DELETED, seen - uncounted)
    return seen

"""Take a whole list away, and count what it held."""

from __future__ import annotations

import uuid
from typing import cast

import redis

from config.keys import TRASH_FOR_S
from workers.delivery import keys, scripts
from workers.delivery.ends import PURGED, Ends, Note

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
    """Take a list or sorted set of messages away, whose runs then end as revoked; returns how many it held.

    Raises:
        RedisError: The broker does not answer.
    """
    aside = f"{prefix}nexus:purged:{uuid.uuid4().hex}"
    try:
        client.rename(key, aside)
    except redis.ResponseError:  # there is none
        return 0
    client.expire(aside, TRASH_FOR_S)
    seen, uncounted = unmarked(client, aside)
    try:
        if seen > uncounted:
            client.hincrby(prefix + keys.COUNTERS, keys.DELETED, seen - uncounted)
        Ends(client, prefix).add(Note(PURGED, lists=(aside,)))
    except redis.OutOfMemoryError:  # room is worth more than what waits for these runs
        client.unlink(aside)
    return seen

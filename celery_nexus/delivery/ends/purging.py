"""Purge of a whole list, with a count of what it held."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any, cast

import redis

from celery_nexus.connection.keys import TRASH_FOR_S
from celery_nexus.delivery import keys, scripts
from celery_nexus.delivery.ends.endings import PURGED, Note

STEP = 500
"""Messages that one script looks at."""


def count_unmarked(client: redis.Redis, key: str) -> tuple[int, int]:
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
    if not client.exists(key):
        return 0
    aside = f"{prefix}nexus:purged:{uuid.uuid4().hex}"
    note = Note(PURGED, lists=(aside,))
    has_room = _put_aside(client, key, aside, prefix, note)
    seen, uncounted = count_unmarked(client, aside)
    with suppress(redis.ResponseError):  # a count is no reason to fail
        if seen > uncounted:
            client.hincrby(prefix + keys.COUNTERS, keys.DELETED, seen - uncounted)
    if not has_room:  # room is worth more than what waits for these runs
        client.unlink(aside)
    return seen


def _put_aside(client: redis.Redis, key: str, aside: str, prefix: str, note: Note) -> bool:
    """Move a key, and note in the same step that its runs end; False when that can't be noted, for want of memory.

    Raises:
        RedisError: The broker does not answer, or refuses.
    """
    pipeline: Any = client.pipeline(transaction=True)
    pipeline.rename(key, aside)
    pipeline.expire(aside, TRASH_FOR_S)
    pipeline.rpush(prefix + keys.ENDS, note.encode())
    try:
        renamed, _, noted = pipeline.execute(raise_on_error=False)
    except redis.OutOfMemoryError:
        client.rename(key, aside)
        return False
    if isinstance(renamed, Exception):
        raise renamed
    return not isinstance(noted, Exception)

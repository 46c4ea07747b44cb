"""Baseline of the balance sheet: the ended runs at the moment when the broker began to count."""

from __future__ import annotations

from typing import cast

import redis

from celery_nexus.delivery import keys
from celery_nexus.history.store.ended_runs import note_count_start
from celery_nexus.history.store.store import Store


def note(client: redis.Redis, store: Store, cursor: str, prefix: str = "") -> None:
    """Write down what had ended before the broker counts, once the stream has been read so far.

    Args:
        client: The broker.
        store: The history.
        cursor: Id of the last entry of the stream that it has read.
        prefix: What the names of the application's keys begin with.

    Raises:
        redis.RedisError: The broker doesn't answer.
        sqlite3.Error: Nothing was written.
    """
    since = _read_since(client, prefix)
    if since is not None and int(cursor.partition("-")[0]) >= int(since * 1000):
        note_count_start(store.connection, since)


def _read_since(client: redis.Redis, prefix: str) -> float | None:
    try:
        found = cast("bytes | None", client.hget(prefix + keys.COUNTERS, keys.SINCE))
        return None if found is None else float(found)
    except (redis.ResponseError, ValueError):  # somebody else's key
        return None

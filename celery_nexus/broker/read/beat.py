"""Beat as RedBeat leaves it in Redis: who holds its lock, and which entry is due first."""

from __future__ import annotations

from typing import Any

import redis

from celery_nexus.connection.keys import BEAT_LOCK, BEAT_SCHEDULE
from celery_nexus.rows.broker import BeatStats


def read_beat(client: redis.Redis) -> BeatStats | None:
    """Read what RedBeat keeps under its default names; None where there is nothing of it, or it may not be read.

    Raises:
        RedisError: The broker does not answer.
    """
    pipeline = client.pipeline(transaction=False)
    pipeline.exists(BEAT_LOCK)
    pipeline.zrange(BEAT_SCHEDULE, 0, 0, withscores=True)
    pipeline.time()
    answers: list[Any] = pipeline.execute(raise_on_error=False)
    if any(isinstance(answer, Exception) for answer in answers):
        return None
    is_held, first, (seconds, micros) = answers
    if not is_held and not first:
        return None
    due_at = float(first[0][1]) if first else None
    now = seconds + micros / 1_000_000
    return BeatStats(is_held=bool(is_held), late_s=0.0 if due_at is None else max(0.0, now - due_at))

"""Health of the recorder: its signs of life and troubles in Redis, for whoever reads the history."""

from __future__ import annotations

import contextlib
from typing import cast

import redis

from celery_nexus.connection.keys import EVENT_STREAM, RECORDER_BEAT, RECORDER_BEAT_FOR_S, RECORDER_TROUBLE

TROUBLE_FOR_S = 60

BEAT_EVERY_S = 2.0
"""Interval of the recorder's signs of life."""

SILENT_AFTER_S = 10.0
"""Age of the last one from which the recorder counts as stopped or hanging."""

BEHIND_AFTER_S = 10.0
"""Age of unread events from which the recorder is behind: more than the time of writing a batch."""


def report_trouble(client: redis.Redis, prefix: str, what: str) -> None:
    """Say in Redis why nothing is recorded now, for those who look at the history."""
    with contextlib.suppress(redis.RedisError, OSError):
        client.set(prefix + RECORDER_TROUBLE, what[:500], ex=TROUBLE_FOR_S)


def report_alive(client: redis.Redis, prefix: str, cursor: str) -> None:
    """Give a sign of life: how far the stream was read, as of now by the broker's clock."""
    client.set(prefix + RECORDER_BEAT, cursor, ex=RECORDER_BEAT_FOR_S)


def find_trouble(client: redis.Redis, prefix: str = "", command: str = "") -> str | None:
    """Return why nothing is recorded now, in one line; None when all is well.

    What a recorder says of itself comes first; one that is stopped or hangs says nothing, and is judged by its last
    sign of life and by what the stream holds that it has not read. Where none ever gave a sign, nothing is concluded.

    Args:
        client: The broker.
        prefix: Before each key of the application.
        command: What starts the recorder anew, to be named where that helps.

    Raises:
        redis.RedisError: The broker doesn't answer.
    """
    pipeline = client.pipeline(transaction=False)
    pipeline.get(prefix + RECORDER_TROUBLE)
    pipeline.get(prefix + RECORDER_BEAT)
    pipeline.pttl(prefix + RECORDER_BEAT)
    pipeline.time()
    text, cursor, left_ms, (seconds, microseconds) = pipeline.execute()
    if text is not None:
        return text.decode("utf-8", "replace").replace("\n", " ")
    if cursor is None:
        return None
    unread_s = _unread_s(client, prefix + EVENT_STREAM, cursor, seconds + microseconds / 1e6)
    silent_s = RECORDER_BEAT_FOR_S - left_ms / 1000
    if silent_s > SILENT_AFTER_S:
        waits = f", and what happened for {unread_s:,.0f} s is not recorded" if unread_s else ""
        advice = f": {command}" if command else ""
        return f"the recorder gave no sign of life for {silent_s:,.0f} s{waits}{advice}"
    if unread_s > BEHIND_AFTER_S:
        return f"the recorder is behind: what happened for {unread_s:,.0f} s is not recorded yet"
    return None


def _unread_s(client: redis.Redis, stream: str, cursor: bytes, now: float) -> float:
    """Return for how many seconds the oldest event has waited that was not read."""
    entries = cast("list[tuple[bytes, object]]", client.xrange(stream, min=b"(" + cursor, count=1))
    return max(0.0, now - int(entries[0][0].partition(b"-")[0]) / 1000) if entries else 0.0

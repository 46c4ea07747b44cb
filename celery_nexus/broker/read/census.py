"""Census of a database's keys by SCAN, for a bounded time: results, answers to remote control that nobody reads."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import redis
from redis.exceptions import ResponseError

from celery_nexus.connection.keys import RESULT_KEY
from celery_nexus.rows.diagnosis.census import KeyCensus, ReplyKey

LOOK_FOR_S = 1.5
SCAN_STEP = 1000
"""Keys that one step looks at: well below a millisecond of the server's time."""

MOST_REPLIES = 5000
LEAKED_AFTER_S = 1.0
"""Seconds after which an answer that is still there was left behind: who asks takes it at once."""

SAMPLE = 100
AGED_S = 60
_REPLY = re.compile(rb"[0-9a-f]{8}-[0-9a-f-]{27}\.reply\.[^/]*pidbox")


def take_census(
    client: redis.Redis, result_expires_s: int | None, settle: Callable[[], object] = lambda: None
) -> KeyCensus | None:
    """Count results and lists of answers; None when its user may not SCAN.

    Args:
        client: Redis.
        result_expires_s: Seconds that a result is kept by the application's settings; None when they are not known.
        settle: Lets answers expire that came late to who asks now; called before lists of answers are judged.

    Raises:
        RedisError: It does not answer.
    """
    began, cursor, looked_at = time.monotonic(), 0, 0
    replies: list[bytes] = []
    results: list[bytes] = []
    count = 0
    try:
        while True:
            cursor, names = cast("tuple[int, list[bytes]]", client.scan(cursor, count=SCAN_STEP))
            looked_at += len(names)
            replies += [name for name in names if _REPLY.search(name)][: MOST_REPLIES - len(replies)]
            found = [name for name in names if RESULT_KEY.encode() in name]
            count += len(found)
            results += found[: SAMPLE - len(results)]
            if cursor == 0 or time.monotonic() - began > LOOK_FOR_S:
                break
        lasting, unread, aged = _look_at_results(client, results, result_expires_s)
        time.sleep(max(0.0, LEAKED_AFTER_S - (time.monotonic() - began)) if replies else 0.0)
        settle()
        return KeyCensus(
            looked_at,
            int(cast("Any", client.dbsize())),
            _look_at_replies(client, replies),
            count,
            len(results),
            lasting,
            unread,
            aged,
        )
    except ResponseError:
        return None


def find_replies(client: redis.Redis) -> tuple[str, ...]:
    """Name the lists of answers that have no expiry, as far as SCAN comes in bounded time."""
    census = take_census(client, None)
    return () if census is None else tuple(row.key for row in census.replies)


def remove_replies(client: redis.Redis, keys: Sequence[str]) -> int:
    """Remove lists of answers; what is none by its name or kind, or expires by itself, is left alone."""
    named = [key for key in keys if _REPLY.search(key.encode())]
    rows = _look_at_replies(client, [key.encode() for key in named])
    return int(cast("Any", client.unlink(*(row.key for row in rows)))) if rows else 0


def _look_at_replies(client: redis.Redis, names: Sequence[bytes]) -> tuple[ReplyKey, ...]:
    """Keep the lists that are there and have no expiry: a client that is gone left them behind."""
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.type(name)
        pipeline.ttl(name)
        pipeline.memory_usage(name, samples=1)
    answers: list[Any] = pipeline.execute(raise_on_error=False)
    rows = zip(names, answers[::3], answers[1::3], answers[2::3], strict=True)
    return tuple(
        ReplyKey(name.decode("utf-8", "replace"), used if isinstance(used, int) else 0)
        for name, kind, lives_s, used in rows
        if kind == b"list" and lives_s == -1
    )


def _look_at_results(client: redis.Redis, names: Sequence[bytes], result_expires_s: int | None) -> tuple[int, int, int]:
    """Count results that never expire, that were never read, and that are old enough to tell.

    The age of a result is what of its expiry has passed; the server says when a key was last touched.
    """
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.ttl(name)
        pipeline.object("IDLETIME", name)
    answers: list[Any] = pipeline.execute(raise_on_error=False)
    pairs = list(zip(answers[::2], answers[1::2], strict=True))
    lasting = sum(lives_s == -1 for lives_s, _ in pairs)
    if result_expires_s is None:
        return lasting, 0, 0
    known = [
        (result_expires_s - lives_s, idle_s)
        for lives_s, idle_s in pairs
        if isinstance(lives_s, int) and isinstance(idle_s, int) and 0 <= lives_s <= result_expires_s
    ]
    aged = [(age_s, idle_s) for age_s, idle_s in known if age_s >= AGED_S]
    return lasting, sum(idle_s >= age_s - 2 for age_s, idle_s in aged), len(aged)

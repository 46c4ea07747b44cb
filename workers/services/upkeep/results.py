"""Result records in Redis that nobody will ask for any more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, cast

import redis

from workers.services.progress import Progress

PREFIX = "celery-task-meta-"
READY = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
"""States after which nothing more happens to a run; a record in any other state is live and stays."""

BATCH = 50
REPLIES = "*.reply.celery.pidbox"
REPLIES_LIVE_S = 3600
"""A client that was killed in the middle of a question leaves its list of replies for ever; it gets this long."""

REMOVE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
"""Removes a record only as it was judged: a run may have started again in between."""


@dataclass
class Removed:
    """What was looked at, and what became of it."""

    scanned: int = 0
    removed: int = 0
    removed_bytes: int = 0
    kept_live: int = 0
    kept_young: int = 0
    unreadable: int = 0
    reply_lists_expired: int = 0

    def as_json(self) -> dict[str, int]:
        """Shape it for a task's result."""
        return asdict(self)


def remove_old(client: redis.Redis, max_age: timedelta, progress: Progress, *, dry_run: bool = False) -> Removed:
    """Remove the records of runs that ended longer ago than ``max_age``, a few at a time.

    Records of runs that wait, run or will be retried stay, whatever their age, as do those that can't be read.
    """
    before = datetime.now(UTC) - max_age
    found = Removed()
    script = client.register_script(REMOVE)
    keys = cast("Iterator[str]", client.scan_iter(f"{PREFIX}*", count=500))
    while batch := list(islice(keys, BATCH)):
        for key, value in zip(batch, cast("list[Any]", client.mget(batch)), strict=True):
            if value is None:
                continue  # expired meanwhile
            found.scanned += 1
            if _is_old(value, before, found):
                gone = 1 if dry_run else int(script(keys=[key], args=[value]))
                found.removed += gone
                found.removed_bytes += gone * len(value)
        progress(found.scanned, None, f"{found.removed} removed")
    found.reply_lists_expired = _expire_replies(client, dry_run=dry_run)
    return found


def _is_old(value: Any, before: datetime, found: Removed) -> bool:
    try:
        record = json.loads(value)
        state, done = record["status"], record.get("date_done")
        ended = datetime.fromisoformat(done) if done else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        found.unreadable += 1
        return False
    if state not in READY or ended is None:
        found.kept_live += 1
        return False
    ended = ended if ended.tzinfo else ended.replace(tzinfo=UTC)
    found.kept_young += ended >= before
    return ended < before


def _expire_replies(client: redis.Redis, *, dry_run: bool) -> int:
    count = 0
    for key in cast("Any", client.scan_iter(REPLIES, count=500, _type="LIST")):
        if client.ttl(key) == -1:
            count += 1
            if not dry_run:
                client.expire(key, REPLIES_LIVE_S)
    return count

"""Records of chords until their bodies are called, so that a stuck one can be found and finished.

Celery keeps counters of a chord, and its body in the messages of its members alone: when the last message is gone,
nobody knows the body any more. Here a record lies beside the counters (``<group key>.b``: JSON as kombu writes it, with
``body``, and ``members``, of each its ids: its own, and those of the chain that leads to it), and a sorted set names
the chords.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis

from celery_nexus.delivery import keys

GROUP_KEY = "celery-taskset-meta-"
RECORD = ".b"
STEP = 500

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChordRecord:
    """A chord whose body was not called yet.

    Attributes:
        group: Its group id.
        body: Signature of its body.
        members: Of each member its ids; empty when only a plain client knew them.
        size: How many parts it waits for; None when its counters are gone.
        counted: Ids of the members whose part was counted, with their places.
        is_claimed: Whether a worker is calling the body now, or has called it.
        idle_s: Seconds since the last part was counted; None when that can't be seen.
    """

    group: str
    body: dict[str, Any]
    members: tuple[tuple[str, ...], ...]
    size: int | None
    counted: tuple[str, ...]
    is_claimed: bool
    idle_s: float | None

    @property
    def task(self) -> str:
        """Name of the body's task."""
        return str(self.body.get("task", ""))

    @property
    def missing(self) -> tuple[tuple[str, ...], ...]:
        """Ids of the members whose part was not counted."""
        counted = {entry.rpartition(":")[0] for entry in self.counted}
        return tuple(ids for ids in self.members if ids[0] not in counted)


class ChordRecords:
    """The records of one result backend on Redis.

    Args:
        client: Connection to it.
        prefix: Put before its keys.
        expires_s: How long counters and records are kept.
    """

    def __init__(self, client: redis.Redis, prefix: str = "", expires_s: int = 0) -> None:
        self._client = client
        self._prefix = prefix
        self._expires_s = expires_s

    def write(self, group: str, body: Any, members: Sequence[Sequence[str]] = ()) -> None:
        """Write a record unless there is one, and forget chords that are too old.

        Args:
            group: Group id.
            body: Signature of the chord's body.
            members: Of each member its own id, then those of the chain that leads to it.
        """
        from kombu.utils.json import dumps  # who watches a broker does without kombu

        try:
            text = dumps({"body": body, "members": [list(ids) for ids in members]})
        except (TypeError, ValueError, RecursionError) as problem:  # what only pickle or msgpack can write
            logger.warning("the chord %s can't be finished for it if a member is lost: %s", group, problem)
            return
        now, names = time.time(), self._prefix + keys.CHORDS
        pipeline: Any = self._client.pipeline(transaction=False)
        pipeline.set(self.key(group, RECORD), text, ex=self._expires_s or None, nx=not members)
        pipeline.zadd(names, {group: now}, nx=True)
        if self._expires_s:  # as long as the counters, which each part renews
            pipeline.expire(self.key(group, RECORD), self._expires_s)
        if self._expires_s:
            pipeline.zremrangebyscore(names, "-inf", now - self._expires_s)
        pipeline.execute()

    def forget_if_over(self, group: str) -> None:
        """Forget a chord whose counters are gone: its body was called, or has failed."""
        if not self.is_counting(group):
            self.forget(group)

    def is_counting(self, group: str) -> bool:
        """Tell whether a group is the header of a chord that waits for its parts."""
        return bool(self._client.exists(self.key(group, ".s")))

    def forget(self, group: str) -> None:
        """Forget a chord."""
        self._client.delete(self.key(group, RECORD))
        self._client.zrem(self._prefix + keys.CHORDS, group)

    def groups(self, older_than_s: float = 0.0) -> tuple[str, ...]:
        """List the chords that were begun so long ago, the oldest first."""
        names = self._client.zrangebyscore(self._prefix + keys.CHORDS, "-inf", time.time() - older_than_s)
        return tuple(name.decode("utf-8", "replace") for name in cast("list[bytes]", names))

    def read(self, group: str) -> ChordRecord | None:
        """Read one; None when nothing is known of it."""
        pipeline: Any = self._client.pipeline(transaction=False)
        pipeline.get(self.key(group, RECORD))
        pipeline.mget(self.key(group, ".s"), self.key(group, ".t"), self.key(group, ".c"))
        pipeline.smembers(self.key(group, ".d"))
        pipeline.ttl(self.key(group, ".s"))
        text, (size, more, claim), counted, left_s = pipeline.execute()
        from kombu.utils.json import loads

        try:
            known: Any = loads(text or b"")
            body, members = dict(known["body"]), tuple(tuple(map(str, ids)) for ids in known["members"])
        except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
            return None
        return ChordRecord(
            group=group,
            body=body,
            members=members,
            size=None if size is None else int(size) + int(more or 0),
            counted=tuple(sorted(entry.decode("utf-8", "replace") for entry in counted)),
            is_claimed=claim is not None,
            idle_s=float(self._expires_s - left_s) if left_s > 0 and self._expires_s else None,
        )

    def key(self, group: str, kind: str) -> str:
        """Name one of a chord's keys."""
        return f"{self._prefix}{GROUP_KEY}{group}{kind}"

"""The trash: messages removed from queues, kept for a day, so that a change can be undone."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import redis

from celery_nexus.connection.keys import TRASH_FOR_S, TRASH_HASH
from celery_nexus.delivery.ends.purging import count_unmarked
from celery_nexus.delivery.keys import DELETED
from celery_nexus.delivery.layout import NOTED_STEPS, Layout, read_steps
from celery_nexus.rows.audit import Kept, Undoable

DEAD_LETTERS = "dead letters"
"""Kind of a change that dropped or retried dead letters."""

MESSAGES = "messages"
"""Kind of a change of single messages."""

PURGE = "purge"
"""Kind of a change that took all of a queue."""


class Trash:
    """The changes that can be taken back. May be shared by threads."""

    def __init__(self, client: redis.Redis, layout: Layout) -> None:
        self._client = client
        self._layout = layout
        self._key = layout.add_prefix(TRASH_HASH)

    def open(self, kind: str, label: str, queue: str = "") -> str:
        """Announce a change that can be taken back, and return its token."""
        token = secrets.token_hex(4)
        told = {"at": time.time(), "kind": kind, "label": label, "queue": queue, NOTED_STEPS: self._layout.steps}
        pipeline = self._client.pipeline(transaction=False)
        pipeline.hset(self._key, token, json.dumps(told))
        pipeline.expire(self._key, TRASH_FOR_S)  # no older change can be taken back any more
        pipeline.execute()
        return token

    def discard(self, token: str) -> None:
        """Forget a change: nothing came of it, or it was taken back."""
        self._client.hdel(self._key, token)

    def keep(self, token: str) -> bool:
        """Tell whether single messages were taken; forget the change when none was."""
        if self._client.exists(self.key(token)):
            return True
        self.discard(token)
        return False

    def list(self) -> tuple[Undoable, ...]:
        """List what can be taken back, the latest first; what is too old is forgotten."""
        rows: list[Undoable] = []
        for token, raw in cast("dict[bytes, bytes]", self._client.hgetall(self._key)).items():
            row = _undoable(token.decode("utf-8", "replace"), raw)
            if row is None or row.expires_at < datetime.now(UTC):
                self._client.hdel(self._key, token)
            else:
                rows.append(row)
        return tuple(sorted(rows, key=lambda row: row.at, reverse=True))

    def measure_kept(self, change: Undoable) -> Kept:
        """Measure what is kept of a change."""
        keys = [self.key(change.token), *(self.key(change.token, step) for step in change.steps)]
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.llen(key)
            pipeline.memory_usage(key, samples=10)
        answers: list[Any] = pipeline.execute(raise_on_error=False)
        lengths, sizes = answers[::2], answers[1::2]
        bytes_ = None if any(isinstance(size, Exception) for size in sizes) else sum(size or 0 for size in sizes)
        return Kept(sum(length for length in lengths if isinstance(length, int)), bytes_)

    def key(self, token: str, step: int | None = None) -> str:
        """Name the list of what a change took: of single messages, or of one list that was purged."""
        return self._layout.trash_key(token, step)

    def count_purged(self, token: str, sign: int, steps: Sequence[int]) -> None:
        """Add what a purge took to the count of deleted messages, or subtract it, as far as it was counted before."""
        counted = 0
        for step in steps:
            seen, uncounted = count_unmarked(self._client, self.key(token, step))
            counted += seen - uncounted
        if counted:
            self._client.hincrby(self._layout.counters, DELETED, sign * counted)


def _undoable(token: str, raw: bytes) -> Undoable | None:
    try:
        told = cast("dict[str, Any]", json.loads(raw))
        at = float(told["at"])
        return Undoable(
            token=token,
            at=datetime.fromtimestamp(at, UTC),
            kind=str(told["kind"]),
            label=str(told["label"]),
            queue=str(told["queue"]),
            expires_at=datetime.fromtimestamp(at + TRASH_FOR_S, UTC),
            steps=read_steps(told),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None

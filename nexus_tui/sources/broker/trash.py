"""What was taken out of queues, kept for a day, and the way back."""

from __future__ import annotations

import json
import secrets
import time
from datetime import UTC, datetime
from typing import Any, cast

import redis

from config.keys import TRASH_FOR_S, TRASH_HASH
from nexus_tui.models.audit import Undoable
from nexus_tui.sources.broker.layout import Layout
from nexus_tui.sources.broker.scripts import TRASH_HEAD, UNDO, UNPURGE, Script
from workers.delivery.dead_letters import DeadLetters
from workers.delivery.keys import DELETED
from workers.delivery.purging import unmarked

DEAD_LETTERS = "dead letters"
"""Kind of a change that dropped or retried dead letters."""

STEP = 100
"""Messages put back in one step of the server, at most."""

STEP_S = 0.005
"""A step takes about so long, so that others wait no longer."""

LONG, MANY = 50_000, 1_000
"""Finding a place in a list costs Redis the way to it. So many messages, or more, of so long a list come back in
their order in front of it, as those of a purge do."""


class Trash:
    """The changes that can be taken back. May be shared by threads."""

    def __init__(self, client: redis.Redis, layout: Layout) -> None:
        self._client = client
        self._layout = layout
        self._key = layout.named(TRASH_HASH)
        self._undo = Script(client, UNDO)
        self._head = Script(client, TRASH_HEAD)
        self._unpurge = Script(client, UNPURGE)

    def open(self, kind: str, label: str, queue: str = "") -> str:
        """Announce a change that can be taken back, and return its token."""
        token = secrets.token_hex(4)
        told = {"at": time.time(), "kind": kind, "label": label, "queue": queue}
        self._client.hset(self._key, token, json.dumps(told))
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

    def key(self, token: str, step: int | None = None) -> str:
        """Name the list of what a change took: of single messages, or of one list that was purged."""
        return self._layout.trash(token, step)

    def restore(self, change: Undoable) -> tuple[int, int]:
        """Put messages back; return how many, and how many had started meanwhile."""
        if change.kind == DEAD_LETTERS:
            letters = DeadLetters(self._client, self._layout.prefix, self._layout.separator)
            restored, started = letters.take_back(self.key(change.token))
        elif change.kind == "purge":
            restored, started = self._restore_purged(change), 0
        else:
            restored, started = self._restore_single(change.token)
        self.discard(change.token)
        return restored, started

    def _restore_single(self, token: str) -> tuple[int, int]:
        """Put messages back one by one, each before the one that ran after it as long as finding that is cheap."""
        restored, started, step, previous = 0, 0, 1, b""
        left, length = cast("tuple[int, int]", self._head([self.key(token)], []))
        how = "front" if left > MANY and length > LONG else "exact"
        while left:
            began = time.perf_counter()
            answer = self._undo([self.key(token), self._layout.counters], [step, how, previous])
            back, gone, previous = cast("tuple[int, int, bytes]", answer)
            restored, started, left = restored + back, started + gone, left - back - gone
            if not back + gone:
                break
            took_s = time.perf_counter() - began
            step = max(1, min(STEP, step * 2 if took_s < STEP_S else step // 2))
        return restored, started

    def count_purged(self, token: str, sign: int) -> None:
        """Add what a purge took to the count of deleted messages, or subtract it, as far as it was counted before."""
        counted = 0
        for step in self._layout.steps:
            seen, uncounted = unmarked(self._client, self.key(token, step))
            counted += seen - uncounted
        if counted:
            self._client.hincrby(self._layout.counters, DELETED, sign * counted)

    def _restore_purged(self, change: Undoable) -> int:
        self.count_purged(change.token, -1)
        restored = 0
        for step in self._layout.steps:
            keys = [self.key(change.token, step), self._layout.key(change.queue, step)]
            keys.append(self._layout.wake(change.queue))
            while self._client.exists(keys[0]):
                restored += int(self._unpurge(keys, [STEP]))
        return restored


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
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None

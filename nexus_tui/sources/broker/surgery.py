"""Change what waits: each message in one step of the server, exactly once beside consuming workers."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any, cast

import redis

from config.keys import PAUSED_HASH, TRASH_FOR_S
from config.queues import PRIORITIES
from nexus_tui.models.actions import TargetOutcome
from nexus_tui.models.broker import Message
from nexus_tui.sources.broker.layout import Layout
from nexus_tui.sources.broker.payload import replaced
from nexus_tui.sources.broker.scripts import PURGE, TAKE, TAKE_DELAYED, Script
from nexus_tui.sources.broker.trash import Trash
from nexus_tui.sources.errors import Invalid

_GONE = "had already started"


class Surgeon:
    """Changes the queues of one application. May be shared by threads."""

    def __init__(self, client: redis.Redis, layout: Layout) -> None:
        self.trash = Trash(client, layout)
        self._client = client
        self._layout = layout
        self._take = Script(client, TAKE)
        self._take_delayed = Script(client, TAKE_DELAYED)
        self._purge = Script(client, PURGE)

    def change_priority(self, message: Message, priority: int, *, front: bool, undo: str) -> TargetOutcome:
        """Move a message to another priority of its queue."""
        check_priority(priority)
        if message.is_delayed:
            changed = _changed(message.raw, ("properties", "priority"), priority)
            return self._taken_delayed(message, b"%d" % priority + changed, f"gets priority {priority} when due", undo)
        source = self._layout.key(message.queue, message.priority)
        target = self._layout.key(message.queue, priority)
        if source == target and not front:
            return TargetOutcome(message.id, True, f"has priority {priority} already")
        changed = _changed(message.raw, ("properties", "priority"), priority)
        where = f"moved to the front of priority {priority}" if front else f"moved to priority {priority}"
        return self._taken(message, message.queue, target, changed, front, where, undo)

    def move(self, message: Message, queue: str, *, front: bool, undo: str) -> TargetOutcome:
        """Move a message to the same priority of another queue."""
        if message.is_delayed:
            return TargetOutcome(message.id, False, "waits for its time; move it when it is due")
        if queue == message.queue:
            return TargetOutcome(message.id, True, f"is in {queue} already")
        # A worker that gives the message back, and a retry, go by what the message says of its route.
        changed = _changed(message.raw, ("properties", "delivery_info"), {"exchange": queue, "routing_key": queue})
        target = self._layout.key(queue, message.priority)
        return self._taken(message, queue, target, changed, front, f"moved to {queue}", undo)

    def delete(self, message: Message, *, undo: str) -> TargetOutcome:
        """Remove a message."""
        if message.is_delayed:
            return self._taken_delayed(message, b"", "deleted", undo)
        key = self._layout.key(message.queue, message.priority)
        return self._taken(message, message.queue, key, b"", False, "deleted", undo)

    def purge(self, queue: str, token: str) -> int:
        """Remove everything that waits in a queue into the trash; return how many messages."""
        keys: list[str] = []
        for step in self._layout.steps:
            keys += [self._layout.key(queue, step), self.trash.key(token, step)]
        gone = int(self._purge(keys, [TRASH_FOR_S]))
        self.trash.count_purged(token, 1)
        return gone

    def pause(self, queue: str, workers: Sequence[str]) -> bool:
        """Remember that a queue is paused and who consumed it; False when it was paused already."""
        told = json.dumps({"at": time.time(), "workers": list(workers)})
        return bool(self._client.hsetnx(self._layout.named(PAUSED_HASH), queue, told))

    def resume(self, queue: str) -> tuple[str, ...] | None:
        """Forget that a queue is paused and return who consumed it; None when it was not paused."""
        key = self._layout.named(PAUSED_HASH)
        raw = cast("bytes | None", self._client.hget(key, queue))
        if raw is None or not self._client.hdel(key, queue):
            return None
        try:
            told = json.loads(raw)
        except (ValueError, RecursionError):
            return ()
        workers = cast("dict[str, Any]", told).get("workers") if isinstance(told, dict) else None
        return tuple(str(name) for name in cast("list[Any]", workers)) if isinstance(workers, list) else ()

    def _taken_delayed(self, message: Message, changed: bytes, done: str, undo: str) -> TargetOutcome:
        keys = [self._layout.delayed(message.queue), self.trash.key(undo), self._layout.counters]
        member = b"%d" % message.priority + message.raw
        removed = self._take_delayed(keys, [member, changed, TRASH_FOR_S if undo else 0])
        return TargetOutcome(message.id, bool(removed), done if removed else "has become due meanwhile: try again")

    def _taken(
        self, message: Message, queue: str, target: str, changed: bytes, front: bool, done: str, undo: str
    ) -> TargetOutcome:
        keys = [self._layout.key(message.queue, message.priority), target, self.trash.key(undo)]
        keys += [self._layout.wake(message.queue), self._layout.wake(queue), self._layout.counters]
        depth = -1 if message.depth is None else message.depth
        place, lives = "front" if front else "back", TRASH_FOR_S if undo else 0
        removed = self._take(keys, [message.raw, depth, changed, place, lives])
        return TargetOutcome(message.id, bool(removed), done if removed else _GONE)


def check_priority(priority: int) -> None:
    """Make sure that a priority exists.

    Raises:
        Invalid: It is outside 0…9.
    """
    if priority not in PRIORITIES:
        raise Invalid(f"priority {priority}: give one from 0 (first) to 9 (last)")


def _changed(raw: bytes, path: tuple[str, ...], value: Any) -> bytes:
    try:
        return replaced(raw, path, value)
    except ValueError as error:
        raise Invalid(f"not a message of Celery: {error}") from None

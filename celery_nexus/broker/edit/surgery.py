"""Changes of waiting messages: one atomic step each, exactly once beside consuming workers."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Sequence
from typing import cast

import redis

from celery_nexus.broker.edit.edits import Change, Edit, NothingToDo, Retime
from celery_nexus.broker.edit.purge_scripts import PURGE
from celery_nexus.broker.edit.removal import Taker, note_of_end
from celery_nexus.broker.edit.trash import Trash
from celery_nexus.broker.read.paused import read_paused_workers
from celery_nexus.broker.wire.scripts import TAKE_DELAYED, Script
from celery_nexus.connection.keys import PAUSED_HASH, TRASH_FOR_S
from celery_nexus.delivery.ends.endings import PURGED, Note
from celery_nexus.delivery.layout import Layout
from celery_nexus.rows.broker import Message
from celery_nexus.rows.outcomes import TargetOutcome

_GONE = "had already started"


class Surgeon:
    """Changes the queues of one application. May be shared by threads.

    Args:
        client: Connection that never repeats a command by itself.
        layout: Names of the application's keys.
        pause_lives_s: Which queues are paused is forgotten so long after the last pause; None: never.
    """

    def __init__(self, client: redis.Redis, layout: Layout, pause_lives_s: int | None = None) -> None:
        self.trash = Trash(client, layout)
        self._pause_lives_s = pause_lives_s
        self._client = client
        self._layout = layout
        self._taker = Taker(client, layout)
        self._take_delayed = Script(client, TAKE_DELAYED)
        self._purge = Script(client, PURGE)

    def apply(self, message: Message, edit: Edit, undo: str) -> TargetOutcome:
        """Change one message, if it still waits.

        Raises:
            Invalid: It is not Celery's.
        """
        try:
            change = edit.plan_change(message)
        except NothingToDo as nothing:
            return TargetOutcome(message.id, nothing.is_done, str(nothing))
        if message.is_delayed:
            return self._taken_delayed(message, change, edit, undo)
        if self._layout.is_same_list(message, change.queue, change.priority) and edit.goes_back:
            return TargetOutcome(message.id, True, f"is at the priority that {change.priority} means already")
        taken = self._taker.take(message, change, undo)
        return TargetOutcome(message.id, taken, change.done if taken else _GONE)

    def purge(self, queue: str, token: str, *, ends_runs: bool) -> int:
        """Remove everything that waits in a queue into the trash; return how many messages.

        Args:
            queue: Its name.
            token: Of the change.
            ends_runs: Whether there are workers or a guardian that end the runs.
        """
        gone, _ = self._put_away(queue, token, TRASH_FOR_S, keeps=True, ends_runs=ends_runs)
        self.trash.count_purged(token, 1, self._layout.steps)
        return gone

    def purge_for_good(self, queue: str, *, ends_runs: bool) -> int:
        """Remove everything that waits in a queue, and keep nothing; a broker without memory left accepts it."""
        token = secrets.token_hex(4)
        gone, is_noted = self._put_away(queue, token, TRASH_FOR_S, keeps=False, ends_runs=ends_runs)
        with contextlib.suppress(redis.ResponseError):  # counting needs memory
            self.trash.count_purged(token, 1, self._layout.steps)
        if not is_noted:  # else it goes as the runs end
            self._client.unlink(*(self.trash.key(token, step) for step in self._layout.steps))
        return gone

    def _put_away(self, queue: str, token: str, lives_s: int, *, keeps: bool, ends_runs: bool) -> tuple[int, bool]:
        keys: list[str] = []
        for step in self._layout.steps:
            keys += [self._layout.key(queue, step), self.trash.key(token, step)]
        note = Note(PURGED, undo=token, lists=tuple(keys[1::2]), keeps=keeps).head() if ends_runs else ""
        gone, noted = self._purge([*keys, self._layout.ends], [lives_s, note])
        return int(gone), bool(noted)

    def pause(self, queue: str, workers: Sequence[str]) -> bool:
        """Remember that a queue is paused and who consumed it; False when it was paused already.

        Whoever consumes it although it was paused is remembered, too: at its end they are told to go on.
        """
        key = self._layout.add_prefix(PAUSED_HASH)
        told = json.dumps({"at": time.time(), "workers": list(workers)})
        is_new = bool(self._client.hsetnx(key, queue, told))
        if not is_new:
            known = read_paused_workers(cast("bytes | None", self._client.hget(key, queue)))
            if set(workers) - set(known):
                everybody = list(dict.fromkeys((*known, *workers)))
                self._client.hset(key, queue, json.dumps({"at": time.time(), "workers": everybody}))
        if self._pause_lives_s is not None:
            self._client.expire(key, self._pause_lives_s)
        return is_new

    def resume(self, queue: str) -> tuple[str, ...] | None:
        """Forget that a queue is paused and return who consumed it; None when it was not paused."""
        key = self._layout.add_prefix(PAUSED_HASH)
        raw = cast("bytes | None", self._client.hget(key, queue))
        if raw is None or not self._client.hdel(key, queue):
            return None
        return read_paused_workers(raw)

    def _taken_delayed(self, message: Message, change: Change, edit: Edit, undo: str) -> TargetOutcome:
        keys = [self._layout.key_of_delayed(message.queue), self.trash.key(undo), self._layout.wake_key(message.queue)]
        keys += [self._layout.counters, self._layout.ends]
        member = b"%d" % message.priority + message.raw
        changed = b"%d" % change.priority + change.raw if change.raw else b""
        due = ""
        if isinstance(edit, Retime):
            due = str(edit.due_at.timestamp() if edit.due_at else time.time())
        note = note_of_end(change.ends, undo, told=change.told)
        removed = self._take_delayed(keys, [member, changed, TRASH_FOR_S if undo else 0, due, note])
        return TargetOutcome(
            message.id, bool(removed), change.done if removed else "has become due meanwhile: try again"
        )

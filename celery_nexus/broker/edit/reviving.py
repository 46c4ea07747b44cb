"""Revival of runs whose deletion is undone: their end is forgotten, unless something has followed from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, cast

import redis

from celery_nexus.broker.edit.announcements import Announcements
from celery_nexus.broker.edit.trash import MESSAGES, PURGE
from celery_nexus.broker.wire.scripts import DELETED_IN, Script
from celery_nexus.connection.keys import TRASH_FOR_S
from celery_nexus.delivery import keys
from celery_nexus.delivery.ends.endings import Ends, Note, read_purged, revive
from celery_nexus.delivery.layout import Layout
from celery_nexus.errors import Refused
from celery_nexus.rows.audit import Undoable

STEP = 200
REVIVED = "nexus:ends:revived:"
"""Prefix of the key, by token, that holds the progress of an undo."""

PATIENCE_S = 10.0


class Reviver:
    """Takes back the ends of deleted and purged runs of one application. May be shared by threads."""

    def __init__(
        self,
        client: redis.Redis,
        layout: Layout,
        announcements: Announcements,
        insist: Callable[[Any], Any],
        *,
        is_own: bool,
    ) -> None:
        self._client = client
        self._layout = layout
        self._announcements = announcements
        self._insist = insist
        self._is_own = is_own
        self._ends = Ends(client, layout.prefix)
        self._deleted_in = Script(client, DELETED_IN)

    def revive(self, change: Undoable) -> None:
        """Forget the ends of what a change deleted; to be done before its messages are put back.

        Goes on where it was interrupted.

        Raises:
            Refused: A worker is ending many runs just now.
        """
        if change.kind not in (MESSAGES, PURGE) or not self._is_own:
            return
        name = self._layout.add_prefix(f"{REVIVED}{change.token}")
        done = self._insist(lambda: self._client.get(name))
        if done == b"all":
            return
        self._revive(change, name, int(done or 0))

    def _revive(self, change: Undoable, name: str, done: int) -> None:
        pending = self._insist(lambda: self._withdraw(change.token))
        rows = self._purged(change, pending) if change.kind == PURGE else self._deleted(change, pending)
        for number, (messages, were_told) in enumerate(rows, 1):
            if number > done and were_told and messages:
                self._insist(partial(self._revive_all, messages, change.queue))
            self._insist(partial(self._client.set, name, number, ex=TRASH_FOR_S))
        self._insist(partial(self._client.set, name, "all", ex=TRASH_FOR_S))

    def _withdraw(self, token: str) -> list[Note]:
        """Take back the notes of a change that nobody carried out yet, while nobody carries out any."""
        with self._ends.hold_lock(PATIENCE_S) as renew:
            if renew is None:
                raise Refused("workers are ending runs just now; try again in a moment")
            return self._ends.forget(token)

    def _purged(self, change: Undoable, pending: Sequence[Note]) -> Iterator[tuple[list[bytes], bool]]:
        """Read what a purge took; the runs of what a pending note is about did not end yet."""
        untold = {key: (note.place if number == 0 else 0) for note in pending for number, key in enumerate(note.lists)}
        for step in change.steps:
            key, start = self._layout.trash_key(change.token, step), 0
            until = untold.get(key)
            while rows := self._insist(partial(read_purged, self._client, key, start, STEP)):
                told = rows if until is None else rows[: max(0, until - start)]
                yield told, True
                yield rows[len(told) :], False
                start += len(rows)

    def _deleted(self, change: Undoable, pending: Sequence[Note]) -> Iterator[tuple[list[bytes], bool]]:
        """Read which messages a change deleted; a pending note that nobody told of is of a run that did not end."""
        untold = {note.raw for note in pending if not note.told}
        start = 0
        while True:
            place = [start, start + STEP - 1]
            answer = self._insist(partial(self._deleted_in, [self._layout.trash_key(change.token)], place))
            seen, rows = cast("tuple[int, list[bytes]]", answer)
            yield [raw for raw in rows if raw not in untold], True
            yield [raw for raw in rows if raw in untold], False
            start += int(seen)
            if int(seen) < STEP:
                return

    def _revive_all(self, rows: Sequence[bytes], queue: str) -> None:
        revived = [self._insist(partial(revive, self._client, self._layout.prefix, raw)) for raw in rows]
        counted = sum(keys.PUBLICATION_MARK in raw for raw in rows)
        if counted:
            self._client.hincrby(self._layout.counters, keys.DELETED_ENDED, -counted)
        self._announcements.announce_restored([ids[0] for ids in revived if ids], queue)

"""Redis operations of an undo, each bounded, on the lists of one application."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis

from celery_nexus.broker.bulk.lists import LAID, Lists, Step
from celery_nexus.broker.undo.chains import Taken, digest
from celery_nexus.broker.undo.return_scripts import GATHER, MERGE, PUT, READ
from celery_nexus.broker.wire.scripts import Script
from celery_nexus.connection.keys import TRASH_FOR_S
from celery_nexus.delivery.layout import Layout

READ_STEP = 100
"""Changes that are read in one step, at most."""

STEP_S = 0.005
"""Target duration of a step, which bounds the wait of other clients."""


@dataclass(frozen=True, slots=True)
class UndoProgress:
    """One operator's taking back of a change.

    Attributes:
        trash: List of what the change took.
        told: Hash that counts what was given back.
    """

    trash: str
    told: str


class TrashReader:
    """Takes changes out of the trash, and puts messages back. May be shared by threads.

    Args:
        client: Connection that never repeats a command by itself.
        lists: The steps on lists.
    """

    def __init__(self, client: redis.Redis, lists: Lists) -> None:
        self._client = client
        self._lists = lists
        self._layout: Layout = lists.layout
        self._mark = secrets.token_hex(4)
        self._read = Script(client, READ)
        self._merge = Script(client, MERGE)
        self._put = Script(client, PUT)
        self._gather = Script(client, GATHER)

    def begin(self, token: str) -> UndoProgress:
        """Begin to take a change back; the trash is kept for as long again.

        Who was interrupted and begins anew counts anew, in the same place: what an earlier attempt left goes with it.
        """
        trash = self._layout.trash_key(token)
        undoing = UndoProgress(trash, f"{trash}:{self._mark}")

        def note() -> None:
            pipeline: Any = self._client.pipeline(transaction=True)
            pipeline.delete(undoing.told)
            pipeline.hset(undoing.told, "back", 0)
            pipeline.expire(undoing.told, TRASH_FOR_S)
            pipeline.expire(trash, TRASH_FOR_S)
            pipeline.execute()

        self._lists.insist(note)
        return undoing

    def count_restored(self, undoing: UndoProgress) -> tuple[int, int]:
        """Count what was given back, and what had started."""
        read = self._lists.insist(lambda: self._client.hmget(undoing.told, ["back", "started"]))
        back, started = cast("list[bytes | None]", read)
        return int(back or 0), int(started or 0)

    def end(self, undoing: UndoProgress) -> None:
        """Forget what was counted."""
        self._lists.insist(lambda: self._client.delete(undoing.told))

    def read(self, undoing: UndoProgress) -> tuple[list[Taken], int]:
        """Read what a change took: by list, the one that it came to last at the end; and the length of the trash."""
        taken, start, count = dict[str, Taken](), 0, 1
        while True:
            began = time.perf_counter()
            place, last = start, start + count - 1
            seen, rows = self._lists.insist(lambda place=place, last=last: self._read([undoing.trash], [place, last]))
            for row in rows:
                _note(taken, row)
            start += int(seen)
            if seen < count:
                return list(taken.values()), start
            count = _next(count, time.perf_counter() - began, READ_STEP)

    def merge(
        self, undoing: UndoProgress, keys: Sequence[str], head: Sequence[Any], gathered: str, given: Sequence[Any]
    ) -> Step | None:
        """Lay a few messages over, and give others back behind them; None when the list is not as it was read.

        Args:
            undoing: Of the change.
            keys: The list, and its neighbour.
            head: What each step begins with.
            gathered: The list in which what the messages became was gathered.
            given: Which ones, as the script wants them.
        """
        names = [*keys, self._lists.aside, undoing.trash, gathered, self._layout.counters, undoing.told]
        with self._lists.translate_errors():
            answer = self._merge([*names, self._layout.add_prefix(LAID)], [*head, *given])
        return Step(*answer) if answer else None

    def put(
        self, undoing: UndoProgress, key: str, gathered: str, behind: bytes, given: Iterable[Any]
    ) -> tuple[str, bytes]:
        """Give some messages back behind another, or in front of all; return their fates, and what is at their left."""
        names = [key, self._lists.aside, undoing.trash, gathered, self._layout.counters, undoing.told]
        with self._lists.translate_errors():
            fates, leftmost = self._put([*names, self._layout.add_prefix(LAID)], [behind, *given])
        return fates.decode(), leftmost

    def gather(self, key: str, gathered: str, rows: Sequence[bytes]) -> None:
        """Bring messages from near the right of a list to the left of another, the next to run first."""
        self._lists.insist(lambda: self._gather([key, gathered], list(rows)))


def _note(taken: dict[str, Taken], row: list[Any]) -> None:
    place, sha, key, message, target, became, before, last_first = row
    name = key.decode("utf-8", "replace")
    one = taken.pop(name, None) or Taken(name, target.decode("utf-8", "replace"))
    taken[name] = one
    one.places.append(place)
    one.shas.append(sha)
    one.messages.append(digest(message))
    one.became.append(digest(became))
    one.before.append(digest(before))
    one.last_first.append(last_first)


def _next(count: int, took_s: float, most: int) -> int:
    return max(1, min(most, count * 2 if took_s < STEP_S else count // 2))

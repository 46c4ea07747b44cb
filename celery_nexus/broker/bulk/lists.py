"""Redis operations of a bulk edit, each bounded, on the lists of one application."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import redis

from celery_nexus.broker.bulk.rotation_scripts import LAY_BACK, LAY_OVER, RELEASE
from celery_nexus.broker.edit.edits import Change
from celery_nexus.broker.edit.removal import Taker
from celery_nexus.broker.edit.trash import Trash
from celery_nexus.broker.wire.scripts import Script
from celery_nexus.connection.keys import TRASH_FOR_S
from celery_nexus.delivery.layout import Layout
from celery_nexus.errors import Refused, Unreachable
from celery_nexus.rows.broker import Message

LAID = "nexus:bulk-laid"
"""Hash of the lists that are laid over, with what the last step answered. What stays here was interrupted: the next
bulk change lays it back."""

TRIES, TRY_AGAIN_S = 5, 0.1
"""Most attempts of a repeatable command, and the pause between two."""

NO_STEP = "0 0 0 0 = "

LOCK = "nexus:bulk:"
LOCK_S = 30
"""Expiry of the lock by which two operators never rotate the same list: who vanished holds it no longer."""


class Step(NamedTuple):
    """What a step of laying over or back did.

    Attributes:
        looked: Messages that it went through.
        changed: Those of them that were changed.
        first: What is at the left of the list now, behind what was published meanwhile; empty when nothing is.
        rest: What stayed in the list.
        fates: Of each message that was to be given back, a letter: see :mod:`.return_scripts`.
    """

    looked: int
    changed: int
    first: bytes
    rest: int
    fates: bytes = b""


class Lists:
    """Reads and changes lists. May be shared by threads.

    Args:
        client: Connection that never repeats a command by itself.
        layout: Names of the application's keys.
        trash: Where what was taken is kept.
        translate_errors: Translates Redis' errors.
    """

    def __init__(self, client: redis.Redis, layout: Layout, trash: Trash, translate_errors: Callable[[], Any]) -> None:
        self.layout = layout
        self._client = client
        self._trash = trash
        self.translate_errors = translate_errors
        self._taker = Taker(client, layout)
        self._unreleased: dict[str, str] = {}
        self._release = Script(client, RELEASE)
        self._over = Script(client, LAY_OVER)
        self._back = Script(client, LAY_BACK)

    def note_laid(self, key: str, *, begin: bool = False) -> bool:
        """Tell whether a list is, or was left, laid over; ``begin`` notes that it is now."""
        with self.translate_errors():
            name = self.layout.add_prefix(LAID)
            return bool(self._client.hset(name, key, NO_STEP) if begin else self._client.hexists(name, key))

    def forget_laid(self, key: str) -> None:
        """Note that a list was laid back."""
        with self.translate_errors():
            self._client.hdel(self.layout.add_prefix(LAID), key)

    def key(self, queue: str, step: int) -> str:
        """Name a list."""
        return self.layout.key(queue, step)

    def neighbour(self, queue: str, step: int) -> str | None:
        """Name the list that is consumed after another; None when there is none."""
        later = [other for other in self.layout.steps if other > step]
        return self.layout.key(queue, later[0]) if later else None

    def rows(self, key: str, start: int, end: int) -> list[bytes]:
        """Read a part of a list."""
        return cast("list[bytes]", self.insist(lambda: self._client.lrange(key, start, end)))

    def next_rows(self, key: str, count: int, step: int) -> Generator[bytes]:
        """Read the next messages of a list, those that run last first, a few at a time.

        Places count from the end where messages are published: what workers take at the other end meanwhile hides
        none, and what is published lets some be read twice.

        Args:
            key: The list.
            count: How many.
            step: How many at a time.
        """
        start = max(0, self.length(key) - count)
        while rows := self.rows(key, start, start + step - 1):
            yield from rows
            start += len(rows)

    def length(self, key: str) -> int:
        """Count a list."""
        return int(self.insist(lambda: self._client.llen(key)))

    def count_taken(self, undo: str) -> int:
        """Count what a change has taken."""
        return self.length(self._trash.key(undo))

    def take(self, message: Message, change: Change, undo: str, *, last_first: bool) -> bool:
        """Change one message wherever it is in its list."""
        with self.translate_errors():
            return self._taker.take(message, change, undo, last_first=last_first)

    def lay(
        self,
        back: bool,
        keys: Sequence[str],
        head: Sequence[Any],
        edits: Sequence[Any] = (),
        *,
        undo: str = "",
        queues: tuple[str, str],
        front: bool = False,
        note: str = "",
    ) -> Step | None:
        """Lay a few messages over, or back; None when the list is not as it was read.

        Args:
            back: Whether back.
            keys: The list, its neighbour, and the list where messages go.
            head: What each step begins with.
            edits: Of each message to be changed: its place, digest and new bytes.
            undo: Token of the change; empty when it can't be taken back.
            queues: The queue, and the one where messages go.
            front: Whether they run next there.
            note: Of the end of runs whose messages are taken out; see :func:`.taking.note_of_end`.
        """
        trash, wakes = self._trash.key(undo), [self.layout.wake_key(queue) for queue in queues]
        own = [self.layout.counters, self.layout.ends, self.layout.add_prefix(LAID)]
        names = [*keys[:2], self.aside, trash, keys[2], *wakes, *own]
        more = [TRASH_FOR_S if undo else 0, "RPUSH" if front else "LPUSH", note, *edits]
        with self.translate_errors():
            answer = (self._back if back else self._over)(names, [*head, *more])
        return Step(*answer) if answer else None

    @property
    def aside(self) -> str:
        """Name the list that is used within a step, and empty between steps."""
        return self.layout.add_prefix("nexus:bulk-aside")

    def read_lost_answer(self, key: str, number: int) -> Step | None:
        """Read what a step answered when its answer was lost; None when it was not made."""
        raw = cast("bytes | None", self.insist(lambda: self._client.hget(self.layout.add_prefix(LAID), key)))
        made, looked, changed, rest, fates, first = (raw or NO_STEP.encode()).split(b" ", 5)
        return Step(int(looked), int(changed), first, int(rest), fates[1:]) if int(made) == number else None

    def read_left_end(self, key: str) -> bytes:
        """Read what was at the left of a list after the last step, behind what was published since; may be empty."""
        raw = cast("bytes | None", self.insist(lambda: self._client.hget(self.layout.add_prefix(LAID), key)))
        return (raw or NO_STEP.encode()).split(b" ", 5)[-1]

    def insist(self, command: Callable[[], Any]) -> Any:
        """Give a command that may be repeated again when the connection breaks, a few times."""
        for _ in range(TRIES - 1):
            try:
                with self.translate_errors():
                    return command()
            except Unreachable:
                time.sleep(TRY_AGAIN_S)
        with self.translate_errors():
            return command()

    @contextmanager
    def hold_lock(self, key: str) -> Generator[Callable[[], object]]:
        """Hold a list's lock, and hand out what renews it.

        Raises:
            Refused: Another operator holds it.
        """
        name = self.layout.add_prefix(LOCK + key)
        mine = self._unreleased.pop(name, None) or secrets.token_hex(8)

        def acquire() -> bool:
            return bool(self._client.set(name, mine, nx=True, ex=LOCK_S)) or self._client.get(name) == mine.encode()

        if not self.insist(acquire):
            where = f"{self.layout.queue_of(key)}, priority {self.layout.step_of(key)}"
            raise Refused(f"another operator is changing {where}, in bulk; try again in half a minute")
        try:
            yield lambda: self.insist(lambda: self._client.expire(name, LOCK_S))
        finally:
            try:
                self.insist(lambda: self._release([name], [mine]))
            except Unreachable:
                self._unreleased[name] = mine  # who tries again has it still
                raise

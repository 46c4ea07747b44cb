"""The steps that a change of many messages is made of, each bounded and on lists of one application."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, cast

import redis

from config.keys import TRASH_FOR_S
from nexus_tui.models.broker import Message
from nexus_tui.sources.broker.edits import Change
from nexus_tui.sources.broker.lay_scripts import LAY_BACK, LAY_OVER
from nexus_tui.sources.broker.layout import Layout
from nexus_tui.sources.broker.scripts import TAKE, Script
from nexus_tui.sources.broker.trash import Trash
from nexus_tui.sources.errors import Refused

LAID = "nexus:bulk-laid"
"""Hash of the lists that are laid over. What stays here was interrupted: the next bulk change lays it back."""

LOCK = "nexus:bulk:"
LOCK_S = 30
"""Two operators never lay over the same list; who vanished is waited for no longer than this."""


class Lists:
    """Reads and changes lists. May be shared by threads.

    Args:
        client: Connection that never repeats a command by itself.
        layout: Names of the application's keys.
        trash: Where what was taken is kept.
        reaching: Translates Redis' errors.
    """

    def __init__(self, client: redis.Redis, layout: Layout, trash: Trash, reaching: Callable[[], Any]) -> None:
        self.layout = layout
        self._client = client
        self._trash = trash
        self._reaching = reaching
        self._take = Script(client, TAKE)
        self._over = Script(client, LAY_OVER)
        self._back = Script(client, LAY_BACK)

    def note_laid(self, key: str, *, begin: bool = False) -> bool:
        """Tell whether a list is, or was left, laid over; ``begin`` notes that it is now."""
        with self._reaching():
            name = self.layout.named(LAID)
            return bool(self._client.hset(name, key, "1") if begin else self._client.hexists(name, key))

    def forget_laid(self, key: str) -> None:
        """Note that a list was laid back."""
        with self._reaching():
            self._client.hdel(self.layout.named(LAID), key)

    def key(self, queue: str, step: int) -> str:
        """Name a list."""
        return self.layout.key(queue, step)

    def neighbour(self, queue: str, step: int) -> str | None:
        """Name the list that is consumed after another; None when there is none."""
        later = [other for other in self.layout.steps if other > step]
        return self.layout.key(queue, later[0]) if later else None

    def rows(self, key: str, start: int, end: int) -> list[bytes]:
        """Read a part of a list."""
        with self._reaching():
            return cast("list[bytes]", self._client.lrange(key, start, end))

    def length(self, key: str) -> int:
        """Count a list."""
        with self._reaching():
            return int(self._client.llen(key))  # pyright: ignore[reportArgumentType]

    def take(self, message: Message, change: Change, undo: str) -> bool:
        """Change one message wherever it is in its list."""
        keys = [self.key(message.queue, message.priority), self.key(change.queue, change.priority)]
        keys += [self._trash.key(undo), self.layout.wake(message.queue), self.layout.wake(change.queue)]
        keys.append(self.layout.counters)
        depth = -1 if message.depth is None else message.depth
        place = "front" if change.front else "back"
        with self._reaching():
            return bool(self._take(keys, [message.raw, depth, change.raw, place, TRASH_FOR_S if undo else 0]))

    def lay(self, back: bool, keys: list[str], undo: str, queues: tuple[str, str], args: list[Any]) -> Any:
        """Lay a few messages over, or back."""
        trash, wakes = self._trash.key(undo), [self.layout.wake(queue) for queue in queues]
        names = [
            keys[0],
            keys[1],
            self.layout.named("nexus:bulk-aside"),
            trash,
            keys[2],
            *wakes,
            self.layout.counters,
        ]
        with self._reaching():
            return (self._back if back else self._over)(names, [TRASH_FOR_S if undo else 0, *args])

    @contextmanager
    def alone(self, key: str) -> Generator[Callable[[], None]]:
        """Hold a list's lock, and hand out what renews it.

        Raises:
            Refused: Another operator holds it.
        """
        name, mine = self.layout.named(LOCK + key), secrets.token_hex(8)
        with self._reaching():
            if not self._client.set(name, mine, nx=True, ex=LOCK_S):
                raise Refused(f"another operator is changing {key} in bulk; try again in half a minute")

        def renew() -> None:
            with self._reaching():
                self._client.expire(name, LOCK_S)

        try:
            yield renew
        finally:
            with self._reaching():
                self._client.delete(name)

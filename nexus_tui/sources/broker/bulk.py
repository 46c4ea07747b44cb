"""Change everything that was selected, message by message in single steps, without holding up anybody.

Taking a message out of the middle of a list costs Redis the way to it: 0.3 s at the far end of a million. What lies
deep is reached otherwise: the list is laid over, a few hundred messages in a step, from its left end to the right
end of the list that is consumed after it, and laid back. At every moment each message waits in exactly one list, in
the order in which it runs, so that workers go on beside it, and an interruption leaves nothing where no worker looks.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from array import array
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import redis

from config.keys import TRASH_FOR_S
from nexus_tui.models.broker import Message
from nexus_tui.models.selection import Frozen
from nexus_tui.sources.broker.decode import decode
from nexus_tui.sources.broker.edits import Change, Edit, NothingToDo
from nexus_tui.sources.broker.layout import Layout
from nexus_tui.sources.broker.scripts import LAY_BACK, LAY_OVER, TAKE, Script
from nexus_tui.sources.broker.trash import Trash
from nexus_tui.sources.errors import Invalid, Refused, SourceError

NEAR = 15_000
"""So far from an end a message is taken out directly: about 5 ms of the server's time."""

RESERVE = 2_000
"""So many messages, the next to run, are never laid over: workers go on with them meanwhile."""

FEW = 200
"""So many messages near an end are taken out directly; more are reached by laying over."""

FIRST_STEP, SMALLEST_STEP, LARGEST_STEP = 100, 20, 1000
MOST_NEW = 5000
"""What is published between two steps is looked through up to so many messages."""

PATIENCE = 20
"""Steps in a row that may find the list changed."""

STEP_S = 0.005
"""A step takes about so long, so that others wait no longer."""

LAID = "nexus:bulk-laid"
"""Hash of the lists that are laid over. What stays here was interrupted: the next bulk change lays it back."""

LOCK = "nexus:bulk:"
LOCK_S = 30
"""Two operators never lay over the same list; who vanished is waited for no longer than this."""

Taken = Callable[[Sequence[Message]], None]


@dataclass
class Progress:
    """What a change has done so far.

    Attributes:
        wanted: Messages that were selected.
        changed: Messages that were changed.
        kept: Messages that are as wanted already, or can't be changed so, by reason.
        problem: Why it ended early; empty when it did not.
    """

    wanted: int
    changed: int = 0
    kept: dict[str, int] = field(default_factory=dict[str, int])
    problem: str = ""

    @property
    def gone(self) -> int:
        """Selected messages that were not found any more: workers had started them."""
        return self.wanted - self.changed - sum(self.kept.values())

    def keep(self, reason: str) -> None:
        """Count a message that stays as it is."""
        self.kept[reason] = self.kept.get(reason, 0) + 1


class Bulk:
    """Changes many messages of one application. May be shared by threads.

    Args:
        client: Connection that never repeats a command by itself.
        layout: Names of the application's keys.
        reaching: Translates Redis' errors.
    """

    def __init__(self, client: redis.Redis, layout: Layout, trash: Trash, reaching: Callable[[], Any]) -> None:
        self._client = client
        self._layout = layout
        self._trash = trash
        self._reaching = reaching
        self._take = Script(client, TAKE)
        self._over = Script(client, LAY_OVER)
        self._back = Script(client, LAY_BACK)

    def apply(self, frozen: Frozen, edit: Edit, undo: str, taken: Taken | None = None) -> Progress:
        """Change what was selected, as far as it still waits.

        Args:
            frozen: What was selected.
            edit: The change.
            undo: Token under which it can be taken back; empty when it can't.
            taken: Called with messages that were just changed; an error of it ends the change.
        """
        progress = Progress(frozen.count)
        try:
            self._mend(frozen)
            for step in sorted(frozen.by_list):
                one = _List(self, frozen, step, edit, undo, progress, taken or (lambda _: None))
                one.change()
        except SourceError as error:
            progress.problem = str(error)
        return progress

    def _mend(self, frozen: Frozen) -> None:
        """Lay back what an interrupted change of this queue left with the neighbours of its lists."""
        queue = frozen.selection.queue
        for step in self._layout.steps:
            neighbour = self.neighbour(queue, step)
            if neighbour is None or not self.note_laid(self.key(queue, step)):
                continue
            with self.alone(self.key(queue, step)):
                self._lay_back_stray(queue, step, neighbour)
            # What was frozen among the neighbour's messages may be where it belongs again.
            after = self._layout.steps[self._layout.steps.index(step) + 1]
            if after in frozen.by_list:
                frozen.by_list.setdefault(step, {}).update(frozen.by_list[after])

    def _lay_back_stray(self, queue: str, step: int, neighbour: str) -> None:
        key = self.key(queue, step)
        while rows := self.rows(neighbour, -1, -1):
            if self._layout.step(_priority(rows[0])) != step:
                break
            first = self.rows(key, 0, 0)
            args = ["LPUSH", first[0] if first else b"", _sha1(rows[0]), 1]
            self.lay(True, [key, neighbour, key], "", (queue, queue), args)
        self.forget_laid(key)

    # What one list needs

    def note_laid(self, key: str, *, begin: bool = False) -> bool:
        """Tell whether a list is, or was left, laid over; ``begin`` notes that it is now."""
        with self._reaching():
            name = self._layout.named(LAID)
            return bool(self._client.hset(name, key, "1") if begin else self._client.hexists(name, key))

    def forget_laid(self, key: str) -> None:
        """Note that a list was laid back."""
        with self._reaching():
            self._client.hdel(self._layout.named(LAID), key)

    def key(self, queue: str, step: int) -> str:
        """Name a list."""
        return self._layout.key(queue, step)

    def neighbour(self, queue: str, step: int) -> str | None:
        """Name the list that is consumed after another; None when there is none."""
        later = [other for other in self._layout.steps if other > step]
        return self._layout.key(queue, later[0]) if later else None

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
        keys += [self._trash.key(undo), self._layout.wake(message.queue), self._layout.wake(change.queue)]
        keys.append(self._layout.counters)
        depth = -1 if message.depth is None else message.depth
        place = "front" if change.front else "back"
        with self._reaching():
            return bool(self._take(keys, [message.raw, depth, change.raw, place, TRASH_FOR_S if undo else 0]))

    def lay(self, back: bool, keys: list[str], undo: str, queues: tuple[str, str], args: list[Any]) -> Any:
        """Lay a few messages over, or back."""
        trash, wakes = self._trash.key(undo), [self._layout.wake(queue) for queue in queues]
        names = [
            keys[0],
            keys[1],
            self._layout.named("nexus:bulk-aside"),
            trash,
            keys[2],
            *wakes,
            self._layout.counters,
        ]
        with self._reaching():
            return (self._back if back else self._over)(names, [TRASH_FOR_S if undo else 0, *args])

    @contextmanager
    def alone(self, key: str) -> Generator[Callable[[], None]]:
        """Hold a list's lock, and hand out what renews it.

        Raises:
            Refused: Another operator holds it.
        """
        name, mine = self._layout.named(LOCK + key), secrets.token_hex(8)
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


class _List:
    """The change of one list: what is near an end directly, the rest by laying over."""

    def __init__(
        self, bulk: Bulk, frozen: Frozen, step: int, edit: Edit, undo: str, progress: Progress, taken: Taken
    ) -> None:
        self._bulk = bulk
        self._queue = frozen.selection.queue
        self._step = step
        self._edit = edit
        self._undo = undo
        self._progress = progress
        self._taken = taken
        self._places = frozen.by_list[step]
        self._left = set(self._places)
        self._key = bulk.key(self._queue, step)
        self._target = (self._queue, self._key)

    def change(self) -> None:
        """Change what was selected."""
        if (reason := self._stays()) is not None:
            self._progress.kept[reason] = self._progress.kept.get(reason, 0) + len(self._left)
            return
        neighbour = self._bulk.neighbour(self._queue, self._step)
        length = self._bulk.length(self._key)
        far = [depth for depth in self._places.values() if NEAR < depth < length - NEAR]
        changes_target = self._edit.front and self._goes_to(neighbour)
        is_short = length <= RESERVE or (not far and len(self._places) <= FEW)
        if neighbour is None or changes_target or is_short:
            self.take_directly(length)
            return
        with self._bulk.alone(self._key) as renew:
            _Laying(self._bulk, self, self._key, neighbour, renew).run()

    def planned(self, raw: bytes, depth: int | None = None) -> tuple[Message, Change] | None:
        """Say what becomes of a selected message; None for one that was not selected, or stays as it is."""
        digest = hash(raw)
        if digest not in self._left:
            return None
        message = decode(raw, queue=self._queue, priority=self._step, position=0, now=time.time(), depth=depth)
        try:
            change = self._edit.of(message)
        except (NothingToDo, Invalid) as nothing:
            self._left.discard(digest)
            self._progress.keep(str(nothing))
            return None
        self._target = (change.queue, self._bulk.key(change.queue, change.priority))
        return message, change

    def did(self, messages: Sequence[Message]) -> None:
        """Note what was changed."""
        self._left.difference_update(hash(message.raw) for message in messages)
        self._progress.changed += len(messages)
        if messages:
            self._taken(messages)

    @property
    def edit(self) -> Edit:
        """The change."""
        return self._edit

    @property
    def undo(self) -> str:
        """Token of the change."""
        return self._undo

    @property
    def queues(self) -> tuple[str, str]:
        """The queue, and the one where messages go."""
        return self._queue, self._target[0]

    @property
    def target(self) -> str:
        """The list where messages go."""
        return self._target[1]

    @property
    def left(self) -> set[int]:
        """Digests of what was not found yet."""
        return set(self._left)

    def _sample(self) -> Change:
        return self._edit.of(
            Message("", "", self._queue, self._step, 0, None, None, None, raw=b'{"properties":{}, "headers":{}}')
        )

    def _stays(self) -> str | None:
        """Say why no message of this list is changed; None when they are."""
        try:
            change = self._sample()
        except NothingToDo as nothing:
            return str(nothing)
        is_same = self._bulk.key(change.queue, change.priority) == self._key
        return "is there already" if is_same and change.raw and self._edit.goes_back else None

    def _goes_to(self, key: str | None) -> bool:
        change = self._sample()
        return bool(change.raw) and self._bulk.key(change.queue, change.priority) == key

    def take_directly(self, length: int) -> None:
        """Take out, one by one, what is among the next ``length``, those that run last first.

        What goes to the back of another list is sent there in run order instead.
        """
        found: list[tuple[int, bytes]] = []
        for start in range(0, length, LARGEST_STEP):
            rows = self._bulk.rows(self._key, -start - LARGEST_STEP, -start - 1)
            found += [(start + place, raw) for place, raw in enumerate(reversed(rows)) if hash(raw) in self._left]
            if len(found) >= len(self._left):
                break
        goes_back = self._edit.goes_back
        for done, (depth, raw) in enumerate(found if goes_back else reversed(found)):
            if planned := self.planned(raw, max(0, depth - done) if goes_back else depth):
                message, change = planned
                if self._bulk.take(message, change, self._undo):
                    self.did([message])


class _Laying:
    """Lays a list over to its neighbour until everything selected was seen, and back."""

    def __init__(self, bulk: Bulk, one: _List, key: str, neighbour: str, renew: Callable[[], None]) -> None:
        self._bulk = bulk
        self._one = one
        self._key = key
        self._neighbour = neighbour
        self._renew = renew
        self._laid = array("q")
        self._sizes = FIRST_STEP
        self._stuck = 0
        self._first = b""
        # What goes to the back of a list is sent there in run order: on the way back, which begins with the next one.
        self._edits_over, self._edits_back = not one.edit.goes_back, one.edit.goes_back

    def run(self) -> None:
        """Do it; whatever happens, what was laid over is laid back if the broker answers."""
        wanted = self._one.left
        rows = self._bulk.rows(self._key, 0, 0)
        self._first = rows[0] if rows else b""
        self._bulk.note_laid(self._key, begin=True)
        try:
            while self._first and wanted:
                if not self._over(wanted):
                    break
            self._take_reserve()
        finally:
            while self._laid:
                self._lay_back()
            self._bulk.forget_laid(self._key)

    def _over(self, wanted: set[int]) -> bool:
        """Lay some messages over; False when only the reserve is left, and what was published since."""
        rows = self._old_rows()
        if not rows:
            return False
        args: list[Any] = ["RPUSH" if self._one.edit.front else "LPUSH", self._first, len(rows), RESERVE]
        edited: list[Message] = []
        staged: list[int] = []
        for place, raw in enumerate(rows):
            planned = self._one.planned(raw) if self._edits_over else None
            if planned is None:
                staged.append(hash(raw))
            else:
                edited.append(planned[0])
                args += [place, _sha1(raw), planned[1].raw]
        answer = self._timed(back=False, args=args, count=len(rows))
        laid, changed, first, rest = cast("tuple[int, int, bytes, int]", answer or (0, 0, self._first, RESERVE + 1))
        self._laid.extend(staged[:laid])
        self._one.did(edited[:changed])
        self._first = first
        wanted.difference_update(map(hash, rows[: laid + changed]))
        self._stuck = 0 if laid + changed else self._stuck + 1
        if self._stuck > PATIENCE:
            raise SourceError(f"{self._key} changes faster than it can be followed")
        return rest > RESERVE

    def _take_reserve(self) -> None:
        """Change what is in the reserve; what was at the left may be taken out with it."""
        old = list(map(hash, self._bulk.rows(self._key, -RESERVE, -1)))
        is_in_reserve = hash(self._first) in old
        self._one.take_directly(RESERVE)
        if is_in_reserve:
            still_old = set(old[old.index(hash(self._first)) :])
            rows = self._bulk.rows(self._key, 0, RESERVE + MOST_NEW)
            self._first = next((raw for raw in rows if hash(raw) in still_old), b"")

    def _old_rows(self) -> list[bytes]:
        """Read the next messages of the left end, behind what was published since."""
        rows = self._bulk.rows(self._key, 0, self._sizes - 1)
        if rows and rows[0] == self._first:
            return rows
        for start in range(0, MOST_NEW, LARGEST_STEP):
            rows = self._bulk.rows(self._key, start, start + LARGEST_STEP + self._sizes - 1)
            if self._first in rows:
                place = rows.index(self._first)
                return rows[place : place + self._sizes]
            if len(rows) < LARGEST_STEP:
                return []
        raise SourceError(f"{self._key} changes faster than it can be followed")

    def _lay_back(self) -> None:
        count = min(self._sizes, len(self._laid))
        rows = self._bulk.rows(self._neighbour, -count, -1)
        if not rows or hash(rows[-1]) != self._laid[-1]:
            self._forget_started(hash(rows[-1]) if rows else None)
            return
        rows.reverse()
        count = next((i for i, raw in enumerate(rows) if hash(raw) != self._laid[-1 - i]), len(rows))
        rows = rows[:count]
        args: list[Any] = ["LPUSH", self._first, _sha1(rows[0]), count]
        edited: list[Message] = []
        for place, raw in enumerate(rows):
            planned = self._one.planned(raw) if self._edits_back else None
            if planned is not None:
                edited.append(planned[0])
                args += [place, _sha1(raw), planned[1].raw]
        answer = self._timed(back=True, args=args, count=count)
        if answer is None:
            return
        looked, changed, first = cast("tuple[int, int, bytes]", answer)
        del self._laid[len(self._laid) - looked :]
        self._one.did(edited[:changed])
        self._first = first

    def _forget_started(self, now_next: int | None) -> None:
        """Workers had emptied the list and went on with what was laid over: forget what they took."""
        while self._laid and self._laid[-1] != now_next:
            self._laid.pop()

    def _timed(self, *, back: bool, args: list[Any], count: int) -> Any:
        started = time.perf_counter()
        keys = [self._key, self._neighbour, self._one.target]
        answer = self._bulk.lay(back, keys, self._one.undo, self._one.queues, args)
        took_s = time.perf_counter() - started
        wanted = int(count * STEP_S / max(took_s, 1e-6))
        self._sizes = max(SMALLEST_STEP, min(LARGEST_STEP, (self._sizes + wanted) // 2))
        self._renew()
        return answer


def _sha1(raw: bytes) -> str:
    return hashlib.sha1(raw, usedforsecurity=False).hexdigest()


def _priority(raw: bytes) -> int:
    """Read the priority that a message says it has; 0 when it says none."""
    try:
        properties = json.loads(raw)["properties"]
        priority: object = properties.get("priority")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return 0
    return priority if isinstance(priority, int) and 0 <= priority <= 9 else 0

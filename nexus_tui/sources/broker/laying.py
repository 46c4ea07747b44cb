"""Lay a list over to its neighbour and back, changing what was selected on the way.

At every moment each message waits in exactly one list, in the order in which it runs.
"""

from __future__ import annotations

import hashlib
import time
from array import array
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from nexus_tui.models.broker import Message
from nexus_tui.sources.broker.edits import Change, Edit
from nexus_tui.sources.broker.lists import TRIES, TRY_AGAIN_S, Lists, Step
from nexus_tui.sources.errors import SourceError, Unreachable

RESERVE = 2_000
"""So many messages, the next to run, are never laid over: workers go on with them meanwhile."""

FIRST_STEP, SMALLEST_STEP, LARGEST_STEP = 100, 20, 500
MOST_NEW = 5000
"""What is published between two steps is looked through up to so many messages."""

PATIENCE = 20
"""Steps in a row that may find the list changed."""

STEP_S = 0.003
"""A step takes about so long, so that others wait no longer."""


class Selected(Protocol):
    """What was selected in one list, and what becomes of it."""

    @property
    def edit(self) -> Edit:
        """The change."""
        ...

    @property
    def undo(self) -> str:
        """Token of the change."""
        ...

    @property
    def queues(self) -> tuple[str, str]:
        """The queue, and the one where messages go."""
        ...

    @property
    def target(self) -> str:
        """The list where messages go."""
        ...

    @property
    def left(self) -> set[int]:
        """Digests of what was not found yet."""
        ...

    def planned(self, raw: bytes) -> tuple[Message, Change] | None:
        """Say what becomes of a selected message; None for one that was not selected, or stays as it is."""
        ...

    def did(self, messages: Sequence[Message]) -> None:
        """Note what was changed."""

    def take_directly(self, length: int) -> None:
        """Change, one by one, what is among the next ``length``."""


class Laying:
    """Lays a list over to its neighbour until everything selected was seen, and back."""

    def __init__(self, lists: Lists, one: Selected, key: str, neighbour: str, renew: Callable[[], object]) -> None:
        self._lists = lists
        self._one = one
        self._key = key
        self._neighbour = neighbour
        self._renew = renew
        self._laid = array("q")
        self._sizes = FIRST_STEP
        self._stuck = 0
        self._number = 0
        self._first = b""
        # What goes to the back of a list is sent there in run order: on the way back, which begins with the next one.
        self._edits_over, self._edits_back = not one.edit.goes_back, one.edit.goes_back

    def run(self) -> None:
        """Do it; whatever happens, what was laid over is laid back if the broker answers."""
        wanted = self._one.left
        rows = self._lists.rows(self._key, 0, 0)
        self._first = rows[0] if rows else b""
        self._lists.note_laid(self._key, begin=True)
        try:
            while self._first and wanted:
                if not self._over(wanted):
                    break
            self._take_reserve()
        finally:
            self._lay_all_back()

    def _lay_all_back(self) -> None:
        failed = 0
        while self._laid:
            try:
                self._lay_back()
            except Unreachable:
                failed += 1
                if failed == TRIES:
                    raise
                time.sleep(TRY_AGAIN_S)
        self._lists.forget_laid(self._key)

    def _over(self, wanted: set[int]) -> bool:
        """Lay some messages over; False when only the reserve is left, and what was published since."""
        rows = self._old_rows()
        if not rows:
            return False
        args: list[Any] = [
            "RPUSH" if self._one.edit.front else "LPUSH",
            self._first,
            len(rows),
            RESERVE,
            self._next_number(),
        ]
        edited: list[Message] = []
        staged: list[int] = []
        for place, raw in enumerate(rows):
            planned = self._one.planned(raw) if self._edits_over else None
            if planned is None:
                staged.append(hash(raw))
            else:
                edited.append(planned[0])
                args += [place, sha1(raw), planned[1].raw]
        step = self._timed(back=False, args=args, count=len(rows)) or Step(0, 0, self._first, RESERVE + 1)
        self._laid.extend(staged[: step.looked - step.changed])
        self._one.did(edited[: step.changed])
        self._first = step.first
        wanted.difference_update(map(hash, rows[: step.looked]))
        self._stuck = 0 if step.looked else self._stuck + 1
        if self._stuck > PATIENCE:
            raise SourceError(f"{self._key} changes faster than it can be followed")
        return step.rest > RESERVE

    def _take_reserve(self) -> None:
        """Change what is in the reserve; what was at the left may be taken out with it."""
        old = list(map(hash, self._lists.rows(self._key, -RESERVE, -1)))
        is_in_reserve = hash(self._first) in old
        try:
            self._one.take_directly(RESERVE)
        finally:
            if is_in_reserve:
                still_old = set(old[old.index(hash(self._first)) :])
                rows = self._lists.rows(self._key, 0, RESERVE + MOST_NEW)
                self._first = next((raw for raw in rows if hash(raw) in still_old), b"")

    def _old_rows(self) -> list[bytes]:
        """Read the next messages of the left end, behind what was published since."""
        rows = self._lists.rows(self._key, 0, self._sizes - 1)
        if rows and rows[0] == self._first:
            return rows
        for start in range(0, MOST_NEW, LARGEST_STEP):
            rows = self._lists.rows(self._key, start, start + LARGEST_STEP + self._sizes - 1)
            if self._first in rows:
                place = rows.index(self._first)
                return rows[place : place + self._sizes]
            if len(rows) < LARGEST_STEP:
                return []
        raise SourceError(f"{self._key} changes faster than it can be followed")

    def _lay_back(self) -> None:
        count = min(self._sizes, len(self._laid))
        rows = self._lists.rows(self._neighbour, -count, -1)
        if not rows or hash(rows[-1]) != self._laid[-1]:
            self._forget_started(hash(rows[-1]) if rows else None)
            return
        rows.reverse()
        count = next((i for i, raw in enumerate(rows) if hash(raw) != self._laid[-1 - i]), len(rows))
        rows = rows[:count]
        args: list[Any] = ["LPUSH", self._first, count, sha1(rows[0]), self._next_number()]
        edited: list[Message] = []
        for place, raw in enumerate(rows):
            planned = self._one.planned(raw) if self._edits_back else None
            if planned is not None:
                edited.append(planned[0])
                args += [place, sha1(raw), planned[1].raw]
        step = self._timed(back=True, args=args, count=count)
        if step is None:
            return
        del self._laid[len(self._laid) - step.looked :]
        self._one.did(edited[: step.changed])
        self._first = step.first

    def _forget_started(self, now_next: int | None) -> None:
        """Workers had emptied the list and went on with what was laid over: forget what they took."""
        while self._laid and self._laid[-1] != now_next:
            self._laid.pop()

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _timed(self, *, back: bool, args: list[Any], count: int) -> Step | None:
        self._renew()
        started = time.perf_counter()
        keys = [self._key, self._neighbour, self._one.target]
        try:
            answer = self._lists.lay(back, keys, self._one.undo, self._one.queues, args)
        except Unreachable:
            answer = self._lists.answered(self._key, self._number)
            if answer is None:
                raise
        took_s = time.perf_counter() - started
        wanted = int(count * STEP_S / max(took_s, 1e-6))
        self._sizes = max(SMALLEST_STEP, min(LARGEST_STEP, (self._sizes + wanted) // 2))
        return answer


def sha1(raw: bytes) -> str:
    """Digest a message as the scripts do."""
    return hashlib.sha1(raw, usedforsecurity=False).hexdigest()

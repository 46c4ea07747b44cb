"""Rotation of a list: its messages move to the neighbouring list and back, and are edited on the way.

At every moment each message waits in exactly one list, in the order in which it runs.
"""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from celery_nexus.broker.bulk.lists import TRIES, TRY_AGAIN_S, Lists, Step
from celery_nexus.errors import SourceError, Unreachable

RESERVE = 2_000
"""Number of messages, the next to run, that a rotation leaves in place for workers."""

FIRST_STEP, SMALLEST_STEP, LARGEST_STEP = 100, 20, 500
MOST_NEW = 5000
"""Most messages that are looked through for those published between two steps."""

PATIENCE = 20
"""Most steps in a row that may find the list changed."""

STEP_S = 0.003
"""Target duration of a step, which bounds the wait of other clients."""

NEAR = 15_000
"""Largest distance from an end at which a message is reached directly: about 5 ms of the server's time."""

FEW = 200
"""Most messages near an end that are reached directly; more by a rotation."""


class ListRotation(ABC):
    """Lays a list over to its neighbour until everything wanted was seen, and back.

    Args:
        lists: The steps it is made of.
        key: The list.
        neighbour: The list that is consumed after it.
        renew: Keeps the list's lock.
    """

    def __init__(self, lists: Lists, key: str, neighbour: str, renew: Callable[[], object]) -> None:
        self.lists = lists
        self.key = key
        self.neighbour = neighbour
        self.laid = array("q")
        self.first = b""
        self.is_first_known = True
        self._renew = renew
        self._unsettled: Callable[[Step], None] | None = None
        self._size = FIRST_STEP
        self._stuck = 0
        self._number = 0

    def run(self) -> None:
        """Do it; whatever happens, what was laid over is laid back if the broker answers."""
        rows = self.lists.rows(self.key, 0, 0)
        self.first = rows[0] if rows else b""
        self.lists.note_laid(self.key, begin=True)
        try:
            while self.first and not self.is_done and self._go_over():
                pass
            if not self.empties_reserve:
                self.change_reserve()
        finally:
            self._lay_all_back()
        if self.empties_reserve:
            self.change_reserve()

    @property
    def empties_reserve(self) -> bool:
        """Whether the reserve may run out in :meth:`change_reserve`, and that can wait until all is laid back.

        Workers would go on with what is published meanwhile, before what was laid over.
        """
        return False

    @property
    @abstractmethod
    def is_done(self) -> bool:
        """Whether nothing more is to be reached."""

    @abstractmethod
    def lay_over(self, rows: list[bytes]) -> Step:
        """Lay the messages at the left end over by :meth:`take_step`; ``laid`` has what is at the neighbour's right."""

    @abstractmethod
    def change_reserve(self) -> None:
        """Reach what is wanted among the next messages to run; keep ``first`` what is at the left of what stayed."""

    @abstractmethod
    def lay_back(self, rows: list[bytes], head: list[Any]) -> Step | None:
        """Lay messages back by :meth:`take_step`, the next to run first; None when the list is not as it was read."""

    def find_left_end(self) -> bytes:
        """Find what is at the left of what stayed, where :meth:`change_reserve` may have changed it; may be empty."""
        return self.lists.read_left_end(self.key)

    def head(self, count: int, stay: int | str) -> list[Any]:
        """Write what each step begins with."""
        self._number += 1
        return [self.first, count, stay, self._number]

    def take_step(self, count: int, step: Callable[[], Step | None], settle: Callable[[Step], None]) -> Step | None:
        """Take a step of ``count`` messages, so that the next takes as long as it should, and note what it did.

        Args:
            count: How many.
            step: Gives the command; None when the list is not as it was read.
            settle: Notes what was done.

        Raises:
            Unreachable: It was not made, or nobody knows yet: what it did is noted before anything is laid back.
        """
        self._renew()
        started = time.perf_counter()
        self._unsettled = settle
        try:
            answer = step()
        except Unreachable:
            answer = self.lists.read_lost_answer(self.key, self._number)
            if answer is None:
                self._unsettled = None
                raise
        self._settle(answer)
        took_s = time.perf_counter() - started
        wanted = int(count * STEP_S / max(took_s, 1e-6))
        self._size = max(SMALLEST_STEP, min(LARGEST_STEP, (self._size + wanted) // 2))
        return answer

    def note_laid_back(self, step: Step) -> None:
        """Note that messages are where they were."""
        del self.laid[len(self.laid) - step.looked :]

    def _settle(self, answer: Step | None) -> None:
        settle, self._unsettled = self._unsettled, None
        if answer is not None and settle is not None:
            self.first = answer.first
            settle(answer)

    def _settle_lost_answer(self) -> None:
        """Note what the last step did, when nobody could be asked for its answer."""
        if self._unsettled is not None:
            answer = self.lists.read_lost_answer(self.key, self._number)
            with suppress(SourceError):  # who tries again finds out what keeps it from going on
                self._settle(answer)

    def _lay_all_back(self) -> None:
        failed = 0
        while self.laid or self._unsettled:
            try:
                self._settle_lost_answer()
                if not self.is_first_known:
                    self.first, self.is_first_known = self.find_left_end(), True
                if self.laid:
                    self._go_back()
            except Unreachable:
                failed += 1
                if failed == TRIES:
                    raise
                time.sleep(TRY_AGAIN_S)
        self.lists.forget_laid(self.key)

    def _go_over(self) -> bool:
        """Lay some messages over; False when only the reserve is left, and what was published since."""
        rows = self._old_rows()
        if not rows:
            return False
        step = self.lay_over(rows)
        self._stuck = 0 if step.looked or step.fates else self._stuck + 1
        if self._stuck > PATIENCE:
            raise SourceError(f"{self.key} changes faster than it can be followed")
        return step.rest > RESERVE

    def _old_rows(self) -> list[bytes]:
        """Read the next messages of the left end, behind what was published since."""
        rows = self.lists.rows(self.key, 0, self._size - 1)
        if rows and rows[0] == self.first:
            return rows
        for start in range(0, MOST_NEW, LARGEST_STEP):
            rows = self.lists.rows(self.key, start, start + LARGEST_STEP + self._size - 1)
            if self.first in rows:
                place = rows.index(self.first)
                return rows[place : place + self._size]
            if len(rows) < LARGEST_STEP:
                return []
        raise SourceError(f"{self.key} changes faster than it can be followed")

    def _go_back(self) -> None:
        count = min(self._size, len(self.laid))
        rows = self.lists.rows(self.neighbour, -count, -1)
        if not rows or hash(rows[-1]) != self.laid[-1]:
            self._forget_started(hash(rows[-1]) if rows else None)
            return
        rows.reverse()
        count = next((i for i, raw in enumerate(rows) if hash(raw) != self.laid[-1 - i]), len(rows))
        self.lay_back(rows[:count], self.head(count, sha1(rows[0])))

    def _forget_started(self, now_next: int | None) -> None:
        """Workers had emptied the list and went on with what was laid over: forget what they took."""
        while self.laid and self.laid[-1] != now_next:
            self.laid.pop()


def sha1(raw: bytes) -> str:
    """Digest a message as the scripts do."""
    return hashlib.sha1(raw, usedforsecurity=False).hexdigest()

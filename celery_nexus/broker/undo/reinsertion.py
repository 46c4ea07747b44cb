"""Reinsertion of messages behind those that stayed: directly, or during a rotation of the list."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from celery_nexus.broker.bulk import list_rotation
from celery_nexus.broker.bulk.list_rotation import ListRotation, sha1
from celery_nexus.broker.bulk.lists import Lists, Step
from celery_nexus.broker.undo.chains import Chains, Taken, Window
from celery_nexus.broker.undo.trash_reader import STEP_S, TrashReader, UndoProgress
from celery_nexus.errors import SourceError, Unreachable

STEP = 100
"""Messages put back in one step, at most."""

SHARE, LEAST = 5, 4
"""Messages put back in each step of a rotation: a fifth of those that move, but at least some."""


class Changed(SourceError):
    """Somebody else takes the same change back."""

    def __init__(self) -> None:
        super().__init__("somebody else takes the same change back")


class Reinsertion:
    """Puts back what was taken from one list.

    Args:
        undoing: Of the change.
        reader: The steps it is made of.
        taken: What was taken.
        window: Where it is in the trash.
        chains: Where it belongs.
        gathered: The list at whose left what it became was gathered.
    """

    def __init__(
        self, undoing: UndoProgress, reader: TrashReader, taken: Taken, window: Window, chains: Chains, gathered: str
    ) -> None:
        self.undoing = undoing
        self.reader = reader
        self.chains = chains
        self.gathered = gathered
        self._taken = taken
        self._window = window

    def put(self, behind: bytes, chain: list[int], leftmost: Callable[[bytes, bytes], None] | None = None) -> None:
        """Put a chain back behind a message, or in front of all.

        Args:
            behind: The message; empty for none.
            chain: Numbers in run order; those that are back are taken out of it.
            leftmost: Told of each step: ``behind``, and what is at the left of what was put back.
        """
        step = 1
        while chain:
            part = chain[: -step - 1 : -1]
            began = time.perf_counter()
            given = self.name_changes(part)
            fates, left = self.reader.put(self.undoing, self._taken.key, self.gathered, behind, given)
            if left and leftmost:
                leftmost(behind, left)
            self.settle(part, chain, fates)
            took_s = time.perf_counter() - began
            step = max(1, min(STEP, step * 2 if took_s < STEP_S else step // 2))

    def name_changes(self, part: Sequence[int], window: Window | None = None) -> list[Any]:
        """Name changes as the scripts want them: where each is in the trash, and its SHA1."""
        trial = window or self._window.copy()
        named: list[Any] = []
        for number in part:
            named += [trial.take(self._taken.places[number]), self._taken.shas[number]]
        return named

    def trial(self) -> Window:
        """Copy what is known of the trash, to name the changes of several chains in one step."""
        return self._window.copy()

    def settle(self, part: Sequence[int], chain: list[int], fates: str) -> array[int]:
        """Note what became of a chain's last messages; return digests of those that are back.

        Raises:
            Changed: The trash is not as it was read.
        """
        back = array("q")
        for number, fate in zip(part, fates, strict=False):
            if fate == "!":
                raise Changed
            self._window.take(self._taken.places[number])
            chain.pop()
            if fate == "b":
                back.append(self._taken.messages[number])
        return back


class RotatingReinsertion(ListRotation):
    """Puts messages back while their list is laid over.

    Args:
        lists: The steps on lists.
        putting: What is put back.
        key: The list.
        neighbour: The list that is consumed after it.
        renew: Keeps the list's lock.
        far: Digests of messages that are reached by laying over.
    """

    def __init__(
        self, lists: Lists, putting: Reinsertion, key: str, neighbour: str, renew: Callable[[], object], far: set[int]
    ) -> None:
        super().__init__(lists, key, neighbour, renew)
        self._putting = putting
        self._far = far

    @property
    def is_done(self) -> bool:
        """Whether everything behind which messages belong was seen."""
        return not self._far

    def lay_over(self, rows: list[bytes]) -> Step:
        """Lay messages over, and put others back behind them."""
        count, parts, given = self._planned(rows)
        head, keys = self.head(count, list_rotation.RESERVE), [self.key, self.neighbour]
        putting = self._putting
        merge = partial(putting.reader.merge, putting.undoing, keys, head, putting.gathered, given)
        size = count + SHARE * sum(map(len, parts.values()))
        settle = partial(self._note_merged, rows, parts)
        return self.take_step(size, merge, settle) or Step(0, 0, self.first, list_rotation.RESERVE + 1)

    def _note_merged(self, rows: list[bytes], parts: dict[int, list[int]], step: Step) -> None:
        putting, fates = self._putting, step.fates.decode()
        for place, raw in enumerate(rows[: step.looked + 1]):
            if place in parts:
                chain, part = putting.chains.behind[hash(raw)], parts[place]
                mine, fates = fates[: len(part)], fates[len(part) :]
                self.laid.extend(putting.settle(part, chain, mine))
            if place < step.looked:
                self.laid.append(hash(raw))
                self._far.discard(hash(raw))

    def change_reserve(self) -> None:
        """Put back what belongs among the next to run."""
        reach = list_rotation.RESERVE + list_rotation.MOST_NEW
        try:
            put_rest(self.lists, self._putting, self.key, reach, self._note_leftmost)
        except Unreachable:
            self.is_first_known = False  # something may have been put back there without an answer
            raise

    def lay_back(self, rows: list[bytes], head: list[Any]) -> Step | None:
        """Lay messages back."""
        keys, queue = [self.key, self.neighbour, self.key], self.lists.layout.queue_of(self.key)
        lay = partial(self.lists.lay, True, keys, head, queues=(queue, queue))
        return self.take_step(len(rows), lay, self.note_laid_back)

    def _planned(self, rows: list[bytes]) -> tuple[int, dict[int, list[int]], list[Any]]:
        """Say how many rows are laid over, what is put back at which place, and name it for the script."""
        room, trial = max(LEAST, len(rows) // SHARE), self._putting.trial()
        parts: dict[int, list[int]] = {}
        given: list[Any] = []
        for place, raw in enumerate(rows):
            if not room:
                return place, parts, given
            chain = self._putting.chains.behind.get(hash(raw))
            if chain:
                part = parts[place] = chain[: -room - 1 : -1]
                given += [place, sha1(raw), len(part), *self._putting.name_changes(part, trial)]
                room -= len(part)
                if len(part) < len(chain):  # the message stays until all are behind it
                    return place, parts, given
        return len(rows), parts, given

    def _note_leftmost(self, behind: bytes, left: bytes) -> None:
        """What is laid back comes behind what was put back at the left end."""
        if self.first in (b"", behind):
            self.first = left


def put_rest(
    lists: Lists,
    putting: Reinsertion,
    key: str,
    reach: int,
    leftmost: Callable[[bytes, bytes], None] | None = None,
) -> None:
    """Put back what is left, those that run last first.

    Args:
        lists: The steps on lists.
        putting: What is put back.
        key: The list.
        reach: How many of the next messages to look through for those behind which others belong.
        leftmost: See :meth:`Reinsertion.put`.
    """
    left = {base: chain for base, chain in putting.chains.behind.items() if chain}
    there: dict[int, bytes] = {}
    if left:
        rows = lists.next_rows(key, reach, list_rotation.LARGEST_STEP)
        there = {hash(raw): raw for raw in rows if hash(raw) in left}
    for base in sorted(left, key=lambda base: base not in there):
        putting.put(there.get(base, b""), left[base], leftmost)
    putting.put(b"", putting.chains.next_ones, leftmost)

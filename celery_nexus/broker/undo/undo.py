"""Undo: each message returns to its list and its place there, in single steps that delay no worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import redis

from celery_nexus.broker.bulk import list_rotation
from celery_nexus.broker.bulk.bulk_edit import Bulk
from celery_nexus.broker.bulk.lists import TRIES, TRY_AGAIN_S, Lists
from celery_nexus.broker.bulk.repair import mend
from celery_nexus.broker.edit.edits import Change
from celery_nexus.broker.edit.purge_scripts import UNPURGE
from celery_nexus.broker.edit.trash import DEAD_LETTERS, PURGE, Trash
from celery_nexus.broker.undo.chains import NONE, Chains, Taken, Window
from celery_nexus.broker.undo.reinsertion import STEP, Changed, Reinsertion, RotatingReinsertion, put_rest
from celery_nexus.broker.undo.trash_reader import TrashReader, UndoProgress
from celery_nexus.broker.wire.scripts import Script
from celery_nexus.delivery.ends.dead_letters import DeadLetters
from celery_nexus.errors import SourceError, Unreachable
from celery_nexus.rows.audit import Restored, Undoable
from celery_nexus.rows.broker import Message
from celery_nexus.rows.selection import Frozen, Selection

IN_REACH = 5_000
"""Largest distance from an end of a list at which a changed message is found."""

AMONG = 2_000
"""Most other messages between the end of a list and those that are gathered there."""


@dataclass(frozen=True, slots=True)
class _ToFront:
    """Brings messages to the front of their own list, as they are."""

    past: ClassVar[str] = "moved"
    front: bool = True
    goes_back: bool = False

    def plan_change(self, message: Message) -> Change:
        """Leave every byte."""
        return Change(message.queue, message.priority, message.raw, True, self.past)


class Restorer:
    """Takes changes of one application back. May be shared by threads."""

    def __init__(self, client: redis.Redis, lists: Lists, trash: Trash, bulk: Bulk) -> None:
        self._client = client
        self._lists = lists
        self._layout = lists.layout
        self._trash = trash
        self._bulk = bulk
        self._reader = TrashReader(client, lists)
        self._unpurge = Script(client, UNPURGE)

    def restore(self, change: Undoable) -> Restored:
        """Put the messages of a change back, as far as they did not start meanwhile.

        Raises:
            SourceError: Nothing could be put back.
        """
        if change.kind == DEAD_LETTERS:
            letters = DeadLetters(self._client, self._layout.prefix, self._layout.separator)
            restored = Restored(*letters.take_back(self._trash.key(change.token)))
        elif change.kind == PURGE:
            restored = Restored(self._give_purged(change))
        else:
            restored = self._give_single(change.token)
        if not restored.problem:
            self._trash.discard(change.token)
        return restored

    def _give_purged(self, change: Undoable) -> int:
        self._trash.count_purged(change.token, -1, change.steps)
        restored = 0
        layout = replace(self._layout, steps=change.steps)
        for step in change.steps:
            keys = [layout.trash_key(change.token, step), layout.key(change.queue, step)]
            keys.append(self._layout.wake_key(change.queue))
            while self._client.exists(keys[0]):
                restored += int(self._unpurge(keys, [STEP]))
        return restored

    def _give_single(self, token: str) -> Restored:
        undoing = self._reader.begin(token)
        problem: SourceError | None = None
        for _ in range(TRIES):
            try:
                self._give_all(undoing)
                problem = None
                break
            except (Unreachable, Changed) as error:
                problem = error
                time.sleep(TRY_AGAIN_S)
            except SourceError as error:
                problem = error
                break
        return self._result(undoing, problem)

    def _result(self, undoing: UndoProgress, problem: SourceError | None) -> Restored:
        try:
            back, started = self._reader.count_restored(undoing)
            self._reader.end(undoing)
        except SourceError as error:
            raise problem or error from None
        if problem is not None and not back + started:
            raise problem
        return Restored(back, started, "" if problem is None else str(problem))

    def _give_all(self, undoing: UndoProgress) -> None:
        taken, length = self._reader.read(undoing)
        holes = set(range(length)).difference(*(one.places for one in taken))
        window = Window(length, holes)
        for one in reversed(taken):
            if one.waited:
                self._give(undoing, one, window)
            else:
                Reinsertion(undoing, self._reader, one, window, Chains(one, ()), one.key).put(
                    b"", list(range(len(one)))
                )

    def _give(self, undoing: UndoProgress, taken: Taken, window: Window) -> None:
        layout, key = self._layout, taken.key
        queue = layout.queue_of(key)
        for name in dict.fromkeys((queue, layout.queue_of(taken.target))):
            mend(self._lists, name)
        neighbour = self._lists.neighbour(queue, layout.step_of(key))
        with self._lists.hold_lock(key) as renew:
            near, far = self._those_that_stayed(taken)
            length = self._lists.length(key)
            lays = (
                neighbour is not None and bool(far) and (length > list_rotation.NEAR or len(taken) > list_rotation.FEW)
            )
            gathered = self._gather(taken, neighbour, lays=lays)
            putting = Reinsertion(undoing, self._reader, taken, window, Chains(taken, far + near), gathered)
            if lays and neighbour is not None:
                RotatingReinsertion(self._lists, putting, key, neighbour, renew, set(far)).run()
            else:
                put_rest(
                    self._lists, putting, key, length + list_rotation.LARGEST_STEP if far else list_rotation.RESERVE
                )

    def _those_that_stayed(self, taken: Taken) -> tuple[list[int], list[int]]:
        """Find those behind which others belong: among the next to run, and the others; what runs last first."""
        wanted = taken.neighbours
        near = [hash(raw) for raw in self._lists.rows(taken.key, -list_rotation.RESERVE, -1) if hash(raw) in wanted]
        wanted.difference_update(near)
        return near, [found for _, found in self._found(taken.key, wanted)]

    def _found(self, key: str, wanted: set[int]) -> Iterator[tuple[int, int]]:
        """Look through a list from its left end until all that is wanted was seen; place and digest of each."""
        left, start = set(wanted), 0
        while left and (rows := self._lists.rows(key, start, start + list_rotation.LARGEST_STEP - 1)):
            for place, raw in enumerate(rows, start):
                if (found := hash(raw)) in left:
                    left.discard(found)
                    yield place, found
            start += len(rows)

    def _gather(self, taken: Taken, neighbour: str | None, *, lays: bool) -> str:
        """Bring what messages became to the left end of a list, where each is found at once; name that list.

        Args:
            taken: What was taken.
            neighbour: The list that is consumed after theirs; None when there is none.
            lays: Whether theirs is going to be laid over.
        """
        target, wanted = taken.target, set(taken.became) - {NONE}
        is_same = target == taken.key
        gathered = neighbour if is_same and neighbour and wanted else target
        length = self._lists.length(target)
        if not wanted or (not lays if is_same else length <= IN_REACH):
            return gathered
        places = list(self._found(target, wanted))
        if not places or (gathered == target and places[-1][0] - len(places) < AMONG):
            return gathered
        if length - places[0][0] - len(places) > AMONG:
            self._bring_to_front(target, {found: length - 1 - place for place, found in places})
        self._turn(target, gathered, {found for _, found in places})
        return gathered

    def _bring_to_front(self, key: str, depths: dict[int, int]) -> None:
        layout = self._layout
        frozen = Frozen(Selection(layout.queue_of(key)), {layout.step_of(key): depths})
        if problem := self._bulk.apply(frozen, _ToFront(), "").problem:
            raise SourceError(problem)

    def _turn(self, key: str, gathered: str, wanted: set[int]) -> None:
        """Bring messages from near the right of a list to the left of another."""
        others = 0
        while wanted and others <= 2 * AMONG:
            step = 100 if others < 100 else 10
            rows = self._lists.rows(key, -others - step, -others - 1)
            if not rows:
                break
            mine = [raw for raw in reversed(rows) if hash(raw) in wanted]
            self._reader.gather(key, gathered, mine)
            wanted.difference_update(map(hash, mine))
            others += len(rows) - len(mine)

"""Bulk edit of a selection: each message is changed in a single step that delays no worker.

Taking a message out of the middle of a list costs Redis the way to it: 0.3 s at the far end of a million. What lies
deep is reached otherwise: the list is laid over, a few hundred messages in a step, from its left end to the right
end of the list that is consumed after it, and laid back. At every moment each message waits in exactly one list, in
the order in which it runs, so that workers go on beside it, and an interruption leaves nothing where no worker looks.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from celery_nexus.broker.bulk import list_rotation
from celery_nexus.broker.bulk.list_edit import ListEdit
from celery_nexus.broker.bulk.lists import Lists
from celery_nexus.broker.bulk.repair import mend
from celery_nexus.broker.edit.edits import Change, Edit, NothingToDo
from celery_nexus.broker.wire.decode import decode
from celery_nexus.errors import Invalid, SourceError
from celery_nexus.rows.broker import Message
from celery_nexus.rows.selection import Frozen
from celery_nexus.steps import Steps

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
    """Changes many messages of one application. May be shared by threads."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._layout = lists.layout

    def apply(
        self, frozen: Frozen, edit: Edit, undo: str, taken: Taken | None = None, steps: Steps | None = None
    ) -> Progress:
        """Change what was selected, as far as it still waits.

        Args:
            frozen: What was selected.
            edit: The change.
            undo: Token under which it can be taken back; empty when it can't.
            taken: Called with messages that were just changed; an error of it ends the change.
            steps: What is told of how far it is, and by what it can be ended.
        """
        progress, steps = Progress(frozen.count), steps or Steps()
        steps.begin(frozen.count)
        try:
            queue = frozen.selection.queue
            for step, after in mend(self._lists, queue):
                # What was frozen among the neighbour's messages may be where it belongs again.
                if after in frozen.by_list:
                    frozen.by_list.setdefault(step, {}).update(frozen.by_list[after])
            for step in sorted(frozen.by_list):
                one = _List(self._lists, frozen, step, edit, undo, progress, taken or (lambda _: None), steps)
                one.change()
        except SourceError as error:
            progress.problem = str(error)
            self._count(progress, undo)
        if steps.is_stopped and progress.gone:
            progress.problem = progress.problem or steps.why
        return progress

    def _count(self, progress: Progress, undo: str) -> None:
        """Count what was taken by the trash: the answer of the last step may be lost."""
        if undo:
            with contextlib.suppress(SourceError):
                progress.changed = self._lists.count_taken(undo)


class _List:
    """The change of one list: what is near an end directly, the rest by laying over."""

    def __init__(
        self,
        lists: Lists,
        frozen: Frozen,
        step: int,
        edit: Edit,
        undo: str,
        progress: Progress,
        taken: Taken,
        steps: Steps,
    ) -> None:
        self._lists = lists
        self._queue = frozen.selection.queue
        self._step = step
        self._edit = edit
        self._undo = undo
        self._progress = progress
        self._taken = taken
        self._steps = steps
        self._looked = 0
        self._places = frozen.by_list[step]
        self._left = set(self._places)
        self._key = lists.key(self._queue, step)
        self._target = (self._queue, self._key)

    def change(self) -> None:
        """Change what was selected."""
        if self._steps.is_stopped:
            return
        if (reason := self._stays()) is not None:
            self._progress.kept[reason] = self._progress.kept.get(reason, 0) + len(self._left)
            return
        neighbour = self._lists.neighbour(self._queue, self._step)
        length = self._lists.length(self._key)
        far = [depth for depth in self._places.values() if list_rotation.NEAR < depth < length - list_rotation.NEAR]
        changes_target = self._edit.front and self._goes_to(neighbour)
        is_short = length <= list_rotation.RESERVE or (not far and len(self._places) <= list_rotation.FEW)
        if neighbour is None or changes_target or is_short:
            self.take_directly(length)
            return
        with self._lists.hold_lock(self._key) as renew:
            ListEdit(self._lists, self, self._key, neighbour, renew).run()

    def plan_change(self, raw: bytes, depth: int | None = None) -> tuple[Message, Change] | None:
        """Say what becomes of a selected message; None for one that was not selected, or stays as it is."""
        digest = hash(raw)
        if digest not in self._left or self._steps.is_stopped:
            return None
        message = decode(raw, queue=self._queue, priority=self._step, position=0, now=time.time(), depth=depth)
        try:
            change = self._edit.plan_change(message)
        except (NothingToDo, Invalid) as nothing:
            self._left.discard(digest)
            self._progress.keep(str(nothing))
            return None
        self._target = (change.queue, self._lists.key(change.queue, change.priority))
        return message, change

    def note_change(self, messages: Sequence[Message]) -> None:
        """Note what was changed."""
        self._left.difference_update(hash(message.raw) for message in messages)
        self._progress.changed += len(messages)
        if messages and self._steps.note:
            self._steps.go_on()
        self._steps.advance(len(messages))
        if messages:
            self._taken(messages)

    def note_look(self, count: int) -> None:
        """Note that messages were looked at: with nothing to change among them, that is all there is to tell."""
        self._looked += count
        self._steps.note = f"looks through the queue: {self._looked:,} messages"

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more is to be changed."""
        return self._steps.is_stopped

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
        return self._edit.plan_change(
            Message("", "", self._queue, self._step, 0, None, None, None, raw=b'{"properties":{}, "headers":{}}')
        )

    def _stays(self) -> str | None:
        """Say why no message of this list is changed; None when they are."""
        try:
            change = self._sample()
        except NothingToDo as nothing:
            return str(nothing)
        is_same = self._lists.key(change.queue, change.priority) == self._key
        return "is there already" if is_same and change.raw and self._edit.goes_back else None

    def _goes_to(self, key: str | None) -> bool:
        change = self._sample()
        return bool(change.raw) and self._lists.key(change.queue, change.priority) == key

    def take_directly(self, length: int) -> None:
        """Take out, one by one, what is among the next ``length``, those that run last first.

        What goes to the back of another list is sent there in run order instead.
        """
        seen, places = 0, dict[bytes, int]()
        for raw in self._lists.next_rows(self._key, length, list_rotation.LARGEST_STEP):
            seen += 1
            if hash(raw) in self._left:
                places[raw] = seen
        found = [(seen - place, raw) for raw, place in sorted(places.items(), key=itemgetter(1), reverse=True)]
        goes_back = self._edit.goes_back
        for done, (depth, raw) in enumerate(found if goes_back else reversed(found)):
            if planned := self.plan_change(raw, max(0, depth - done) if goes_back else depth):
                message, change = planned
                if self._lists.take(message, change, self._undo, last_first=not goes_back):
                    self.note_change([message])

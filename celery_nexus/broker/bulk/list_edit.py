"""Edit of selected messages during the rotation of their list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from celery_nexus.broker.bulk import list_rotation
from celery_nexus.broker.bulk.list_rotation import ListRotation, sha1
from celery_nexus.broker.bulk.lists import Lists, Step
from celery_nexus.broker.edit.edits import Change, Delete, Edit
from celery_nexus.broker.edit.removal import note_of_end
from celery_nexus.rows.broker import Message


class Selected(Protocol):
    """What was selected in one list, and what becomes of it."""

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more is to be changed."""
        ...

    def note_look(self, count: int) -> None:
        """Note that messages were looked at."""

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

    def plan_change(self, raw: bytes) -> tuple[Message, Change] | None:
        """Say what becomes of a selected message; None for one that was not selected, or stays as it is."""
        ...

    def note_change(self, messages: Sequence[Message]) -> None:
        """Note what was changed."""

    def take_directly(self, length: int) -> None:
        """Change, one by one, what is among the next ``length``."""


class ListEdit(ListRotation):
    """Changes what was selected in one list."""

    def __init__(self, lists: Lists, one: Selected, key: str, neighbour: str, renew: Callable[[], object]) -> None:
        super().__init__(lists, key, neighbour, renew)
        self._one = one
        self._wanted = one.left
        self._old: frozenset[int] = frozenset()
        # What goes to the back of a list is sent there in run order: on the way back, which begins with the next one.
        self._edits_back = one.edit.goes_back

    @property
    def empties_reserve(self) -> bool:
        """Whether messages are taken out of the reserve; what goes to the back of a list has to go before the rest."""
        return not self._edits_back

    @property
    def is_done(self) -> bool:
        """Whether everything that was selected was seen, or nothing more is wanted."""
        return not self._wanted or self._one.is_stopped

    def lay_over(self, rows: list[bytes]) -> Step:
        """Lay messages over, and change those that do not go to the back of a list."""
        edits, edited = ([], {}) if self._edits_back else self._planned(rows)
        lay = partial(self._lay, back=False, head=self.head(len(rows), list_rotation.RESERVE), edits=edits)

        def settle(step: Step) -> None:
            self.laid.extend(hash(raw) for place, raw in enumerate(rows[: step.looked]) if place not in edited)
            self._one.note_look(step.looked)
            self._one.note_change(list(edited.values())[: step.changed])
            self._wanted.difference_update(map(hash, rows[: step.looked]))

        return self.take_step(len(rows), lay, settle) or Step(0, 0, self.first, list_rotation.RESERVE + 1)

    def change_reserve(self) -> None:
        """Change what is in the reserve; what was at the left may be taken out with it."""
        old = list(map(hash, self.lists.rows(self.key, -list_rotation.RESERVE, -1)))
        if hash(self.first) in old:
            self._old = frozenset(old[old.index(hash(self.first)) :])
            self.is_first_known = False
        self._one.take_directly(list_rotation.RESERVE)

    def find_left_end(self) -> bytes:
        """Find the first message from the left that was in the reserve before it was changed."""
        rows = self.lists.rows(self.key, 0, list_rotation.RESERVE + list_rotation.MOST_NEW)
        return next((raw for raw in rows if hash(raw) in self._old), b"")

    def lay_back(self, rows: list[bytes], head: list[Any]) -> Step | None:
        """Lay messages back, and change those that go to the back of a list."""
        edits, edited = self._planned(rows) if self._edits_back else ([], {})

        def settle(step: Step) -> None:
            self.note_laid_back(step)
            self._one.note_change(list(edited.values())[: step.changed])

        return self.take_step(len(rows), partial(self._lay, back=True, head=head, edits=edits), settle)

    def _planned(self, rows: list[bytes]) -> tuple[list[Any], dict[int, Message]]:
        """Say what is changed among messages: as the scripts want it, and the messages by place."""
        edits: list[Any] = []
        edited: dict[int, Message] = {}
        for place, raw in enumerate(rows):
            if planned := self._one.plan_change(raw):
                edited[place] = planned[0]
                edits += [place, sha1(raw), planned[1].raw]
        return edits, edited

    def _lay(self, *, back: bool, head: list[Any], edits: list[Any]) -> Step | None:
        one, keys = self._one, [self.key, self.neighbour, self._one.target]
        edit, note = one.edit, ""
        if isinstance(edit, Delete):
            note = note_of_end(edit.ends, one.undo, told=edit.told)
        return self.lists.lay(back, keys, head, edits, undo=one.undo, queues=one.queues, front=edit.front, note=note)

"""Order of the messages that a change took from a list, relative to those that stayed."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

NONE = 0
"""Stands for no message among digests."""


def digest(raw: bytes) -> int:
    """Digest a message; :data:`NONE` for none."""
    return hash(raw) if raw else NONE


def _numbers() -> array[int]:
    return array("q")


@dataclass(slots=True)
class Taken:
    """What one change took from one list, in the order in which it was taken.

    Attributes:
        key: The list.
        target: The list where it went; ``delayed`` when ``key`` is a sorted set.
        places: Places in the trash, ascending.
        messages: Digests of the messages.
        became: Digests of what they became; :data:`NONE` for what was taken out.
        before: Digests of the messages that ran just before them; :data:`NONE` when none did.
        last_first: Whether each is one of many of which those that run last were taken first.
        shas: SHA1 of each change in the trash.
    """

    key: str
    target: str
    places: array[int] = field(default_factory=_numbers)
    messages: array[int] = field(default_factory=_numbers)
    became: array[int] = field(default_factory=_numbers)
    before: array[int] = field(default_factory=_numbers)
    last_first: bytearray = field(default_factory=bytearray)
    shas: list[bytes] = field(default_factory=list[bytes])

    def __len__(self) -> int:
        return len(self.places)

    @property
    def waited(self) -> bool:
        """Whether it was taken from a list, not from among the delayed."""
        return self.target != "delayed"

    @property
    def neighbours(self) -> set[int]:
        """Digests of the messages that stayed, behind which some of these belong."""
        return set(self.before) - set(self.messages) - {NONE}


class Chains:
    """Which messages belong behind which, as if they were put back one by one, the last taken first.

    Args:
        taken: What was taken.
        there: Digests of messages that are in the list, those that run last first.

    Attributes:
        behind: Of each message that is there, the numbers of those that belong just behind it, in run order.
        next_ones: Those that belong in front of all others, in run order: what ran before them has started.
    """

    def __init__(self, taken: Taken, there: Iterable[int]) -> None:
        self._after: dict[int, int] = {}
        heads = self._link(taken, dict.fromkeys(there, NONE))
        self.next_ones = self._chain(heads.pop(NONE, -1))
        self.behind = {base: self._chain(head) for base, head in heads.items() if head >= 0}

    def _link(self, taken: Taken, there: dict[int, int]) -> dict[int, int]:
        """Link each to the one that runs after it; return the first of each chain by what it is behind."""
        heads = dict.fromkeys(there, -1)
        placed: dict[int, int] = {}
        previous = -1
        for number in reversed(range(len(taken))):
            before = taken.before[number]
            one = placed.get(before, -1) if before else -1
            if one < 0 and before not in there and taken.last_first[number]:
                one = previous
            if one >= 0:
                if one in self._after:
                    self._after[number] = self._after[one]
                self._after[one] = number
            else:
                base = before if before in there else NONE
                if heads.get(base, -1) >= 0:
                    self._after[number] = heads[base]
                heads[base] = number
            placed[taken.messages[number]] = number
            if taken.last_first[number]:
                previous = number
        return heads

    def _chain(self, number: int) -> list[int]:
        chain: list[int] = []
        while number >= 0:
            chain.append(number)
            number = self._after.get(number, -1)
        return chain


class Window:
    """Where changes are in the trash while others are taken out of it.

    Args:
        length: Of the trash.
        holes: Places that are empty already.
    """

    def __init__(self, length: int, holes: Iterable[int] = ()) -> None:
        self._gone = 0
        self._end = length
        self._holes = set(holes)

    def copy(self) -> Window:
        """Copy it, to try."""
        other = Window(self._end, self._holes)
        other._gone = self._gone
        return other

    def take(self, place: int) -> str:
        """Take a change out, and say where it is: ``<`` first, ``>`` last, or its index."""
        first, last = self._gone, self._end - 1
        while first in self._holes:
            first += 1
        while last in self._holes:
            last -= 1
        if place == first:
            self._holes.difference_update(range(self._gone, first))
            self._gone = place + 1
            return "<"
        if place == last:
            self._holes.difference_update(range(last + 1, self._end))
            self._end = place
            return ">"
        self._holes.add(place)
        return str(place - self._gone)

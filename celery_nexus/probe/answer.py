"""The answer of a probe: an exit code and one line that proves it."""

from __future__ import annotations

from typing import NamedTuple

from celery_nexus.errors import Unreachable

WELL, BROKEN, UNKNOWN = 0, 1, 2


class Answer(NamedTuple):
    """What a probe found.

    Attributes:
        code: 0 at work, 1 not at work, 2 can't be told.
        line: The proof; of 1 and 2 with what to do next.
    """

    code: int
    line: str

    @classmethod
    def well(cls, line: str) -> Answer:
        """It is at work."""
        return cls(WELL, line)

    @classmethod
    def broken(cls, line: str) -> Answer:
        """It is not at work."""
        return cls(BROKEN, line)

    @classmethod
    def unknown(cls, line: str) -> Answer:
        """The broker does not tell."""
        return cls(UNKNOWN, line)


def unreachable(part: str, problem: Unreachable) -> Answer:
    """Answer when the broker does not: of it that is the answer, of anything else nothing can be told."""
    if part == "broker":
        return Answer.broken(str(problem))
    return Answer.unknown(f"can't be told while {problem}")


def count(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun: ``1 message``, ``1,200 messages``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"

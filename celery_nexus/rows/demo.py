"""Row of one piece of demonstration work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sent:
    """One piece of work: its number, what it is in words, and the id of its run, group or chord."""

    number: int
    what: str
    id: str

"""Row of one check by ``doctor``: what was looked at, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found.

    Attributes:
        name: What was looked at, in a word.
        is_well: Whether it is as it should be.
        fact: What was seen.
        advice: What to do when it is not well.
    """

    name: str
    is_well: bool
    fact: str
    advice: str

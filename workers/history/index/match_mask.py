"""What is said of many rows at once."""

from __future__ import annotations

from dataclasses import dataclass

from workers.history.index.pages import Mask


@dataclass(slots=True)
class Verdicts:
    """Rows that hold for certain, among the rows that may hold."""

    may: Mask
    sure: Mask


def exactly(found: Mask) -> Verdicts:
    """Say that rows hold, and no others."""
    return Verdicts(found, found)

"""Match masks: which of many rows match for certain, and which may."""

from __future__ import annotations

from dataclasses import dataclass

from celery_nexus.history.index.pages import Mask


@dataclass(slots=True)
class MatchMask:
    """Rows that hold for certain, among the rows that may hold."""

    may: Mask
    sure: Mask


def make_exact_mask(found: Mask) -> MatchMask:
    """Say that rows hold, and no others."""
    return MatchMask(found, found)

"""The words of a judgement, best first: ``ok``, ``warning``, ``failed``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "failed"]

_ORDER: tuple[Verdict, ...] = ("ok", "warning", "failed")


@dataclass(frozen=True)
class Judged:
    """A verdict and the fact that proves it."""

    verdict: Verdict
    fact: str


def find_worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Pick the worst; ``ok`` when there is none."""
    result: Verdict = "ok"
    for verdict in verdicts:
        if _ORDER.index(verdict) > _ORDER.index(result):
            result = verdict
    return result

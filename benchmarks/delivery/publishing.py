"""CPU of publishing."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.apparatus.report import Figure, at_most
from benchmarks.delivery.sides import NAMES, OURS, PEER, deliveries, sides

ROUNDS = 5
MESSAGES = 2000


def measure() -> Sequence[Figure]:
    """Measure what publishing costs the publisher."""
    found: dict[str, list[float]] = {}
    with sides(deliveries(), has_worker=False) as running:
        for _ in range(ROUNDS):
            for side in running:
                found.setdefault(side.delivery, []).append(float(side.ask("publish", MESSAGES)) * 1000)
    return [
        at_most(
            "CPU of a publication",
            [ours / its for ours, its in zip(found[OURS], theirs, strict=True)],
            1.1 if other == PEER else 1.5,
            peer=f"{NAMES[other]}, {statistics.median(theirs):.2f} ms",
        )
        for other, theirs in found.items()
        if other != OURS
    ]

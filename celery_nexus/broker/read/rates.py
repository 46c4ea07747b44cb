"""Rates of a queue: from what waits at each reading, and from the counters of its workers."""

from __future__ import annotations

import json
import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

SPARK_EVERY_S = 5.0
SPARK_LENGTH = 60
RATE_WINDOW_S = 15.0
MIN_RATE_WINDOW_S = 2.0


@dataclass
class Memory:
    """What is kept of one queue between readings."""

    sampled_at: float = -math.inf
    spark: deque[int] = field(default_factory=lambda: deque[int](maxlen=SPARK_LENGTH))
    takers: tuple[str, ...] | None = None
    readings: deque[tuple[float, int, int]] = field(default_factory=lambda: deque[tuple[float, int, int]]())


@dataclass(frozen=True, slots=True)
class Taken:
    """Messages that a queue's workers took since they started."""

    workers: tuple[str, ...]
    count: int


def rates(memory: Memory, now: float, waiting: int, took: Taken | None) -> tuple[float | None, float | None]:
    """In and out per second over the last readings: out from its workers' counters, in from out and the change."""
    readings = memory.readings
    if took is None or took.workers != memory.takers:
        readings.clear()
    memory.takers = took.workers if took else None
    if took is None:
        return None, None
    if readings and took.count < readings[-1][2]:  # a worker was restarted and counts from 0 again
        readings.clear()
    readings.append((now, waiting, took.count))
    while len(readings) > 2 and now - readings[1][0] >= RATE_WINDOW_S:
        readings.popleft()
    then, waited, had_taken = readings[0]
    elapsed = now - then
    if elapsed < MIN_RATE_WINDOW_S:
        return None, None
    out = (took.count - had_taken) / elapsed
    return max(0.0, (waiting - waited) / elapsed + out), out


class Shares:
    """Tells what the workers of a queue took, where each of them serves that queue alone.

    Args:
        consumers: Workers by queue; None when nobody knows.
        processed: Runs that each worker ever took.
    """

    def __init__(self, consumers: Mapping[str, tuple[str, ...]] | None, processed: Mapping[str, int]) -> None:
        self._consumers = consumers
        self._processed = processed
        self._queues_of = Counter(worker for workers in (consumers or {}).values() for worker in set(workers))

    def count_taken(self, name: str) -> Taken | None:
        """Sum what its workers ever took; None unless each of them is known and serves this queue alone."""
        if self._consumers is None:
            return None
        mine = tuple(sorted(self._consumers.get(name, ())))
        if any(worker not in self._processed or self._queues_of[worker] > 1 for worker in mine):
            return None
        return Taken(mine, sum(self._processed[worker] for worker in mine))


def read_processed(heartbeats: Mapping[bytes, bytes]) -> dict[str, int]:
    """Read from workers' heartbeats how many runs each ever took."""
    counts: dict[str, int] = {}
    for name, raw in heartbeats.items():
        try:
            beat = json.loads(raw)
        except (ValueError, RecursionError):
            continue
        count = cast("dict[str, Any]", beat).get("processed") if isinstance(beat, dict) else None
        if isinstance(count, int):
            counts[name.decode("utf-8", "replace")] = count
    return counts

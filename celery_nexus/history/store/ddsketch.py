"""DDSketch, distributions that can be added up: logarithmic buckets, quantiles within one per cent."""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterable

ACCURACY = 0.01
"""Relative error of a quantile."""

_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = math.log(_GAMMA)
MIN_S = 1e-6
_MIN_INDEX = math.ceil(math.log(MIN_S) / _LOG_GAMMA)
_PAIR = struct.Struct("<hI")
_PAIRS = [("index", "<i2"), ("count", "<u4")]


class DDSketch:
    """Counts of durations in buckets whose bounds grow by two per cent.

    Durations below a microsecond count as one.
    """

    __slots__ = ("buckets",)

    def __init__(self, buckets: Counter[int] | None = None) -> None:
        self.buckets: Counter[int] = Counter() if buckets is None else buckets

    def add(self, seconds: float) -> None:
        """Count a duration."""
        index = math.ceil(math.log(seconds) / _LOG_GAMMA) if seconds > MIN_S else _MIN_INDEX
        self.buckets[index] += 1

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return self.buckets.total()

    @property
    def durations(self) -> tuple[tuple[float, int], ...]:
        """The durations in seconds, each within one per cent, the shortest first, and how often each was counted."""
        return tuple((2 * _GAMMA**index / (_GAMMA + 1), self.buckets[index]) for index in sorted(self.buckets))

    def quantile(self, q: float) -> float | None:
        """Return the duration below which the share ``q`` lies, in seconds; None when nothing was counted."""
        rank = q * (self.count - 1)
        seen = 0
        for index in sorted(self.buckets):
            seen += self.buckets[index]
            if seen > rank:
                return 2 * _GAMMA**index / (_GAMMA + 1)
        return None

    def dump(self) -> bytes | None:
        """Encode the counts; None when there are none."""
        return b"".join(_PAIR.pack(index, count) for index, count in sorted(self.buckets.items())) or None

    @classmethod
    def load(cls, data: bytes | None) -> DDSketch:
        """Decode what :meth:`dump` wrote."""
        return cls(Counter(dict(_PAIR.iter_unpack(data or b""))))

    @classmethod
    def load_all(cls, dumps: Iterable[bytes | None]) -> DDSketch:
        """Decode many dumps and add them up, all at once: a month's are tens of thousands."""
        import numpy as np  # a dashboard asks for figures later than it starts

        pairs = np.frombuffer(b"".join(data for data in dumps if data), np.dtype(_PAIRS))
        if not len(pairs):
            return cls()
        indexes = pairs["index"].astype(np.int64)
        lowest = int(indexes.min())
        sums = np.bincount(indexes - lowest, weights=pairs["count"])
        return cls(Counter({lowest + int(place): int(sums[place]) for place in np.flatnonzero(sums)}))

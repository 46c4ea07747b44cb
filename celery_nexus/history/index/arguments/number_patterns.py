"""Pattern matching over the decimal spellings of numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from celery_nexus.history.filter.matching import compares
from celery_nexus.history.index.pages import Mask

_BITS = 16
_TOGETHER = 1 << _BITS
"""Size of a range of integers whose spellings are matched together and cached: segments have the same ones again and
again.
"""

_DENSE = 2
"""Largest ratio of a range to its numbers at which that pays."""


def match_spellings(numbers: NDArray[Any], pattern: str) -> Mask:
    """Tell of each number whether it is written as a pattern says."""
    if numbers.dtype.kind != "f":
        groups = range(int(numbers.min()) >> _BITS, (int(numbers.max()) >> _BITS) + 1)
        if len(groups) * _TOGETHER <= _DENSE * len(numbers):
            table = np.concatenate([_in_group(pattern, group) for group in groups])
            return table[numbers - groups[0] * _TOGETHER]
    different, places = np.unique(numbers, return_inverse=True)
    values: list[Any] = different.tolist()
    if numbers.dtype.kind == "f":
        return np.array([compares(value, "=", pattern) for value in values], np.bool_)[places]
    return _spelt(values, pattern)[places]


@lru_cache(maxsize=16)
def _in_group(pattern: str, group: int) -> Mask:
    return _spelt(range(group * _TOGETHER, (group + 1) * _TOGETHER), pattern)


def _spelt(values: Sequence[int], pattern: str) -> Mask:
    if "\n" in pattern:  # what stands between the numbers here
        return np.zeros(len(values), np.bool_)
    spelt = "\n".join(map(str, values))
    wild = "".join(".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in pattern)
    at = [match.start() for match in re.finditer(f"^{wild}$", spelt, re.MULTILINE)]
    ends = np.flatnonzero(np.frombuffer(spelt.encode(), np.uint8) == ord("\n"))
    table = np.zeros(len(ends) + 1, np.bool_)
    table[np.searchsorted(ends, np.array(at, np.int64))] = True
    return table

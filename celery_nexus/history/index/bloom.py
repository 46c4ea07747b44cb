"""Bloom filters of the n-grams of texts, by which a search skips pages.

N-grams of one to four bytes set two of :data:`BLOOM_BITS` each; a needle can only be in a text whose filter has the
bits of all the needle's n-grams.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS = 16
BLOOM_BITS = 1 << BITS
_SPREAD_OVER = 4
"""Number of a needle's n-grams that are checked beside its last three: more cost more than they tell."""

_LONGEST = 4
_AT_ONCE = 8_192
"""Bytes of a text that are hashed together, so that their numbers stay in the processor's cache."""

_SPREAD = (0x9E3779B1, 0x85EBCA6B)
_SALTS = {1: 0x51, 2: 0xA1B20000, 3: 0xC3000000}
_MASK = 0xFFFFFFFF
_SHIFT = 32 - BITS


def build_bloom(text: bytes) -> NDArray[np.bool_]:
    """Make the Bloom filter of a text."""
    bloom = np.zeros(BLOOM_BITS, np.bool_)
    raw = np.frombuffer(text, np.uint8)
    pairs = np.zeros(1 << 16, np.bool_)
    for start in range(0, len(raw), _AT_ONCE):
        one = raw[start : start + _AT_ONCE + _LONGEST - 1].astype(np.uint32)
        two = one[:-1] | one[1:] << np.uint32(8)
        three = two[:-1] | one[2:] << np.uint32(16)
        pairs[two] = True
        _mark(bloom, three ^ np.uint32(_SALTS[3]))
        _mark(bloom, three[:-1] | one[3:] << np.uint32(24))
    _mark(bloom, np.flatnonzero(pairs).astype(np.uint32) ^ np.uint32(_SALTS[2]))
    _mark(bloom, np.flatnonzero(np.bincount(raw)).astype(np.uint32) ^ np.uint32(_SALTS[1]))
    return bloom


def _mark(bloom: NDArray[np.bool_], codes: NDArray[np.uint32]) -> None:
    for spread in _SPREAD:
        bloom[codes * np.uint32(spread) >> np.uint32(_SHIFT)] = True


def needle_bits(needle: bytes) -> list[int]:
    """Return bits that every text with this needle has: of its last n-grams, and of others spread over it."""
    length = min(len(needle), _LONGEST)
    last = len(needle) - length
    starts = {max(0, last - 1), max(0, last - 2), *(round(part * last / _SPREAD_OVER) for part in range(5))}
    found = [bit for start in sorted(starts, reverse=True) for bit in _gram_bits(needle[start : start + length])]
    return list(dict.fromkeys(found))


def _gram_bits(gram: bytes) -> list[int]:
    code = int.from_bytes(gram, "little") ^ _SALTS.get(len(gram), 0)
    return [(code * spread & _MASK) >> _SHIFT for spread in _SPREAD]

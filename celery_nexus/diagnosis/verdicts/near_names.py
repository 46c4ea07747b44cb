"""Mistyped names: which known one was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

LEAST_CHARS = 4
"""Shorter names are near to too many."""

_BETWEEN_WORDS = re.compile(r"[-_.:\s]+")
_DIGITS = re.compile(r"\d+")


def find_near_name(name: str, names: Iterable[str]) -> str:
    """Find the name that was probably meant; empty when none is near.

    Near is what differs in case or in what stands between words, or by one slip: a letter too many, too few, another
    one, or two swapped. Names that differ by a number are different ones (``mail1``, ``mail2``).
    """
    plain = _plain(name)
    others = [other for other in names if other != name]
    same = [other for other in others if _plain(other) == plain]
    near = [other for other in others if _is_one_slip(plain, _plain(other)) and _words(name) != _words(other)]
    return next(iter(sorted(same) or sorted(near)), "")


def _plain(name: str) -> str:
    return _BETWEEN_WORDS.sub("", name.casefold())


def _words(name: str) -> str:
    return _DIGITS.sub("", _plain(name))


def _is_one_slip(one: str, other: str) -> bool:
    """Tell whether one insertion, removal, substitution or swap of neighbours makes the one the other."""
    if min(len(one), len(other)) < LEAST_CHARS or abs(len(one) - len(other)) > 1:
        return False
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest, others = one[start:], other[start:]
    if len(rest) == len(others):
        return rest[1:] == others[1:] or (rest[1::-1] == others[:2] and rest[2:] == others[2:])
    return rest[1:] == others or rest == others[1:]

"""Mistyped names: which known one was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

LEAST_CHARS = 4
"""Shorter names are near to too many."""

SHORT_WORD = 2
"""Longest word that tells members of a family apart: ``mail_eu``, ``shop-a``."""

_BETWEEN_WORDS = re.compile(r"[-_.:\s]+")
_DIGITS = re.compile(r"\d+")


def find_near_name(name: str, names: Iterable[str]) -> str:
    """Find the name that was probably meant; empty when none is near, or several are.

    Near is what differs in case or in what stands between words, or by one slip: a letter too many, too few, another
    one, or two swapped. Names that differ by a number or a short word are members of a family (``mail1``, ``mail_eu``),
    and so are those with several near ones. What is looked in is kept for the next name, so that thousands of names
    are compared with thousands in milliseconds.
    """
    index, plain = _index(frozenset(names)), _plain(name)
    same = [other for other in index.get(plain, ()) if other != name and _plain(other) == plain]
    if same:
        return min(same)
    others = {other for part in _parts(plain) for other in index.get(part, ())} - {name}
    if len(others) != 1:
        return ""
    [other] = others
    return other if _is_one_slip(plain, _plain(other)) and not _is_family(name, other) else ""


@lru_cache(maxsize=4)
def _index(names: frozenset[str]) -> Mapping[str, Sequence[str]]:
    """Find names by what is left of them without one of their letters: names that differ by one slip share that."""
    found: dict[str, list[str]] = {}
    for name in names:
        for part in _parts(_plain(name)):
            found.setdefault(part, []).append(name)
    return found


def _parts(plain: str) -> set[str]:
    return {plain, *(plain[:at] + plain[at + 1 :] for at in range(len(plain)))}


def _plain(name: str) -> str:
    return _BETWEEN_WORDS.sub("", name.casefold())


def _is_family(one: str, other: str) -> bool:
    """Tell whether two names differ by a number or a short word alone."""
    if _DIGITS.sub("", one.casefold()) == _DIGITS.sub("", other.casefold()):
        return True
    words, others = (_BETWEEN_WORDS.split(name.casefold()) for name in (one, other))
    different = [pair for pair in zip(words, others, strict=False) if pair[0] != pair[1]]
    return len(words) == len(others) and all(max(map(len, pair)) <= SHORT_WORD for pair in different)


def _is_one_slip(one: str, other: str) -> bool:
    """Tell whether one insertion, removal, substitution or swap of neighbours makes the one the other."""
    if min(len(one), len(other)) < LEAST_CHARS or abs(len(one) - len(other)) > 1:
        return False
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest, others = one[start:], other[start:]
    if len(rest) == len(others):
        return rest[1:] == others[1:] or (rest[1::-1] == others[:2] and rest[2:] == others[2:])
    return rest[1:] == others or rest == others[1:]

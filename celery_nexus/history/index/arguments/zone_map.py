"""Zone maps: the smallest and largest value of an argument in a segment; a search skips segments by them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from celery_nexus.filters.parser import Argument
from celery_nexus.filters.texts import OPERATORS, is_wild, lower
from celery_nexus.history.filter.matching import number_of

ZoneMap = tuple[float | None, float | None, str | None, str | None, bool]
"""Smallest and largest number and text, and whether there are other values."""

_WILD = re.compile(r"[*?]")


def may_match(zone_map: ZoneMap, node: Argument, rest: Sequence[str]) -> bool:
    """Tell whether a value within a zone map may match a term; its path goes on from the argument with ``rest``."""
    smallest, largest, first, last, are_others = zone_map
    if are_others or rest or node.operator == "!=":
        return are_others or not rest
    if node.operator == "=" and is_wild(node.value):
        return smallest is not None or _may_be_like(_beginning(zone_map), node.value)
    number = number_of(node.value)
    return _between(smallest, largest, node.operator, number) or _between(first, last, node.operator, node.value)


def all_match(zone_map: ZoneMap, node: Argument) -> bool:
    """Tell whether each value within a zone map matches a term for certain; False where that can't be told."""
    smallest, largest, first, last, are_others = zone_map
    if are_others:
        return False
    if node.operator == "=":
        pattern = lower(node.value)
        is_beginning = pattern.endswith("*") and not is_wild(pattern[:-1])
        return is_beginning and smallest is None and _beginning(zone_map).startswith(pattern[:-1])
    if node.operator == "!=":
        return False
    return _both(smallest, largest, node.operator, number_of(node.value)) and _both(
        first, last, node.operator, node.value
    )


def all_contain(zone_map: ZoneMap, needle: str) -> bool:
    """Tell whether all values are texts with a text in lower case, because they begin alike."""
    smallest, _, _, _, are_others = zone_map
    return not are_others and smallest is None and needle in _beginning(zone_map)


def _beginning(zone_map: ZoneMap) -> str:
    """Return with what all texts begin, in lower case: the first and the last of what is in order, and all between."""
    _, _, first, last, _ = zone_map
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(first or "", last or "", strict=False))
    return lower("".join(character for character, _ in alike))


def _may_be_like(beginning: str, pattern: str) -> bool:
    literal = _WILD.split(lower(pattern), maxsplit=1)[0]
    return all(one == other for one, other in zip(beginning, literal, strict=False))


def _between(low: Any, high: Any, sign: str, wanted: Any) -> bool:
    if low is None or wanted is None:
        return False
    if sign == "=":
        return bool(low <= wanted <= high)
    return bool(OPERATORS[sign](high if sign[0] == ">" else low, wanted))


def _both(low: Any, high: Any, sign: str, wanted: Any) -> bool:
    """Tell whether both compare so, and all between; there may be none."""
    if low is None:
        return True
    return wanted is not None and bool(OPERATORS[sign](low, wanted) and OPERATORS[sign](high, wanted))

"""Comparison of texts and numbers with the values of a filter."""

from __future__ import annotations

import operator
import re
from functools import lru_cache

OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq}
_CONTAINS = frozenset({"task", "error", ""})
_EXACT = frozenset({"id", "root", "parent", "group", "verdict"})
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def lower(text: str) -> str:
    """Fold ASCII letters, as SQLite's ``lower`` does."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def is_wild(value: str) -> bool:
    """Tell whether a value is a pattern."""
    return "*" in value or "?" in value


def text_matches(field: str, text: str, values: tuple[str, ...]) -> bool:
    """Tell whether a text matches one of a field's values."""
    exact = field in _EXACT
    return any(_pattern(field, value).search(text if exact else lower(text)) for value in values)


@lru_cache(maxsize=256)
def _pattern(field: str, value: str) -> re.Pattern[str]:
    folded = value if field in _EXACT else lower(value)
    if is_wild(folded):
        # Free text and errors are long: there a pattern is looked for anywhere.
        wild = "".join(".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in folded)
        return re.compile(wild if field in {"", "error"} else rf"\A{wild}\Z", re.DOTALL)
    return re.compile(("" if field in _CONTAINS else r"\A") + re.escape(folded))

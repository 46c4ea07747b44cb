"""Literal texts that stored arguments contain when a filter's term matches them; a cheap look before the exact one."""

from __future__ import annotations

import re

from celery_nexus.filters.parser import Argument
from celery_nexus.filters.texts import is_wild, lower

_NAME = re.compile(r"(?!\d+\Z)[A-Za-z0-9_./@ -]+")
_INTEGER = re.compile(r"-?[1-9][0-9]{0,14}")
_WORD = re.compile(r"[A-Za-z_./@-][A-Za-z0-9_./@ -]*")
_PLAIN = re.compile(r"[a-z0-9_./@ -]+")
_EXPONENT = re.compile(r"\de(?:\d|\Z)")
_WORDS_OF_JSON = ("true", "false", "null")
_AFTER_NAMED, _AFTER_ANY = ",}.", ",}.])"


def argument_needles(node: Argument) -> list[bytes]:
    """Return texts in lower case of which every matching run has one; none where that can't be told.

    Arguments are stored as JSON or as Python's repr, which spell names, texts and numbers in few ways.
    """
    name = node.path.rsplit(".", maxsplit=1)[-1]
    heads = (f'"{name}":', f"'{name}': ") if _NAME.fullmatch(name) else ("", "")
    if node.operator == "=" and is_wild(node.value):
        found = _longest_literal(node.value) or list(heads)
    else:
        tails = _spellings(node.value) if node.operator == "=" else None
        found = [
            head + tail
            for head, quote in zip(heads, "\"'", strict=True)
            for tail in _quote(tails, quote, _AFTER_NAMED if head else _AFTER_ANY)
        ]
    return [] if "" in found else [lower(text).encode() for text in dict.fromkeys(found)]


def _spellings(value: str) -> tuple[str, bool] | None:
    """Return a value that is written as it is, and whether it may stand without quotes; None when it may not be so."""
    if value in _WORDS_OF_JSON:
        return None
    if _INTEGER.fullmatch(value):
        return value, True
    return (value, False) if _WORD.fullmatch(value) and not _is_number(value) else None


def _quote(value: tuple[str, bool] | None, quote: str, after: str) -> list[str]:
    if value is None:
        return [""]
    numbers = [value[0] + sign for sign in after] if value[1] else []
    return [f"{quote}{value[0]}{quote}", *numbers]


def _longest_literal(pattern: str) -> list[str]:
    """Return the longest part of a pattern that is stored as it is written."""
    pieces = [piece for part in re.split(r"[*?]", lower(pattern)) for piece in _PLAIN.findall(part)]
    longest = max(pieces, key=len, default="")
    if not longest or _EXPONENT.search(longest) or any(longest in word for word in _WORDS_OF_JSON):
        return []  # JSON and repr may spell it differently
    return [longest]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

"""Extraction of JSON from a model's answer."""

from __future__ import annotations

import json
import re
from typing import Any, cast

_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)```", re.S | re.I)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_MAX_CANDIDATES = 50


def find_json(text: str) -> Any | None:
    """Return the first JSON object or array in a text; None when there is none that can be read.

    Reads through words before and after, fences of code, and trailing commas. An answer that was cut off has no
    end, and counts as none.
    """
    for candidate in (text.strip(), *(match.strip() for match in _FENCED.findall(text))):
        found = _load(candidate)
        if isinstance(found, dict | list):
            return cast("Any", found)
    return _scan(text) or _scan(_TRAILING_COMMA.sub(r"\1", text))


def _scan(text: str) -> Any | None:
    """Try each opening bracket in turn, and take the first value that reads to its end."""
    decoder = json.JSONDecoder()
    starts = [match.start() for match in re.finditer(r"[{\[]", text)][:_MAX_CANDIDATES]
    for start in starts:
        try:
            found, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if found:
            return found
    return None


def _load(text: str) -> Any | None:
    for spelling in (text, _TRAILING_COMMA.sub(r"\1", text)):
        try:
            return json.loads(spelling)
        except (ValueError, RecursionError):
            continue
    return None

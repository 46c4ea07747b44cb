"""Replacement of one member of a message's JSON; every other byte stays as it is.

Parsing and writing a whole message again would change numbers (``1e5``), repeated keys and escapes that
belong to somebody else; here only the text of one value is replaced.
"""

from __future__ import annotations

import json
import re
from typing import Any

_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def replace_member(raw: bytes, path: tuple[str, ...], value: Any) -> bytes:
    """Return ``raw`` with the member at ``path`` set to ``value``; a missing last member is added.

    Raises:
        ValueError: ``raw`` is no JSON object, or has no object on the way to the member.
    """
    text = raw.decode("utf-8")
    written = json.dumps(value)
    start, end = _skip(text, 0), len(text)
    for name in path[:-1]:
        span = _member(text, start, name)
        if span is None:
            raise ValueError(f"no {name!r} in the message")
        start, end = span
    span = _member(text, start, path[-1])
    if span is not None:
        start, end = span
        return (text[:start] + written + text[end:]).encode("utf-8")
    inside = _skip(text, start + 1)
    comma = "" if text[inside] == "}" else ", "
    return f"{text[: start + 1]}{json.dumps(path[-1])}: {written}{comma}{text[inside:]}".encode()


def _string(text: str, start: int) -> tuple[str, int]:
    return _DECODER.raw_decode(text, start)


def _skip(text: str, index: int) -> int:
    match = _BLANK.match(text, index)
    return match.end() if match else index


def _member(text: str, start: int, name: str) -> tuple[int, int] | None:
    """Find where the last value of ``name`` lies in the object that begins at ``start``."""
    if text[start : start + 1] != "{":
        raise ValueError("not a JSON object")
    found: tuple[int, int] | None = None
    index = _skip(text, start + 1)
    while text[index : index + 1] == '"':
        key, index = _string(text, index)
        value_at = _skip(text, text.index(":", index) + 1)
        _, value_end = _DECODER.raw_decode(text, value_at)
        if key == name:
            found = (value_at, value_end)
        index = _skip(text, value_end)
        if text[index : index + 1] == ",":
            index = _skip(text, index + 1)
    if text[index : index + 1] != "}":
        raise ValueError("not a JSON object")
    return found

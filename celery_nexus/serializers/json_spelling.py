"""Spellings of a text in unparsed JSON: for searching in messages, and for regular expressions."""

from __future__ import annotations

import json


def spellings(text: str) -> tuple[str, ...]:
    """Write a text as JSON in the ways that producers do, each once.

    Python escapes what is not ASCII, with small hexadecimal digits; others write it as it is, or with capitals, and
    some escape the slash.
    """
    escaped = json.dumps(text)
    plain = json.dumps(text, ensure_ascii=False)
    found = (escaped, plain, _with_capitals(escaped), *(way.replace("/", "\\/") for way in (escaped, plain)))
    return tuple(dict.fromkeys(found))


def unescape(token: str) -> str:
    """Read what stood between the quotes of a JSON string; what is none is returned as it is."""
    if "\\" not in token:
        return token
    try:
        value: object = json.loads(f'"{token}"', strict=False)
    except ValueError:
        return token
    return value if isinstance(value, str) else token


def _with_capitals(escaped: str) -> str:
    head, *rest = escaped.split("\\u")
    return head + "".join(f"\\u{part[:4].upper()}{part[4:]}" for part in rest)

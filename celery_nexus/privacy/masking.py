"""Masking of secrets in JSON values and text for display.

Two rules. A value that a secret name stands before (``secret_names``), as a field, in a pair or as an
option of a command line, becomes ``***``, whatever it is. And so does what is a secret in a text
(:mod:`celery_nexus.privacy.secret_text`). Every place where a person or a program may look takes its copy from here.

Nothing here fails, whatever it is given: events and history mask every task's arguments. Sizes are capped, so
that a large argument costs little.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from typing import Any, cast

from celery_nexus.privacy.secret_names import TEXT_ONLY, is_secret_name, words_of
from celery_nexus.privacy.secret_text import MASK, without_secrets

MAX_TEXT = 10_000
"""Longest text kept, in characters."""

MAX_TOTAL = 1_000_000
"""Most characters kept of one value, all texts together."""

MAX_ITEMS = 1_000
"""Most items kept of one list or object."""

MAX_DEPTH = 32

_LOGIN_OPTIONS = frozenset({"-u", "-U", "--user", "--proxy-user"})
"""Options of command lines whose value is ``user:password``."""


def mask(value: Any) -> Any:
    """Copy a JSON value with its secrets as ``***``, cut to the limits above; other types become their name."""
    return _Masking().value(value, 0)


def mask_text(text: str, limit: int = MAX_TEXT) -> str:
    """Copy a text with its secrets as ``***``, cut to ``limit`` characters and saying how many are left out."""
    size = len(text)
    if size > limit:
        text = _without_last_word(text[: limit + 1024])  # a cut key would not be known as one
    text = without_secrets(text)
    return text if size <= limit else f"{text[:limit]}… ({size - min(limit, size)} more characters)"


def _without_last_word(text: str) -> str:
    head = text[:-1024]
    tail = text[-1024:]
    return head + (tail.rsplit(None, 1) or [""])[0] if re.search(r"\s", tail) else head


class _Masking:
    """One walk over a value, with what is left of :data:`MAX_TOTAL`."""

    def __init__(self) -> None:
        self._left = MAX_TOTAL

    def value(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int):
            return value if value.bit_length() <= 1024 else f"<number of {value.bit_length()} bits>"
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(cast('bytes', value))} bytes>"
        if depth >= MAX_DEPTH or self._left <= 0:
            return "…"
        if isinstance(value, Mapping):
            return self._object(cast("Mapping[Any, Any]", value), depth)
        if isinstance(value, list | tuple | Set):
            return self._list(cast("Iterable[Any]", value), len(cast("list[Any]", value)), depth)
        return f"<{type(value).__name__}>"

    def _text(self, text: str) -> str:
        masked = mask_text(text, max(0, min(MAX_TEXT, self._left)))
        self._left -= len(masked)
        return masked

    def _object(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        copy: dict[str, Any] = {}
        named = _is_named_secret(value)
        for index, (key, item) in enumerate(value.items()):
            if index >= MAX_ITEMS or self._left <= 0:
                copy["…"] = f"{len(value) - index} more"
                break
            name = key if isinstance(key, str) else str(self.value(key, MAX_DEPTH))
            secret = is_secret_name(name) or (named and name.lower() == "value")
            copy[self._text(name)] = self._secret(name, item) if secret else self.value(item, depth + 1)
        return copy

    def _list(self, value: Iterable[Any], size: int, depth: int) -> list[Any]:
        copy: list[Any] = []
        before: Any = None
        for index, item in enumerate(value):
            if index >= MAX_ITEMS or self._left <= 0:
                copy.append(f"… {size - index} more")
                break
            secret = index == 1 and size == 2 and isinstance(before, str) and is_secret_name(before)
            copy.append(self._secret(before, item) if secret else self._element(before, item, depth))
            before = item
        return copy

    def _element(self, before: Any, item: Any, depth: int) -> Any:
        """Mask an element of a list; in a command line, the option before it says what it is."""
        if isinstance(before, str) and isinstance(item, str) and before.startswith("-"):
            if not item.startswith("-") and is_secret_name(before.lstrip("-")):
                return MASK
            if before in _LOGIN_OPTIONS and ":" in item:
                return f"{self._text(item.partition(':')[0])}:{MASK}"
        return self.value(item, depth + 1)

    def _secret(self, name: str, item: Any) -> Any:
        if (
            item is None
            or isinstance(item, bool)
            or (isinstance(item, int | float) and words_of(name)[-1] in TEXT_ONLY)
        ):
            return item
        return MASK


def _is_named_secret(value: Mapping[Any, Any]) -> bool:
    """Tell whether an object is a pair in the manner of ``{"name": "password", "value": "…"}``."""
    name = value.get("name", value.get("key"))
    return isinstance(name, str) and is_secret_name(name)

"""Files that users write in TOML: where they are, the line of each key, the words of a mistake, variables in texts."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from celery_nexus.rows.text import safe_text

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""``${NAME}`` of an environment variable."""


def config_folder() -> Path:
    """Return the user's folder of settings (XDG Base Directory: ``XDG_CONFIG_HOME``, else ``~/.config``)."""
    named = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".config") / "nexus"


def find_line(text: str, *keys: str) -> int:
    """Return the line on which a key of a valid TOML text begins, however it is written: 1 is the first."""
    line = 1
    for line, document in _beginnings(text):  # noqa: B007  (the last one stands for a key that there is not)
        found: Any = document
        for key in keys:
            found = cast("dict[str, Any]", found).get(key) if isinstance(found, dict) else None
        if found is not None:
            break
    return line


@lru_cache(maxsize=1)
def _beginnings(text: str) -> tuple[tuple[int, dict[str, Any]], ...]:
    """Parse every beginning of a text that is valid TOML, each with the line on which its last statement begins.

    The first of them that has a key ends with the key's statement, and the one before it ends before that statement.
    """
    found: list[tuple[int, dict[str, Any]]] = []
    lines = text.replace("\r\n", "\n").split("\n")
    before = 0
    for count in range(1, len(lines) + 1):
        try:
            document = tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        found.append((before + 1, document))
        before = count
    return tuple(found)


def split_syntax_error(error: tomllib.TOMLDecodeError) -> tuple[int | None, str]:
    """Return the line of a syntax error, None for the end of the file, and what is wrong there."""
    words, _, place = str(error).partition(" (at ")
    found = re.match(r"line (\d+)", place)
    return int(found[1]) if found else None, f"{words}{'' if found else ' at the end of the file'}"


def suggest(word: object, known: Collection[str]) -> str:
    """Write which known word was probably meant, in brackets; empty when none is near."""
    close = difflib.get_close_matches(str(word), known, 1)
    return f" (did you mean {safe_text(close[0], 60)}?)" if close else ""


def list_variables(value: object) -> Iterator[str]:
    """Name the variables in all texts of a TOML value, in their order."""
    if isinstance(value, str):
        yield from VARIABLE.findall(value)
    elif isinstance(value, dict):
        for item in cast("dict[str, object]", value).values():
            yield from list_variables(item)
    elif isinstance(value, list | tuple):
        for item in cast("list[object]", value):
            yield from list_variables(item)


def expand_texts(value: Any, values: Mapping[str, str]) -> Any:
    """Copy a TOML value with its variables' values in their places."""
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: values[found[1]], value)
    if isinstance(value, dict):
        return {key: expand_texts(item, values) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [expand_texts(item, values) for item in cast("list[Any]", value)]
    return value

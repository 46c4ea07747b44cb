"""Filters that the user saved by name, for each table its own, in her ``filters.toml``.

::

    [tasks]
    "urgent" = "state:failure age:<1h"
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from celery_nexus.connection.errors import ConfigError
from celery_nexus.rows.text import safe_text
from nexus_tui.preferences.user_files import config_path, replace_file

MOST_SAVED = 200
"""Most filters of one table."""

LONGEST_NAME = 60
"""Most characters of a name."""

_HEAD = "# Filters by table, saved in the dashboard: f lists them, :save NAME adds one. Comments are not kept.\n"

Saved = dict[str, dict[str, str]]
"""Filters by name, by table."""


def filters_path() -> Path:
    """Return the user's file of filters."""
    return config_path("filters.toml")


def read_filters() -> Saved:
    """Read the user's filters; without a file there are none.

    Raises:
        ConfigError: The file can't be read or is wrong; names the place.
    """
    path = filters_path()
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"can't read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not understood: {safe_text(error, 200)}") from None
    return {table: _read_table(path, table, rows) for table, rows in document.items()}


def save_filter(table: str, name: str, text: str) -> None:
    """Save a filter under a name, in the place of the one that had it.

    Raises:
        ConfigError: The name can't be one, there are too many, or the file is wrong or can't be written.
    """
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise ConfigError(f"a name has 1 to {LONGEST_NAME} visible characters")
    saved = read_filters()
    rows = saved.setdefault(table, {})
    rows[name] = text
    if len(rows) > MOST_SAVED:
        raise ConfigError(f"there are {MOST_SAVED} filters of this table already: f lists them, d removes one")
    _write(saved)


def remove_filter(table: str, name: str) -> None:
    """Remove a filter.

    Raises:
        ConfigError: The file is wrong or can't be written.
    """
    saved = read_filters()
    saved.get(table, {}).pop(name, None)
    _write(saved)


def _read_table(path: Path, table: str, rows: object) -> dict[str, str]:
    if not isinstance(rows, Mapping):
        raise ConfigError(f"{path}: {safe_text(table, 60)} stands outside of a table: begin one with [TABLE] above it")
    for name, text in cast("Mapping[str, Any]", rows).items():
        if not isinstance(text, str):
            raise ConfigError(f"{path}: the filter {safe_text(name, 60)} of [{safe_text(table, 60)}] must be a text")
    return dict(cast("Mapping[str, str]", rows))


def _write(saved: Saved) -> None:
    lines = [_HEAD]
    for table, rows in saved.items():
        lines += [f"\n[{_quote(table)}]\n", *(f"{_quote(name)} = {_quote(text)}\n" for name, text in rows.items())]
    path = filters_path()
    try:
        replace_file(path, "".join(lines))
    except OSError as error:
        raise ConfigError(f"can't write {path}: {error.strerror}") from None


def _quote(text: str) -> str:
    """Write a text as TOML does: as JSON, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")

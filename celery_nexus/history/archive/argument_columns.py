"""Argument columns of an archive: their names, kinds and Arrow values.

A column's kind only ever widens, from file to file of an archive, and each kind can be cast to the wider one: so
readers that give all files one schema (DuckDB's ``union_by_name``, a pyarrow dataset) read them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, cast

import orjson

Kind = Literal["integer", "long", "number", "boolean", "text"]
"""``integer`` is exact as a floating-point number, ``long`` has 64 bits; ``text`` holds texts, and all else as JSON."""

KINDS: tuple[Kind, ...] = ("integer", "long", "number", "boolean", "text")
PREFIX = "args."
MAX_COLUMNS = 500
"""Most argument columns; others are in ``args`` and ``kwargs`` only, since an application may invent names."""

MAX_NAME = 200
_EXACT = 1 << 53
_INT64 = 1 << 63

Arguments = dict[str, Any]


def read_arguments(args: str | None, kwargs: str | None) -> Arguments:
    """Return the arguments of a run by the names of their columns: ``args.0`` for a place, ``args.name`` for a name.

    Args:
        args: A JSON list; anything else has no columns.
        kwargs: A JSON object; anything else has no columns.
    """
    found: Arguments = {}
    places, names = _loads(args), _loads(kwargs)
    if isinstance(places, list):
        found = {f"{PREFIX}{place}": value for place, value in enumerate(cast("list[Any]", places))}
    if isinstance(names, dict):
        for name, value in cast("dict[str, Any]", names).items():
            if name and not name.isdecimal() and len(name) <= MAX_NAME and "\0" not in name:
                found[f"{PREFIX}{name}"] = value
    return found


def _loads(text: str | None) -> Any:
    try:
        return None if text is None else orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def widen(one: Kind | None, other: Kind | None) -> Kind | None:
    """Return the kind that holds the values of both; None is that of no values."""
    if one is None or other is None or one == other:
        return one or other
    match {one, other}:
        case pair if pair == {"integer", "long"}:
            return "long"
        case pair if pair == {"integer", "number"}:
            return "number"
        case _:
            return "text"


def kind_of_value(value: Any) -> Kind | None:
    """Return the kind of one value; None for null."""
    match value:
        case None:
            return None
        case bool():
            return "boolean"
        case int():
            return "integer" if abs(value) <= _EXACT else "long" if -_INT64 <= value < _INT64 else "text"
        case float():
            return "number"
        case _:
            return "text"


def kinds_of(rows: Iterable[Arguments], known: Mapping[str, Kind]) -> dict[str, Kind]:
    """Return the kind of each column: those known, widened by what the rows hold, and new ones while there is room."""
    kinds: dict[str, Kind] = dict(known)
    for row in rows:
        for name, value in row.items():
            kind = kind_of_value(value)
            if kind is not None and (name in kinds or len(kinds) < MAX_COLUMNS):
                kinds[name] = cast("Kind", widen(kinds.get(name), kind))
    return kinds


def column_values(rows: Sequence[Arguments], name: str, kind: Kind) -> list[Any]:
    """Return the values of a column, None where a run has no such argument or null."""
    values = [row.get(name) for row in rows]
    return [_text(value) for value in values] if kind == "text" else values


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()

"""Cells of exported tables: outside text made harmless, and each change counted."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

Scalar = str | int | float | bool | None

XLSX_CELL_LIMIT = 32_767
"""UTF-16 units that a cell holds (Excel's specification)."""

MAX_DEPTH = 100
"""Deepest nesting of objects; deeper ones become JSON text."""

EXACT_IN_DOUBLE = 2**53
"""Largest whole number that spreadsheets, which use doubles, keep exactly."""

_BROKEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_FORMULA = re.compile(r"[\t\r]|\s*[=+\-@＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?")


@dataclass
class Changes:
    """Cells that could not stay as they were, by reason; they are counted while rows stream by.

    Attributes:
        replaced: Control characters or broken Unicode, now U+FFFD.
        neutralised: Would have been run as a formula; now start with an apostrophe.
        cut: Longer than a cell can hold.
        not_finite: NaN or infinity, now empty.
    """

    replaced: int = 0
    neutralised: int = 0
    cut: int = 0
    not_finite: int = 0

    def as_json(self) -> dict[str, int]:
        """Shape them for a task's result."""
        return {f"{name}_cells": count for name, count in asdict(self).items()}


def clean(text: str) -> str:
    """Replace control characters (but tab and line ends), lone surrogates and non-characters by U+FFFD."""
    return _BROKEN.sub("\ufffd", text)


def scalar(value: Any, changes: Changes) -> Scalar:
    """Turn any JSON value into one that a cell can hold; objects and lists become JSON text."""
    if type(value) is str and value.isprintable():  # nearly every cell: printable text holds nothing to replace
        return value
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        changes.not_finite += 1
        return None
    text = value if isinstance(value, str) else _json(value)
    cleaned = clean(text)
    changes.replaced += cleaned != text
    return cleaned


def keep_nested(value: Any, changes: Changes, depth: int = 0) -> Any:
    """Keep objects and lists as they are, for formats that can hold them, with their text cleaned."""
    if depth > MAX_DEPTH:
        return _json(value)
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value)
        return {clean(str(key)): keep_nested(item, changes, depth + 1) for key, item in pairs.items()}
    if isinstance(value, list):
        return [keep_nested(item, changes, depth + 1) for item in cast("list[Any]", value)]
    return scalar(value, changes)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return "(nested too deep)"


def is_formula(text: str) -> bool:
    """Tell whether a spreadsheet would run the text as a formula; numbers with a sign are none."""
    return _FORMULA.match(text) is not None and _NUMBER.fullmatch(text) is None


def neutralize_formula(text: str, changes: Changes) -> str:
    """Put an apostrophe before what a spreadsheet would run when it opens a text file."""
    if text[:1].isalnum() or not is_formula(text):
        return text
    changes.neutralised += 1
    return f"'{text}"


def truncate(text: str, changes: Changes, limit: int = XLSX_CELL_LIMIT) -> str:
    """Cut text to ``limit`` UTF-16 units, the last of them an ellipsis."""
    if len(text) * 2 <= limit:
        return text
    units = text.encode("utf-16-le")
    if len(units) <= 2 * limit:
        return text
    changes.cut += 1
    return units[: 2 * (limit - 1)].decode("utf-16-le", "ignore") + "…"


def plain(value: Scalar) -> str:
    """Spell a scalar as text: ``true``, ``false``, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)

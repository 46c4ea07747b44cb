"""Survey of a table's columns: their order of appearance and their types, from one pass over the records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from celery_nexus.exports.cells import EXACT_IN_DOUBLE, clean
from celery_nexus.exports.shape import Column, Kind, Shape, as_moment
from celery_nexus.task_errors import InvalidArgument, TooLarge
from workers.services.exports.sources import Records, unique_names
from workers.services.progress import Progress
from workers.services.storage import spell_name

MAX_COLUMNS = 16_384
"""Columns of a spreadsheet (Excel's specification); wider tables are refused in every format."""

STEP = 10_000
"""Rows between two signs of progress."""

_CANONICAL = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?")
_LONGEST_MOMENT = 32
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,14})")


def survey(records: Records, wanted: Sequence[str] | None, progress: Progress) -> Shape:
    """Read all records once.

    Args:
        records: What to read.
        wanted: Columns to keep, in this order; None for all.
        progress: Told every 10,000 rows.

    Raises:
        InvalidArgument: A wanted column is in no record.
        TooLarge: There are more columns than a table may have.
    """
    judge = _text_kind if records.numbers_are_text else _kind
    kinds: dict[str, Kind | None] = {}
    rows = 0
    for record in records:
        rows += 1
        for key, value in record.items():
            known = kinds.get(key)
            if known == "text":
                continue  # and stays so, whatever comes
            found = judge(value)
            if found is known is not None:
                continue
            if key not in kinds and len(kinds) >= MAX_COLUMNS:
                raise TooLarge(f"more than {MAX_COLUMNS} columns; give `columns`, or records with fewer keys")
            kinds[key] = found if known is None else _joined(known, found)
        if rows % STEP == 0:
            progress(rows, None, "looking at columns")
    if wanted is not None:
        missing = [name for name in wanted if name not in kinds]
        if missing:
            known_names = ", ".join(list(kinds)[:20]) or "none"
            raise InvalidArgument(
                spell_name(f"columns: no record has {', '.join(missing)}; there are: {known_names}", 500)
            )
    keys = list(wanted) if wanted is not None else list(kinds)
    names = unique_names([clean(key) for key in keys])
    columns = tuple(Column(key, name, kinds[key] or "text") for key, name in zip(keys, names, strict=True))
    return Shape(columns, rows, records.numbers_are_text)


def _kind(value: Any) -> Kind | None:
    if value is None:
        return None
    if type(value) is str:
        return _kind_of_text(value)
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if -EXACT_IN_DOUBLE <= value <= EXACT_IN_DOUBLE else "text"
    return "number" if isinstance(value, float) else "text"


def _kind_of_text(value: str) -> Kind:
    moment = as_moment(value) if 10 <= len(value) <= _LONGEST_MOMENT else None
    if moment is None:
        return "text"
    if len(value) == 10:
        return "date"
    return "time" if moment.tzinfo else "local_time"


def _text_kind(value: str) -> Kind | None:
    if not value:
        return None
    if value[4:5] == "-":
        return _kind_of_text(value)
    if _CANONICAL.fullmatch(value) is None or value == "-0":
        return "text"
    return "integer" if _WHOLE.fullmatch(value) else "number"


def _joined(one: Kind, other: Kind | None) -> Kind:
    if other is None or one == other:
        return one
    return "number" if {one, other} == {"integer", "number"} else "text"

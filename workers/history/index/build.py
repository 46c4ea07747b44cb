"""Makes the parts of a block from its rows."""

from __future__ import annotations

import math
import sqlite3
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from workers.history.filter.matching import loads, lower
from workers.history.index.bloom import BUCKETS, signature_of
from workers.history.index.ids import encode_ids
from workers.history.index.pages import FIRST_FLOAT, NUMBERS, Part, encode, encode_some, pack_texts
from workers.history.index.shared_texts import encode_texts
from workers.history.index.value_encoding import MAX_TEXT, values_of
from workers.history.index.zone_map import Limits

CHUNK_ROWS = 256
CHUNK_BYTES = 48 * 1024
MAX_ARGUMENTS = 64
"""Arguments of one block that have a part of their own: those that most runs have."""

SLICE_BYTES = 1024
"""A block's signatures are cut in parts, of which a question reads few: at least so large,"""

MAX_SLICES = 512
"""and at most so many."""

_SELECT = """
select run.key, state, coalesce(task, 0), coalesce(queue, 0), coalesce(worker, 0), retries, coalesce(priority + 1, 0),
  waited_s, ran_s, case when waited_s is null and state < 5 then sent_at end,
  case when ran_s is null and state < 5 then started_at end, id, root_id, parent_id, group_id,
  case when error_group is not null then error end, result, case when error_group is null then error end, args, kwargs
from run left join arguments using (key) left join ending using (key)
where run.key > ? and run.key <= ? order by run.key limit ?
"""
_FREE_TEXT = (17, 18, 19)
_LENGTHS = (*_FREE_TEXT, Part.RESULT)
_ARGS, _KWARGS = 18, 19
_SHARED = 4
"""Texts of results are kept once each where at least so many runs share one, on average."""

_PLACES = tuple(map(str, range(MAX_ARGUMENTS)))
_NEVER = "\0"
"""For arguments whose names no filter can ask for."""

Row = tuple[Any, ...]
Parts = Iterator[tuple[int, int, bytes]]
"""Part, piece and data."""


def rows_between(connection: sqlite3.Connection, after: int, to: int, limit: int) -> list[Row]:
    """Return what blocks hold of the rows with such keys, oldest first."""
    return connection.execute(_SELECT, (after, to, limit)).fetchall()


def limits_of(rows: list[Row]) -> bytes:
    """Encode between which values the columns of durations are."""
    found: list[float] = []
    for part in (Part.WAITED, Part.RAN):
        known = [row[part] for row in rows if row[part] is not None]
        found += [min(known, default=math.inf), max(known, default=-math.inf)]
    return struct.pack("<4d", *found)


def chunk_starts(rows: list[Row]) -> list[int]:
    """Cut rows into chunks whose texts are read together; returns the first row of each."""
    starts, size = [0], 0
    for index, row in enumerate(rows):
        length = sum(len(row[column]) for column in _LENGTHS if row[column])
        if index > starts[-1] and (index - starts[-1] >= CHUNK_ROWS or size + length > CHUNK_BYTES):
            starts.append(index)
            size = 0
        size += length
    return starts


def parts_of(rows: list[Row], starts: list[int], number_of: Callable[[str], int | None]) -> Parts:
    """Make all parts.

    Args:
        rows: From :func:`rows_between`.
        starts: The first rows of its chunks.
        number_of: The number of an argument's name in the file; None when it can have none.
    """
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True))
    for part in NUMBERS:
        yield part, 0, encode(np.array(columns[part], np.float64 if part >= FIRST_FLOAT else np.int64))
    for part in (Part.SENT, Part.STARTED):
        yield part, 0, encode_some(columns[part])
    for part in (Part.ID, Part.ROOT, Part.PARENT, Part.GROUP):
        yield part, 0, encode_ids(columns[part])
    yield Part.ERROR, 0, encode_texts([None if text is None else lower(text) for text in columns[Part.ERROR]])
    are_shared = _are_shared(columns[Part.RESULT])
    yield Part.RESULT, 0, encode_texts(columns[Part.RESULT]) if are_shared else b""
    yield from _texts(rows, starts, (*_FREE_TEXT, Part.RESULT)[: None if not are_shared else -1])
    yield from _values(columns[_ARGS], columns[_KWARGS], number_of)


def _are_shared(texts: tuple[str | None, ...]) -> bool:
    known = {text for text in texts if text is not None}
    return len(known) * _SHARED <= len(texts) and max(map(len, known), default=0) <= MAX_TEXT


def _texts(rows: list[Row], starts: list[int], columns: tuple[int, ...]) -> Parts:
    bits = np.zeros((BUCKETS, len(starts)), np.bool_)
    for piece, (start, end) in enumerate(zip(starts, [*starts[1:], len(rows)], strict=True)):
        texts = [("\0".join([row[column] or "" for column in columns]) + "\0").encode().lower()
                 for row in rows[start:end]]  # fmt: skip
        yield Part.TEXT, piece, pack_texts(texts)
        bits[:, piece] = signature_of(b"".join(texts))
    yield from signatures(bits)


def signatures(bits: NDArray[np.bool_]) -> Parts:
    """Cut signatures, a row a bucket and a column a chunk, into parts."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    buckets = slice_buckets(bits.shape[1])
    for piece, start in enumerate(range(0, BUCKETS, buckets)):
        yield Part.SIGNATURE, piece, packed[start : start + buckets].tobytes()


def slice_buckets(chunks: int) -> int:
    """Return how many buckets one part of a block's signatures holds."""
    size = -(-chunks // 8)
    return max(SLICE_BYTES // size, BUCKETS // MAX_SLICES)


def _values(args: tuple[Any, ...], kwargs: tuple[Any, ...], number_of: Callable[[str], int | None]) -> Parts:
    found = _by_name(args, kwargs)
    if found is None:
        return
    are_all = not found.pop("", None)
    most = sorted(found.items(), key=lambda item: -len(item[1][0]))[:MAX_ARGUMENTS]
    numbers = {name: number for name, _ in most if (number := number_of(name)) is not None}
    shared: list[int] = []
    limits: dict[str, Limits] = {}
    for name, (rows, values) in most:
        if name in numbers:
            known = values_of(rows, values, len(args))
            shared += [numbers[name]] * known.are_shared
            limits[str(numbers[name])] = known.limits()
            yield Part.VALUES, numbers[name], known.encode()
    yield Part.VALUES, 0, orjson.dumps([are_all and len(numbers) == len(found), list(numbers.values()), shared, limits])


def _by_name(args: tuple[Any, ...], kwargs: tuple[Any, ...]) -> dict[str, tuple[list[int], list[Any]]] | None:
    """Return rows and values of each argument; None where arguments aren't what Celery sends.

    An empty name says that there are more.
    """
    found: defaultdict[str, tuple[list[int], list[Any]]] = defaultdict(lambda: ([], []))
    for row, text in enumerate(args):
        value = None if text is None else loads(text)
        if isinstance(value, list):
            for place, item in zip(_PLACES, cast("list[Any]", value), strict=False):
                rows, values = found[place]
                rows.append(row)
                values.append(item)
            if len(cast("list[Any]", value)) > MAX_ARGUMENTS:
                found[""][0].append(row)
        elif isinstance(value, dict):
            return None
    for row, text in enumerate(kwargs):
        value = None if text is None else loads(text)
        if isinstance(value, dict):
            for name, item in cast("dict[str, Any]", value).items():
                rows, values = found[name if not name.isdecimal() and name else _NEVER]
                rows.append(row)
                values.append(item)
    found.pop(_NEVER, None)
    return found

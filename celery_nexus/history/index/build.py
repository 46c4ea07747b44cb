"""Build of a segment: the pages of its columns, made from its rows."""

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

from celery_nexus.filters.texts import lower
from celery_nexus.history.filter.matching import loads
from celery_nexus.history.index.arguments.encoding import MAX_TEXT, collect_values
from celery_nexus.history.index.arguments.zone_map import ZoneMap
from celery_nexus.history.index.bloom import BLOOM_BITS, build_bloom
from celery_nexus.history.index.ids import encode_ids
from celery_nexus.history.index.pages import FIRST_FLOAT, NUMBERS, Column, encode, encode_some, pack_texts
from celery_nexus.history.index.shared_texts import encode_texts

PAGE_ROWS = 256
PAGE_BYTES = 48 * 1024
MAX_ARGUMENTS = 64
"""Most arguments of a segment with a column of their own: those that most runs have."""

BLOOM_PAGE_BYTES = 1024
"""Smallest page of a segment's Bloom filters, of which a search reads few,"""

MAX_BLOOM_PAGES = 512
"""and their largest number."""

_SELECT = """
select run.key, state, coalesce(task, 0), coalesce(queue, 0), coalesce(worker, 0), retries, coalesce(priority + 1, 0),
  waited_s, ran_s, case when waited_s is null and state < 5 then sent_at end,
  case when ran_s is null and state < 5 then started_at end, id, root_id, parent_id, group_id,
  case when error_group is not null then error end, result, case when error_group is null then error end, args, kwargs
from run left join arguments using (key) left join ending using (key)
where run.key > ? and run.key <= ? order by run.key limit ?
"""
_FREE_TEXT = (17, 18, 19)
_LENGTHS = (*_FREE_TEXT, Column.RESULT)
_ARGS, _KWARGS = 18, 19
_SHARED = 4
"""Average number of runs for each result from which results are stored once."""

_PLACES = tuple(map(str, range(MAX_ARGUMENTS)))
_NEVER = "\0"
"""Names of arguments that no filter can ask for."""

Row = tuple[Any, ...]
Pages = Iterator[tuple[int, int, bytes]]
"""Pages as column, number in the column, and data."""


def rows_between(connection: sqlite3.Connection, after: int, to: int, limit: int) -> list[Row]:
    """Return what segments hold of the rows with such keys, oldest first."""
    return connection.execute(_SELECT, (after, to, limit)).fetchall()


def duration_bounds(rows: list[Row]) -> bytes:
    """Encode between which values the columns of durations are."""
    found: list[float] = []
    for column in (Column.WAITED, Column.RAN):
        known = [row[column] for row in rows if row[column] is not None]
        found += [min(known, default=math.inf), max(known, default=-math.inf)]
    return struct.pack("<4d", *found)


def page_starts(rows: list[Row]) -> list[int]:
    """Cut rows into pages whose texts are read together; returns the first row of each."""
    starts, size = [0], 0
    for index, row in enumerate(rows):
        length = sum(len(row[column]) for column in _LENGTHS if row[column])
        if index > starts[-1] and (index - starts[-1] >= PAGE_ROWS or size + length > PAGE_BYTES):
            starts.append(index)
            size = 0
        size += length
    return starts


def build_pages(rows: list[Row], starts: list[int], number_of: Callable[[str], int | None]) -> Pages:
    """Make all pages.

    Args:
        rows: From :func:`rows_between`.
        starts: The first rows of its pages.
        number_of: The number of an argument's name in the file; None when it can have none.
    """
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True))
    for column in NUMBERS:
        yield column, 0, encode(np.array(columns[column], np.float64 if column >= FIRST_FLOAT else np.int64))
    for column in (Column.SENT, Column.STARTED):
        yield column, 0, encode_some(columns[column])
    for column in (Column.ID, Column.ROOT, Column.PARENT, Column.GROUP):
        yield column, 0, encode_ids(columns[column])
    yield Column.ERROR, 0, encode_texts([None if text is None else lower(text) for text in columns[Column.ERROR]])
    are_shared = _are_shared(columns[Column.RESULT])
    yield Column.RESULT, 0, encode_texts(columns[Column.RESULT]) if are_shared else b""
    yield from _texts(rows, starts, (*_FREE_TEXT, Column.RESULT)[: None if not are_shared else -1])
    yield from _values(columns[_ARGS], columns[_KWARGS], number_of)


def _are_shared(texts: tuple[str | None, ...]) -> bool:
    known = {text for text in texts if text is not None}
    return len(known) * _SHARED <= len(texts) and max(map(len, known), default=0) <= MAX_TEXT


def _texts(rows: list[Row], starts: list[int], columns: tuple[int, ...]) -> Pages:
    bits = np.zeros((BLOOM_BITS, len(starts)), np.bool_)
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(rows)], strict=True)):
        texts = [("\0".join([row[column] or "" for column in columns]) + "\0").encode().lower()
                 for row in rows[start:end]]  # fmt: skip
        yield Column.TEXT, number, pack_texts(texts)
        bits[:, number] = build_bloom(b"".join(texts))
    yield from bloom_pages(bits)


def bloom_pages(bits: NDArray[np.bool_]) -> Pages:
    """Cut Bloom filters, a row a bit and a column a page of texts, into pages of their own."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    per_page = bits_per_page(bits.shape[1])
    for number, start in enumerate(range(0, BLOOM_BITS, per_page)):
        yield Column.BLOOM, number, packed[start : start + per_page].tobytes()


def bits_per_page(pages: int) -> int:
    """Return of how many bits one page holds the Bloom filters of so many pages of texts."""
    size = -(-pages // 8)
    return max(BLOOM_PAGE_BYTES // size, BLOOM_BITS // MAX_BLOOM_PAGES)


def _values(args: tuple[Any, ...], kwargs: tuple[Any, ...], number_of: Callable[[str], int | None]) -> Pages:
    found = _by_name(args, kwargs)
    if found is None:
        return
    are_all = not found.pop("", None)
    most = sorted(found.items(), key=lambda item: -len(item[1][0]))[:MAX_ARGUMENTS]
    numbers = {name: number for name, _ in most if (number := number_of(name)) is not None}
    shared: list[int] = []
    zone_map: dict[str, ZoneMap] = {}
    for name, (rows, values) in most:
        if name in numbers:
            known = collect_values(rows, values, len(args))
            shared += [numbers[name]] * known.are_shared
            zone_map[str(numbers[name])] = known.zone_map()
            yield Column.VALUES, numbers[name], known.encode()
    yield (
        Column.VALUES,
        0,
        orjson.dumps([are_all and len(numbers) == len(found), list(numbers.values()), shared, zone_map]),
    )


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

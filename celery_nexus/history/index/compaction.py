"""Compaction: neighbouring segments joined into one, column by column, without looking at their rows again."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from celery_nexus.history.index.arguments.encoding import merge_values
from celery_nexus.history.index.arguments.values import Values, decode_values
from celery_nexus.history.index.arguments.zone_map import ZoneMap
from celery_nexus.history.index.bloom import BLOOM_BITS
from celery_nexus.history.index.build import Pages, bits_per_page, bloom_pages
from celery_nexus.history.index.ids import merge_ids
from celery_nexus.history.index.pages import NUMBERS, Column, decode, encode, merge_some, page_id
from celery_nexus.history.index.segments import Segment, delete_segment, insert_segment
from celery_nexus.history.index.shared_texts import merge_texts

_PAGE = "select data from page where id = ?"


def is_settled(connection: sqlite3.Connection, segment: Segment, open_share: float) -> bool:
    """Whether nearly all runs of a segment are over, and its arguments have pages of their own."""
    read = _reader(connection)
    states = decode(read(segment.number, Column.STATE, 0), segment.count)
    return bool((states < 5).mean() <= open_share) and bool(read(segment.number, Column.VALUES, 0))


def merge_segments(connection: sqlite3.Connection, segments: Sequence[Segment]) -> None:
    """Replace neighbouring segments, none of them cut, by one."""
    firsts = np.cumsum([0, *(segment.count for segment in segments)])
    starts = [
        int(first) + start
        for first, segment in zip(firsts, segments, strict=False)
        for start in segment.starts.tolist()
    ]
    bounds = zip(*(segment.zone_map for segment in segments), strict=True)
    zone_map = [choose(values) for choose, values in zip((min, max, min, max), bounds, strict=True)]
    pages = _merge_pages(_reader(connection), segments)
    insert_segment(
        connection, segments[0].low, segments[-1].high, int(firsts[-1]), starts, struct.pack("<4d", *zone_map), pages
    )
    for segment in segments:
        delete_segment(connection, segment.number)


_Read = Callable[[int, int, int], bytes]


def _reader(connection: sqlite3.Connection) -> _Read:
    def read(segment: int, column: int, number: int) -> bytes:
        row = connection.execute(_PAGE, (page_id(segment, column, number),)).fetchone()
        return row[0] if row else b""

    return read


def _merge_pages(read: _Read, segments: Sequence[Segment]) -> Pages:
    for column in NUMBERS:
        yield column, 0, encode(np.concatenate([decode(read(b.number, column, 0), b.count) for b in segments]))
    for column in (Column.SENT, Column.STARTED):
        yield column, 0, merge_some([(read(b.number, column, 0), b.count) for b in segments])
    for column in (Column.ID, Column.ROOT, Column.PARENT, Column.GROUP):
        yield column, 0, merge_ids([(read(b.number, column, 0), b.count) for b in segments])
    for column in (Column.ERROR, Column.RESULT):
        yield column, 0, merge_texts([(read(b.number, column, 0), b.count) for b in segments])
    number = 0
    for segment in segments:
        for old in range(len(segment.starts)):
            yield Column.TEXT, number, read(segment.number, Column.TEXT, old)
            number += 1
    yield from bloom_pages(_bits(read, segments))
    yield from _values(read, segments)


def _bits(read: _Read, segments: Sequence[Segment]) -> NDArray[np.bool_]:
    found: list[NDArray[Any]] = []
    for segment in segments:
        pages = len(segment.starts)
        numbers = range(-(-BLOOM_BITS // bits_per_page(pages)))
        data = b"".join(read(segment.number, Column.BLOOM, number) for number in numbers)
        packed = np.frombuffer(data, np.uint8).reshape(BLOOM_BITS, -1)
        found.append(np.unpackbits(packed, axis=1, count=pages, bitorder="little"))
    return np.concatenate(found, axis=1)


def _values(read: _Read, segments: Sequence[Segment]) -> Iterator[tuple[int, int, bytes]]:
    """Join the arguments' pages; all segments have them."""
    named = [orjson.loads(read(segment.number, Column.VALUES, 0)) for segment in segments]
    # What has no column in one segment may be there all the same, where that segment doesn't have pages of all.
    numbers = [
        number
        for number in dict.fromkeys(number for _, numbers, *_ in named for number in numbers)
        if all(are_all or number in numbers for are_all, numbers, *_ in named)
    ]
    shared: list[int] = []
    zone_map: dict[str, ZoneMap] = {}
    for number in numbers:
        pages: list[Values | int] = []
        for segment in segments:
            data = read(segment.number, Column.VALUES, number)
            pages.append(decode_values(data, segment.count) if data else segment.count)
        values = merge_values(pages)
        shared += [number] * values.are_shared
        zone_map[str(number)] = values.zone_map()
        yield Column.VALUES, number, values.encode()
    yield Column.VALUES, 0, orjson.dumps([all(are_all for are_all, *_ in named), numbers, shared, zone_map])

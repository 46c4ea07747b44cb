"""Batches of neighbouring segments for a search; each page is read at its first use."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from celery_nexus.history.index.arguments.values import Values, decode_values, read_rows_with_values
from celery_nexus.history.index.arguments.zone_map import ZoneMap
from celery_nexus.history.index.bloom import needle_bits
from celery_nexus.history.index.build import bits_per_page
from celery_nexus.history.index.ids import Ids, length_of_uuids
from celery_nexus.history.index.pages import Column, Mask, Rows, decode, decode_some, page_id, unpack_texts
from celery_nexus.history.index.segments import Segment
from celery_nexus.history.index.shared_texts import Texts, decode_texts

Keys = NDArray[np.int64]

_PAGE = "select data from page where id = ?"


def load_tombstones(connection: sqlite3.Connection, low: int, before: int) -> Keys:
    """Return the keys, in order, of rows that differ from their segments or are in none."""
    sql = "select key from tombstone where key >= ? and key < ? order by key"
    return np.array([row[0] for row in connection.execute(sql, (low, before))], np.int64)


class Named(NamedTuple):
    """Which arguments have a column in a segment.

    Attributes:
        are_all: Whether there are no others.
        numbers: Of their names.
        shared: Those of which many rows have the same text.
        zone_maps: By number as text.
    """

    are_all: bool
    numbers: list[int]
    shared: list[int]
    zone_maps: dict[str, ZoneMap]


class Batch:
    """Some neighbouring segments.

    Args:
        connection: In the snapshot of the question.
        segments: In the order of their keys.
        tombstones: Keys whose rows differ from the segments', in order.
        low: Rows below this key don't count.
        before: Rows from this key on don't count.
    """

    def __init__(
        self, connection: sqlite3.Connection, segments: Sequence[Segment], tombstones: Keys, low: int, before: int
    ) -> None:
        self._connection = connection
        self.segments = segments
        self.offsets: NDArray[np.int64] = np.cumsum([0, *(segment.count for segment in segments)])
        self._tombstones = tombstones
        self._low, self.before = low, before
        self._columns: dict[Column, NDArray[Any]] = {}
        self._decoded_columns: dict[tuple[int, Column], NDArray[Any]] = {}
        self._bloom_pages: dict[tuple[int, int], bytes] = {}
        self._named: dict[int, Named | None] = {}
        self._ids: dict[tuple[int, Column], Ids | None] = {}

    @property
    def count(self) -> int:
        """How many rows."""
        return int(self.offsets[-1])

    @property
    def end(self) -> int:
        """The first key behind the last row."""
        return self.segments[-1].high + 1

    def rows_by_segment(self) -> Iterator[tuple[Segment, slice]]:
        """Return each segment with its rows in the batch."""
        for place, segment in enumerate(self.segments):
            yield segment, slice(int(self.offsets[place]), int(self.offsets[place + 1]))

    def column(self, column: Column) -> NDArray[Any]:
        """Return a column of all rows."""
        found = self._columns.get(column)
        if found is None:
            found = np.concatenate([self._decode_column(segment, column) for segment in self.segments])
            self._columns[column] = found
        return found

    def durations(self, column: Column, low: float, high: float) -> NDArray[Any]:
        """Return a column of durations; NaN in segments that have none between these."""
        place = 0 if column == Column.WAITED else 2
        return np.concatenate(
            [
                self._decode_column(segment, column)
                if segment.zone_map[place] <= high and segment.zone_map[place + 1] >= low
                else np.full(segment.count, np.nan)
                for segment in self.segments
            ]
        )

    def read_open_since(self, column: Column) -> tuple[Rows, NDArray[np.float64]]:
        """Return rows of runs that are not over, and since when they wait or run."""
        rows: list[Rows] = []
        since: list[NDArray[np.float64]] = []
        for segment, there in self.rows_by_segment():
            where, known = decode_some(self._read(page_id(segment.number, column)))
            rows.append(where + there.start)
            since.append(known)
        return np.concatenate(rows), np.concatenate(since)

    def _decode_column(self, segment: Segment, column: Column) -> NDArray[Any]:
        found = self._decoded_columns.get((segment.number, column))
        if found is None:
            found = decode(self._read_large(page_id(segment.number, column)), segment.count)
            self._decoded_columns[segment.number, column] = found
        return found

    def _read(self, id_: int) -> bytes:
        row = self._connection.execute(_PAGE, (id_,)).fetchone()
        return row[0] if row else b""

    def _read_large(self, id_: int) -> bytes:
        """Read a page that is there, in a third of the time when it is large."""
        with self._connection.blobopen("page", "data", id_, readonly=True) as blob:
            return blob.read()

    @cached_property
    def alive(self) -> Mask:
        """Rows that are as their segment says, and within the question's bounds."""
        alive = np.ones(self.count, np.bool_)
        for segment, rows in self.rows_by_segment():
            low = max(self._low, segment.low)
            if segment.removed or segment.low < low or segment.high >= self.before:
                keys = self.column(Column.KEY)[rows]
                alive[rows] = (keys >= low) & (keys < self.before)
        alive[self.rows_of(self._tombstones)] = False
        return alive

    def keys_of_segment(self, segment: Segment) -> Keys:
        """Return the keys of a segment's rows."""
        return self._decode_column(segment, Column.KEY)

    def rows_of(self, keys: Keys) -> Rows:
        """Return the rows of those keys that are in these segments; the keys in order."""
        first, last = np.searchsorted(keys, (self.segments[0].low, self.segments[-1].high + 1))
        keys = keys[first:last]
        found: list[Rows] = [np.empty(0, np.intp)]
        places = np.searchsorted([segment.high for segment in self.segments], keys)
        for place in _different(places):
            there = self._decode_column(self.segments[place], Column.KEY)
            wanted = keys[places == place]
            rows = np.searchsorted(there, wanted)
            rows = rows[there[np.minimum(rows, self.segments[place].count - 1)] == wanted]
            found.append(rows + self.offsets[place])
        return np.concatenate(found)

    def keys_of(self, rows: Rows) -> list[int]:
        """Return the keys of rows, in the rows' order."""
        if Column.KEY in self._columns or len(rows) > self.count // 8:
            return self.column(Column.KEY)[rows].tolist()
        keys = np.empty(len(rows), np.int64)
        places = np.searchsorted(self.offsets, rows, side="right") - 1
        for place in _different(places):
            there = places == place
            keys[there] = self._decode_column(self.segments[place], Column.KEY)[rows[there] - self.offsets[place]]
        return keys.tolist()

    def have_uuids(self, segment: Segment) -> bool:
        """Whether the ids of all rows of a segment are UUIDs."""
        sql = "select length(data) from page where id = ?"
        row = self._connection.execute(sql, (page_id(segment.number, Column.ID),)).fetchone()
        return row is not None and row[0] == length_of_uuids(segment.count)

    def ids(self, segment: Segment, column: Column) -> Ids | None:
        """Return the ids of a segment's rows, or of their roots, parents or groups; None when no row has one."""
        if (segment.number, column) not in self._ids:
            data = self._read_ids(segment, column)
            self._ids[segment.number, column] = Ids(data, segment.count) if data else None
        return self._ids[segment.number, column]

    def _read_ids(self, segment: Segment, column: Column) -> bytes:
        id_ = page_id(segment.number, column)
        return self._read_large(id_) if column == Column.ID else self._read(id_)

    def read_shared_texts(self, segment: Segment, column: Column) -> Texts:
        """Return the errors of a segment in lower case, or its results, where many runs share one."""
        return decode_texts(self._read(page_id(segment.number, column)), segment.count)

    def read_value_names(self, segment: Segment) -> Named | None:
        """Return which arguments have a column in a segment; None when it has none at all."""
        if segment.number not in self._named:
            data = self._read(page_id(segment.number, Column.VALUES))
            self._named[segment.number] = Named(*orjson.loads(data)) if data else None
        return self._named[segment.number]

    def values(self, segment: Segment, number: int) -> Values:
        """Return the values of one of :meth:`read_value_names`."""
        return decode_values(self._read_large(page_id(segment.number, Column.VALUES, number)), segment.count)

    def rows_with(self, segment: Segment, number: int) -> Mask:
        """Return which of a segment's rows have a number or a text as one of :meth:`read_value_names`."""
        id_ = page_id(segment.number, Column.VALUES, number)
        with self._connection.blobopen("page", "data", id_, readonly=True) as blob:
            return read_rows_with_values(blob, segment.count)

    @cached_property
    def pages(self) -> list[tuple[int, int, int]]:
        """Place of the segment, first row and end of each page, in order."""
        return [
            (place, int(self.offsets[place]) + start, int(self.offsets[place]) + end)
            for place, segment in enumerate(self.segments)
            for start, end in pairwise([*segment.starts.tolist(), segment.count])
        ]

    def texts(self, page: int) -> tuple[NDArray[Any], bytes]:
        """Return where the text of each row of a page starts and the last ends, and the texts in lower case."""
        place = self.pages[page][0]
        segment = self.segments[place]
        number = int(np.searchsorted(segment.starts, self.pages[page][1] - int(self.offsets[place])))
        return unpack_texts(self._read_large(page_id(segment.number, Column.TEXT, number)))

    def may_contain(self, needles: Sequence[bytes], wanted: Mask) -> Mask:
        """Tell of each row whether its page may have all of some texts, looking only where a row is wanted."""
        asked = list(dict.fromkeys(bit for needle in needles for bit in needle_bits(needle)))
        found = np.zeros(self.count, np.bool_)
        for segment, rows in self.rows_by_segment():
            if wanted[rows].any():
                found[rows] = np.repeat(self._pages_with(segment, asked), np.diff([*segment.starts, segment.count]))
        return found

    def _pages_with(self, segment: Segment, bits: list[int]) -> Mask:
        """Tell of each page whether its Bloom filter has all bits."""
        count = len(segment.starts)
        size, per_page = -(-count // 8), bits_per_page(count)
        pages = (1 << count) - 1
        for bit in bits:
            data = self._bloom(segment.number, bit // per_page)
            at = bit % per_page * size
            pages &= int.from_bytes(data[at : at + size], "little")
            if not pages:
                break
        packed = np.frombuffer(pages.to_bytes(size, "little"), np.uint8)
        return np.unpackbits(packed, count=count, bitorder="little").astype(np.bool_)

    def _bloom(self, segment: int, number: int) -> bytes:
        data = self._bloom_pages.get((segment, number))
        if data is None:
            data = self._read(page_id(segment, Column.BLOOM, number))
            self._bloom_pages[segment, number] = data
        return data


def _different(places: Rows) -> list[int]:
    return np.unique(places).tolist()

"""Blocks as a question reads them: some neighbours at a time, each part when it is asked for."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from workers.history.index.argument_values import Values, decode_values, rows_of_values
from workers.history.index.bloom import asked_buckets
from workers.history.index.build import slice_buckets
from workers.history.index.compaction import Block
from workers.history.index.ids import Ids, length_of_uuids
from workers.history.index.pages import Mask, Part, Rows, decode, decode_some, part_id, unpack_texts
from workers.history.index.shared_texts import Texts, decode_texts
from workers.history.index.zone_map import Limits

Keys = NDArray[np.int64]

_PART = "select data from part where id = ?"


def load_stale(connection: sqlite3.Connection, low: int, before: int) -> Keys:
    """Return the keys, in order, of rows that differ from their blocks or are in none."""
    sql = "select key from stale where key >= ? and key < ? order by key"
    return np.array([row[0] for row in connection.execute(sql, (low, before))], np.int64)


class Named(NamedTuple):
    """Which arguments have parts in a block.

    Attributes:
        are_all: Whether there are no others.
        numbers: Of their names.
        shared: Those of which many rows have the same text.
        limits: By number as text.
    """

    are_all: bool
    numbers: list[int]
    shared: list[int]
    limits: dict[str, Limits]


class Span:
    """Some neighbouring blocks.

    Args:
        connection: In the snapshot of the question.
        blocks: In the order of their keys.
        stale: Keys whose rows differ from the blocks', in order.
        low: Rows below this key don't count.
        before: Rows from this key on don't count.
    """

    def __init__(
        self, connection: sqlite3.Connection, blocks: Sequence[Block], stale: Keys, low: int, before: int
    ) -> None:
        self._connection = connection
        self.blocks = blocks
        self.offsets: NDArray[np.int64] = np.cumsum([0, *(block.count for block in blocks)])
        self._stale = stale
        self._low, self.before = low, before
        self._columns: dict[Part, NDArray[Any]] = {}
        self._decoded_parts: dict[tuple[int, Part], NDArray[Any]] = {}
        self._signatures: dict[tuple[int, int], bytes] = {}
        self._named: dict[int, Named | None] = {}
        self._ids: dict[tuple[int, Part], Ids | None] = {}

    @property
    def count(self) -> int:
        """How many rows."""
        return int(self.offsets[-1])

    @property
    def end(self) -> int:
        """The first key behind the last row."""
        return self.blocks[-1].high + 1

    def rows_by_block(self) -> Iterator[tuple[Block, slice]]:
        """Return each block with its rows in the span."""
        for place, block in enumerate(self.blocks):
            yield block, slice(int(self.offsets[place]), int(self.offsets[place + 1]))

    def column(self, part: Part) -> NDArray[Any]:
        """Return a column of all rows."""
        found = self._columns.get(part)
        if found is None:
            found = np.concatenate([self._decoded(block, part) for block in self.blocks])
            self._columns[part] = found
        return found

    def durations(self, part: Part, low: float, high: float) -> NDArray[Any]:
        """Return a column of durations; NaN in blocks that have none between these."""
        place = 0 if part == Part.WAITED else 2
        return np.concatenate(
            [
                self._decoded(block, part)
                if block.limits[place] <= high and block.limits[place + 1] >= low
                else np.full(block.count, np.nan)
                for block in self.blocks
            ]
        )

    def lasting(self, part: Part) -> tuple[Rows, NDArray[np.float64]]:
        """Return rows of runs that are not over, and since when they wait or run."""
        rows: list[Rows] = []
        since: list[NDArray[np.float64]] = []
        for block, there in self.rows_by_block():
            where, known = decode_some(self._read(part_id(block.number, part)))
            rows.append(where + there.start)
            since.append(known)
        return np.concatenate(rows), np.concatenate(since)

    def _decoded(self, block: Block, part: Part) -> NDArray[Any]:
        found = self._decoded_parts.get((block.number, part))
        if found is None:
            found = decode(self._read_large(part_id(block.number, part)), block.count)
            self._decoded_parts[block.number, part] = found
        return found

    def _read(self, id_: int) -> bytes:
        row = self._connection.execute(_PART, (id_,)).fetchone()
        return row[0] if row else b""

    def _read_large(self, id_: int) -> bytes:
        """Read a part that is there, in a third of the time when it is large."""
        with self._connection.blobopen("part", "data", id_, readonly=True) as blob:
            return blob.read()

    @cached_property
    def alive(self) -> Mask:
        """Rows that are as their block says, and within the question's bounds."""
        alive = np.ones(self.count, np.bool_)
        for block, rows in self.rows_by_block():
            low = max(self._low, block.low)
            if block.removed or block.low < low or block.high >= self.before:
                keys = self.column(Part.KEY)[rows]
                alive[rows] = (keys >= low) & (keys < self.before)
        alive[self.rows_of(self._stale)] = False
        return alive

    def keys_of_block(self, block: Block) -> Keys:
        """Return the keys of a block's rows."""
        return self._decoded(block, Part.KEY)

    def rows_of(self, keys: Keys) -> Rows:
        """Return the rows of those keys that are in these blocks; the keys in order."""
        first, last = np.searchsorted(keys, (self.blocks[0].low, self.blocks[-1].high + 1))
        keys = keys[first:last]
        found: list[Rows] = [np.empty(0, np.intp)]
        places = np.searchsorted([block.high for block in self.blocks], keys)
        for place in _different(places):
            there = self._decoded(self.blocks[place], Part.KEY)
            wanted = keys[places == place]
            rows = np.searchsorted(there, wanted)
            rows = rows[there[np.minimum(rows, self.blocks[place].count - 1)] == wanted]
            found.append(rows + self.offsets[place])
        return np.concatenate(found)

    def keys_of(self, rows: Rows) -> list[int]:
        """Return the keys of rows, in the rows' order."""
        if Part.KEY in self._columns or len(rows) > self.count // 8:
            return self.column(Part.KEY)[rows].tolist()
        keys = np.empty(len(rows), np.int64)
        places = np.searchsorted(self.offsets, rows, side="right") - 1
        for place in _different(places):
            there = places == place
            keys[there] = self._decoded(self.blocks[place], Part.KEY)[rows[there] - self.offsets[place]]
        return keys.tolist()

    def have_uuids(self, block: Block) -> bool:
        """Whether the ids of all rows of a block are UUIDs."""
        sql = "select length(data) from part where id = ?"
        row = self._connection.execute(sql, (part_id(block.number, Part.ID),)).fetchone()
        return row is not None and row[0] == length_of_uuids(block.count)

    def ids(self, block: Block, part: Part) -> Ids | None:
        """Return the ids of a block's rows, or of their roots, parents or groups; None when no row has one."""
        if (block.number, part) not in self._ids:
            data = self._read_ids(block, part)
            self._ids[block.number, part] = Ids(data, block.count) if data else None
        return self._ids[block.number, part]

    def _read_ids(self, block: Block, part: Part) -> bytes:
        id_ = part_id(block.number, part)
        return self._read_large(id_) if part == Part.ID else self._read(id_)

    def shared_texts(self, block: Block, part: Part) -> Texts:
        """Return the errors of a block in lower case, or its results, where many runs share one."""
        return decode_texts(self._read(part_id(block.number, part)), block.count)

    def named_values(self, block: Block) -> Named | None:
        """Return what parts of arguments a block has; None when it has none at all."""
        if block.number not in self._named:
            data = self._read(part_id(block.number, Part.VALUES))
            self._named[block.number] = Named(*orjson.loads(data)) if data else None
        return self._named[block.number]

    def values(self, block: Block, number: int) -> Values:
        """Return the values of one of :meth:`named_values`."""
        return decode_values(self._read_large(part_id(block.number, Part.VALUES, number)), block.count)

    def rows_with(self, block: Block, number: int) -> Mask:
        """Return which of a block's rows have a number or a text as one of :meth:`named_values`."""
        id_ = part_id(block.number, Part.VALUES, number)
        with self._connection.blobopen("part", "data", id_, readonly=True) as blob:
            return rows_of_values(blob, block.count)

    @cached_property
    def chunks(self) -> list[tuple[int, int, int]]:
        """Place of the block, first row and end of each chunk, in order."""
        return [
            (place, int(self.offsets[place]) + start, int(self.offsets[place]) + end)
            for place, block in enumerate(self.blocks)
            for start, end in pairwise([*block.starts.tolist(), block.count])
        ]

    def texts(self, chunk: int) -> tuple[NDArray[Any], bytes]:
        """Return where the text of each row of a chunk starts and the last ends, and the texts in lower case."""
        place = self.chunks[chunk][0]
        block = self.blocks[place]
        piece = int(np.searchsorted(block.starts, self.chunks[chunk][1] - int(self.offsets[place])))
        return unpack_texts(self._read_large(part_id(block.number, Part.TEXT, piece)))

    def may_contain(self, needles: Sequence[bytes], wanted: Mask) -> Mask:
        """Tell of each row whether its chunk may have all of some texts, looking only where a row is wanted."""
        asked = list(dict.fromkeys(bucket for needle in needles for bucket in asked_buckets(needle)))
        found = np.zeros(self.count, np.bool_)
        for block, rows in self.rows_by_block():
            if wanted[rows].any():
                found[rows] = np.repeat(self._chunks_with(block, asked), np.diff([*block.starts, block.count]))
        return found

    def _chunks_with(self, block: Block, buckets: list[int]) -> Mask:
        """Tell of each chunk whether its signature has all buckets."""
        count = len(block.starts)
        size, in_slice = -(-count // 8), slice_buckets(count)
        chunks = (1 << count) - 1
        for bucket in buckets:
            data = self._signature(block.number, bucket // in_slice)
            at = bucket % in_slice * size
            chunks &= int.from_bytes(data[at : at + size], "little")
            if not chunks:
                break
        bits = np.frombuffer(chunks.to_bytes(size, "little"), np.uint8)
        return np.unpackbits(bits, count=count, bitorder="little").astype(np.bool_)

    def _signature(self, block: int, piece: int) -> bytes:
        data = self._signatures.get((block, piece))
        if data is None:
            data = self._read(part_id(block, Part.SIGNATURE, piece))
            self._signatures[block, piece] = data
        return data


def _different(places: Rows) -> list[int]:
    return np.unique(places).tolist()

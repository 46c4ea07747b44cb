"""Blocks as a question reads them: some neighbours at a time, each column when it is asked for."""

from __future__ import annotations

import re
import sqlite3
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from workers.history.blocks import SLICE_BUCKETS, Part, decode, part_id, unpack_texts
from workers.history.filters import Text
from workers.history.grams import asked_buckets

Mask = NDArray[np.bool_]
Keys = NDArray[np.int64]

_PART = "select data from part where id = ?"


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the file.

    Attributes:
        low: Key of its first row.
        high: Key of its last row.
        starts: The first rows of its chunks.
        limits: Between which values :data:`Part.WAITED` and :data:`Part.RAN` are.
    """

    number: int
    low: int
    high: int
    count: int
    starts: NDArray[Any]
    limits: tuple[float, ...]


def load_blocks(connection: sqlite3.Connection, before: int) -> list[Block]:
    """Return the blocks that hold rows below a key, in the order of their keys."""
    sql = "select number, low, high, count, chunks, limits from block where low < ? order by high"
    return [
        Block(number, low, high, count, np.frombuffer(starts, "<u2"), struct.unpack("<4d", limits))
        for number, low, high, count, starts, limits in connection.execute(sql, (before,))
    ]


def load_stale(connection: sqlite3.Connection, low: int, before: int) -> Keys:
    """Return the keys, in order, of rows that differ from their blocks or are in none."""
    sql = "select key from stale where key >= ? and key < ? order by key"
    return np.array([row[0] for row in connection.execute(sql, (low, before))], np.int64)


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
        self._signatures: dict[tuple[int, int], bytes] = {}
        self.errors_found: dict[Text, Mask] = {}
        """What :meth:`errors` said of a filter's terms."""

    @property
    def count(self) -> int:
        """How many rows."""
        return int(self.offsets[-1])

    @property
    def end(self) -> int:
        """The first key behind the last row."""
        return self.blocks[-1].high + 1

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

    def are_over(self, part: Part) -> bool:
        """Whether no run waits or runs until now: whether all durations are in their column."""
        place = 0 if part == Part.WAITED else 2
        return not any(block.limits[place] == -np.inf for block in self.blocks)

    def _decoded(self, block: Block, part: Part) -> NDArray[Any]:
        return decode(self._read(part_id(block.number, part)) or b"", block.count)

    def _read(self, id_: int) -> bytes | None:
        row = self._connection.execute(_PART, (id_,)).fetchone()
        return row[0] if row else None

    @cached_property
    def alive(self) -> Mask:
        """Rows that are as their block says, and within the question's bounds."""
        alive = np.ones(self.count, np.bool_)
        first, last = self.blocks[0], self.blocks[-1]
        if first.low < self._low or last.high >= self.before:
            keys = self.column(Part.KEY)
            alive &= (keys >= self._low) & (keys < self.before)
        alive[self.rows_of(self._stale)] = False
        return alive

    def rows_of(self, keys: Keys) -> NDArray[np.intp]:
        """Return the rows of those keys that are in these blocks; the keys in order."""
        first, last = np.searchsorted(keys, (self.blocks[0].low, self.blocks[-1].high + 1))
        keys = keys[first:last]
        found: list[NDArray[np.intp]] = [np.empty(0, np.intp)]
        places = np.searchsorted([block.high for block in self.blocks], keys)
        for place in _different(places):
            block = self.blocks[place]
            there = self._decoded(block, Part.KEY)
            wanted = keys[places == place]
            rows = np.searchsorted(there, wanted)
            rows = rows[there[np.minimum(rows, block.count - 1)] == wanted]
            found.append(rows + self.offsets[place])
        return np.concatenate(found)

    def keys_of(self, rows: NDArray[np.intp]) -> list[int]:
        """Return the keys of rows, in the rows' order."""
        if Part.KEY in self._columns or len(rows) > self.count // 8:
            return self.column(Part.KEY)[rows].tolist()
        keys = np.empty(len(rows), np.int64)
        places = np.searchsorted(self.offsets, rows, side="right") - 1
        for place in _different(places):
            there = places == place
            keys[there] = self._decoded(self.blocks[place], Part.KEY)[rows[there] - self.offsets[place]]
        return keys.tolist()

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
        offsets, texts = unpack_texts(self._read(part_id(block.number, Part.TEXT, piece)) or b"")
        return offsets, texts.lower()

    def ids_with(self, needle: str, wanted: Mask) -> Mask:
        """Tell of each row whether its id, kept apart from the texts, contains a text in lower case.

        Looks only where a row is wanted.
        """
        found = np.zeros(self.count, np.bool_)
        if not _OF_UUID.fullmatch(needle):
            return found
        for place, block in enumerate(self.blocks):
            start, end = int(self.offsets[place]), int(self.offsets[place + 1])
            rows = np.flatnonzero(wanted[start:end])
            data = self._read(part_id(block.number, Part.ID)) if len(rows) else None
            if data:
                low, high = int(rows[0]), int(rows[-1]) + 1
                found[[start + low + row for row in uuids_with(needle, data[low * 16 : high * 16])]] = True
        return found

    @cached_property
    def have_ids(self) -> bool:
        """Whether the ids of all rows are kept apart from the texts."""
        ids = [part_id(block.number, Part.ID) for block in self.blocks]
        sql = f"select count(*) from part where id in ({', '.join('?' * len(ids))})"  # noqa: S608
        return self._connection.execute(sql, ids).fetchone()[0] == len(ids)

    def errors(self) -> Iterator[tuple[int, NDArray[Any], bytes]]:
        """Return of each block that has any: its first row, where each row's error starts, the errors in lower case."""
        for place, block in enumerate(self.blocks):
            data = self._read(part_id(block.number, Part.ERROR))
            if data:
                yield int(self.offsets[place]), *unpack_texts(data)

    def may_contain(self, needles: Sequence[bytes], wanted: Mask) -> Mask:
        """Tell of each row whether its chunk may have one of some texts, looking only where a row is wanted."""
        asked = [asked_buckets(needle) for needle in dict.fromkeys(needles)]
        found = np.zeros(self.count, np.bool_)
        for place, block in enumerate(self.blocks):
            start, end = int(self.offsets[place]), int(self.offsets[place + 1])
            if not wanted[start:end].any():
                continue
            chunks = 0
            for buckets in asked:
                chunks |= self._chunks_with(block, buckets)
            if chunks:
                bounds = [*block.starts.tolist(), block.count]
                for piece, (low, high) in enumerate(pairwise(bounds)):
                    if chunks >> piece & 1:
                        found[start + low : start + high] = True
        return found

    def _chunks_with(self, block: Block, buckets: list[int]) -> int:
        """Return the chunks, as bits, whose signatures have all buckets."""
        size = -(-len(block.starts) // 8)
        chunks = -1
        for bucket in buckets:
            data = self._signature(block.number, bucket // SLICE_BUCKETS)
            at = bucket % SLICE_BUCKETS * size
            chunks &= int.from_bytes(data[at : at + size], "little")
            if not chunks:
                break
        return chunks

    def _signature(self, block: int, piece: int) -> bytes:
        data = self._signatures.get((block, piece))
        if data is None:
            data = self._read(part_id(block, Part.SIGNATURE, piece)) or b""
            self._signatures[block, piece] = data
        return data


def _different(places: NDArray[np.intp]) -> list[int]:
    return np.unique(places).tolist()


_OF_UUID = re.compile(r"[0-9a-f-]{1,36}")


def uuids_with(needle: str, data: bytes) -> list[int]:
    """Return which of some UUIDs, sixteen bytes each, contain a text as they are written, in order."""
    digits, text, found = needle.replace("-", ""), data.hex(), list[int]()
    at = text.find(digits)
    while 0 <= at < len(text):
        row = at // 32
        if needle in str(UUID(hex=text[row * 32 : row * 32 + 32])):
            found.append(row)
            at = (row + 1) * 32 - 1
        at = text.find(digits, at + 1)
    return found


def rows_with(needle: bytes, offsets: NDArray[Any], texts: bytes) -> list[int]:
    """Return the rows whose text contains a needle, in order."""
    found: list[int] = []
    starts: list[int] = offsets.tolist()
    at = texts.find(needle)
    while at >= 0:
        row = bisect_right(starts, at) - 1
        found.append(row)
        at = texts.find(needle, starts[row + 1])
    return found

"""Joins neighbouring blocks into one, part by part, without looking at their rows again."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from workers.history.index.argument_values import Values, decode_values
from workers.history.index.bloom import BUCKETS
from workers.history.index.build import Parts, signatures, slice_buckets
from workers.history.index.ids import merge_ids
from workers.history.index.pages import NUMBERS, Part, decode, encode, merge_some, part_id
from workers.history.index.shared_texts import merge_texts
from workers.history.index.value_encoding import merge_values
from workers.history.index.zone_map import Limits

_PART = "select data from part where id = ?"


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the file.

    Attributes:
        low: Its rows with lower keys don't count any more.
        high: Key of its last row.
        count: How many rows it was made of.
        removed: How many of these don't count any more.
        starts: The first rows of its chunks.
        limits: Between which values :data:`Part.WAITED` and :data:`Part.RAN` are.
    """

    number: int
    low: int
    high: int
    count: int
    removed: int
    starts: NDArray[Any]
    limits: tuple[float, ...]


def load_blocks(connection: sqlite3.Connection, before: int) -> list[Block]:
    """Return the blocks that hold rows below a key, in the order of their keys."""
    sql = "select number, low, high, count, removed, chunks, limits from block where low < ? order by high"
    return [
        Block(number, low, high, count, removed, np.frombuffer(starts, "<u2"), struct.unpack("<4d", limits))
        for number, low, high, count, removed, starts, limits in connection.execute(sql, (before,))
    ]


def insert_block(
    connection: sqlite3.Connection, low: int, high: int, count: int, starts: Sequence[int], limits: bytes, parts: Parts
) -> None:
    """Write a block with all of its parts that aren't empty."""
    sql = "insert into block (low, high, count, chunks, limits) values (?, ?, ?, ?, ?)"
    cursor = connection.execute(sql, (low, high, count, np.array(starts, "<u2").tobytes(), limits))
    number = int(cursor.lastrowid or 0)
    rows = ((part_id(number, part, piece), data) for part, piece, data in parts if data)
    connection.executemany("insert into part values (?, ?)", rows)


def delete_block(connection: sqlite3.Connection, number: int) -> None:
    """Remove a block and all of its parts."""
    connection.execute(
        "delete from part where id >= ? and id < ?", (part_id(number, Part.KEY), part_id(number + 1, Part.KEY))
    )
    connection.execute("delete from block where number = ?", (number,))


def is_settled(connection: sqlite3.Connection, block: Block, open_share: float) -> bool:
    """Whether nearly all runs of a block are over, and its arguments have parts of their own."""
    read = _reader(connection)
    states = decode(read(block.number, Part.STATE, 0), block.count)
    return bool((states < 5).mean() <= open_share) and bool(read(block.number, Part.VALUES, 0))


def merge(connection: sqlite3.Connection, blocks: Sequence[Block]) -> None:
    """Replace neighbouring blocks, none of them cut, by one."""
    firsts = np.cumsum([0, *(block.count for block in blocks)])
    starts = [
        int(first) + start for first, block in zip(firsts, blocks, strict=False) for start in block.starts.tolist()
    ]
    limits = (min(block.limits[0] for block in blocks), max(block.limits[1] for block in blocks),
              min(block.limits[2] for block in blocks), max(block.limits[3] for block in blocks))  # fmt: skip
    parts = _parts(_reader(connection), blocks)
    insert_block(
        connection, blocks[0].low, blocks[-1].high, int(firsts[-1]), starts, struct.pack("<4d", *limits), parts
    )
    for block in blocks:
        delete_block(connection, block.number)


_Read = Callable[[int, int, int], bytes]


def _reader(connection: sqlite3.Connection) -> _Read:
    def read(block: int, part: int, piece: int) -> bytes:
        row = connection.execute(_PART, (part_id(block, part, piece),)).fetchone()
        return row[0] if row else b""

    return read


def _parts(read: _Read, blocks: Sequence[Block]) -> Parts:
    for part in NUMBERS:
        yield part, 0, encode(np.concatenate([decode(read(b.number, part, 0), b.count) for b in blocks]))
    for part in (Part.SENT, Part.STARTED):
        yield part, 0, merge_some([(read(b.number, part, 0), b.count) for b in blocks])
    for part in (Part.ID, Part.ROOT, Part.PARENT, Part.GROUP):
        yield part, 0, merge_ids([(read(b.number, part, 0), b.count) for b in blocks])
    for part in (Part.ERROR, Part.RESULT):
        yield part, 0, merge_texts([(read(b.number, part, 0), b.count) for b in blocks])
    piece = 0
    for block in blocks:
        for old in range(len(block.starts)):
            yield Part.TEXT, piece, read(block.number, Part.TEXT, old)
            piece += 1
    yield from signatures(_bits(read, blocks))
    yield from _values(read, blocks)


def _bits(read: _Read, blocks: Sequence[Block]) -> NDArray[np.bool_]:
    found: list[NDArray[Any]] = []
    for block in blocks:
        chunks = len(block.starts)
        pieces = range(-(-BUCKETS // slice_buckets(chunks)))
        data = b"".join(read(block.number, Part.SIGNATURE, piece) for piece in pieces)
        packed = np.frombuffer(data, np.uint8).reshape(BUCKETS, -1)
        found.append(np.unpackbits(packed, axis=1, count=chunks, bitorder="little"))
    return np.concatenate(found, axis=1)


def _values(read: _Read, blocks: Sequence[Block]) -> Iterator[tuple[int, int, bytes]]:
    """Join the arguments' parts; all blocks have them."""
    named = [orjson.loads(read(block.number, Part.VALUES, 0)) for block in blocks]
    # What has no part in one block may be there all the same, where that block doesn't have parts of all.
    numbers = [
        number
        for number in dict.fromkeys(number for _, numbers, *_ in named for number in numbers)
        if all(are_all or number in numbers for are_all, numbers, *_ in named)
    ]
    shared: list[int] = []
    limits: dict[str, Limits] = {}
    for number in numbers:
        parts: list[Values | int] = []
        for block in blocks:
            data = read(block.number, Part.VALUES, number)
            parts.append(decode_values(data, block.count) if data else block.count)
        values = merge_values(parts)
        shared += [number] * values.are_shared
        limits[str(number)] = values.limits()
        yield Part.VALUES, number, values.encode()
    yield Part.VALUES, 0, orjson.dumps([all(are_all for are_all, *_ in named), numbers, shared, limits])

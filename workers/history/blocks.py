"""Runs in blocks: copies of what filters ask, a column at a time, so that a million runs are looked through at once.

Rows up to the key ``sealed_to`` are in a block or named in table ``stale``: what changed since its block was made,
what came late, what was removed. Blocks are made anew when too many of their rows are stale. A block holds

- each column as an array (:class:`Part`), and between which values its durations are,
- the texts of arguments, results and errors in chunks, compressed, with the signature of each chunk
  (:mod:`workers.history.grams`),
- the texts of errors once more, by themselves,
- the ids, where all are UUIDs, in sixteen bytes each; else they are among the texts.

Everything here can be made again from the other tables.
"""

from __future__ import annotations

import math
import re
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.history.grams import BUCKETS, buckets_of

BLOCK = 2_048
TAIL = 1_024
"""The newest rows, which change most, are in no block."""

CHUNK_ROWS = 256
CHUNK_BYTES = 48 * 1024
MAX_STALE = 2_000
"""With more stale rows than these, blocks are made anew while events come; with a tenth, when none come."""

SLICES = 64
"""A block's signatures are cut in so many parts: a question reads few of them."""

SLICE_BUCKETS = BUCKETS // SLICES
_PIECES = 1 << 16
_MAX_KEY = 2**63 - 1


class Part(IntEnum):
    """What a part of a block holds."""

    KEY = 0
    STATE = 1
    TASK = 2
    QUEUE = 3
    WORKER = 4
    ERROR_GROUP = 5
    RETRIES = 6
    PRIORITY = 7
    WAITED = 8
    RAN = 9
    SENT = 10
    STARTED = 11
    ERROR = 12
    TEXT = 13
    SIGNATURE = 14
    ID = 15


_ROWS = """
select run.key, state, coalesce(task, 0), coalesce(queue, 0), coalesce(worker, 0), coalesce(error_group, 0), retries,
  coalesce(priority + 1, 0), waited_s, ran_s, case when waited_s is null and state < 5 then sent_at end,
  case when ran_s is null and state < 5 then started_at end, error, id, args, kwargs, result
from run left join arguments using (key) left join ending using (key)
where run.key > ? and run.key <= ? order by run.key limit ?
"""
_FIRST_FLOAT, _ERROR_COLUMN, _ID_COLUMN = 8, 12, 13
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INTEGERS = ("u1", "u2", "u4", "i8")


def part_id(block: int, part: Part, piece: int = 0) -> int:
    """Return the row of table ``part`` that holds this."""
    return (block << 8 | part) * _PIECES + piece


def encode(values: NDArray[Any]) -> bytes:
    """Encode a column: its type, then its values, or the one value that all have."""
    if values.dtype.kind in "iu":
        low, high = int(values.min()), int(values.max())
        values = values.astype(next(name for name in _INTEGERS if _fits(low, high, name)))
    same = bool((values == values[0]).all()) or (values.dtype.kind == "f" and bool(np.isnan(values).all()))
    return values.dtype.str.encode().ljust(4) + (values[:1] if same else values).tobytes()


def _fits(low: int, high: int, name: str) -> bool:
    limits = np.iinfo(name)
    return limits.min <= low and high <= limits.max


def decode(data: bytes, count: int) -> NDArray[Any]:
    """Decode what :func:`encode` wrote of ``count`` rows."""
    values = np.frombuffer(data, data[:4].decode().strip(), offset=4)
    return values if len(values) == count else np.repeat(values, count)


def pack_texts(texts: Sequence[bytes]) -> bytes:
    """Compress texts with where each starts."""
    offsets = np.cumsum([0, *(len(text) for text in texts)], dtype="<u4")
    return struct.pack("<I", len(texts)) + zlib.compress(offsets.tobytes() + b"".join(texts), 1)


def unpack_texts(data: bytes) -> tuple[NDArray[Any], bytes]:
    """Return where each text starts and the last ends, and the texts."""
    size = 4 * (struct.unpack_from("<I", data)[0] + 1)
    raw = zlib.decompress(memoryview(data)[4:])
    return np.frombuffer(raw, "<u4", count=size // 4), raw[size:]


class Blocks:
    """Makes blocks; belongs to the file's writer.

    Args:
        connection: The writer's, in autocommit.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.recall()

    def recall(self) -> None:
        """Read from the file where things stand; after a transaction that failed, or at the start."""
        row = self._connection.execute("select value from meta where name = 'sealed_to'").fetchone()
        self._sealed_to = int(row[0]) if row else 0
        count = "select count(*) from run where key > ?"
        self._unsealed = int(self._connection.execute(count, (self._sealed_to,)).fetchone()[0])
        self._stale = int(self._connection.execute("select count(*) from stale").fetchone()[0])

    def note(self, keys: Iterable[int], new: int) -> None:
        """Take note, in the transaction that writes them, of rows that are written, ``new`` of them inserted."""
        stale = [(key,) for key in keys if key <= self._sealed_to]
        if stale:
            cursor = self._connection.executemany("insert or ignore into stale values (?)", stale)
            self._stale += max(0, cursor.rowcount)
        self._unsealed += new

    def step(self, *, is_idle: bool = False) -> bool:
        """Make one block, if one is due; takes some hundredths of a second."""
        if self._unsealed >= BLOCK + TAIL:
            self._transact(self._seal)
        elif self._stale > (MAX_STALE // 10 if is_idle else MAX_STALE):
            self._transact(self._mend)
        else:
            return False
        return True

    def _transact(self, work: Any) -> None:
        self._connection.execute("begin immediate")
        try:
            work()
            self._connection.execute("commit")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            self.recall()
            raise

    def _seal(self) -> None:
        rows = self._rows(self._sealed_to, _MAX_KEY, BLOCK)
        if len(rows) < BLOCK:  # rows were removed meanwhile
            self.recall()
            return
        self._write(rows)
        self._clean(self._sealed_to, rows[-1][0])
        self._sealed_to = rows[-1][0]
        self._connection.execute("insert or replace into meta values ('sealed_to', ?)", (self._sealed_to,))
        self._unsealed -= len(rows)

    def _mend(self) -> None:
        """Make the block anew that has the most stale rows."""
        blocks = self._connection.execute("select number, high from block order by high").fetchall()
        highs = np.array([*(high for _, high in blocks), self._sealed_to], np.int64)
        stale = np.array([row[0] for row in self._connection.execute("select key from stale where key <= ?",
                                                                     (self._sealed_to,))], np.int64)  # fmt: skip
        self._stale = len(stale)
        if not len(stale):
            return
        worst = int(np.bincount(np.searchsorted(highs, stale), minlength=len(highs)).argmax())
        low, high = int(highs[worst - 1]) if worst else 0, int(highs[worst])
        rows = self._rows(low, high, BLOCK + BLOCK // 2)
        if worst < len(blocks):
            self._delete(blocks[worst][0])
        end = high
        if len(rows) == BLOCK + BLOCK // 2:
            rows = rows[:BLOCK]
            end = int(rows[-1][0])
            self._connection.execute(
                "insert or ignore into stale select key from run where key > ? and key <= ?", (end, high)
            )
        if rows:
            self._write(rows)
        self._clean(low, end)

    def _clean(self, low: int, high: int) -> None:
        self._connection.execute("delete from stale where key > ? and key <= ?", (low, high))
        self._stale = int(self._connection.execute("select count(*) from stale").fetchone()[0])

    def _rows(self, after: int, to: int, limit: int) -> list[tuple[Any, ...]]:
        return self._connection.execute(_ROWS, (after, to, limit)).fetchall()

    def _delete(self, number: int) -> None:
        delete_block(self._connection, number)

    def _write(self, rows: list[tuple[Any, ...]]) -> None:
        starts = _chunk_starts(rows)
        cursor = self._connection.execute(
            "insert into block (low, high, count, chunks, limits) values (?, ?, ?, ?, ?)",
            (rows[0][0], rows[-1][0], len(rows), np.array(starts, "<u2").tobytes(), _limits(rows)),
        )
        number = int(cursor.lastrowid or 0)
        parts = [*_columns(number, rows), *_texts(number, rows, starts)]
        self._connection.executemany("insert into part values (?, ?)", parts)


def delete_block(connection: sqlite3.Connection, number: int) -> None:
    """Remove a block and all of its parts."""
    connection.execute(
        "delete from part where id >= ? and id < ?", (part_id(number, Part.KEY), part_id(number + 1, Part.KEY))
    )
    connection.execute("delete from block where number = ?", (number,))


def _limits(rows: list[tuple[Any, ...]]) -> bytes:
    """Encode between which values the columns of durations are; without limits where a run lasts until now."""
    found: list[float] = []
    for part, since in ((Part.WAITED, Part.SENT), (Part.RAN, Part.STARTED)):
        known = [row[part] for row in rows if row[part] is not None]
        is_open = any(row[since] is not None for row in rows)
        found += [-math.inf, math.inf] if is_open else [min(known, default=math.inf), max(known, default=-math.inf)]
    return struct.pack("<4d", *found)


def _chunk_starts(rows: list[tuple[Any, ...]]) -> list[int]:
    starts, size = [0], 0
    for index, row in enumerate(rows):
        length = sum(len(text) for text in row[_ERROR_COLUMN:] if text)
        if index > starts[-1] and (index - starts[-1] >= CHUNK_ROWS or size + length > CHUNK_BYTES):
            starts.append(index)
            size = 0
        size += length
    return starts


def _columns(number: int, rows: list[tuple[Any, ...]]) -> Iterable[tuple[int, bytes]]:
    columns = list(zip(*rows, strict=True))
    for part in Part:
        if part < _ERROR_COLUMN:
            kind = np.float64 if part >= _FIRST_FLOAT else np.int64
            yield part_id(number, part), encode(np.array(columns[part], kind))
    errors = [(text or "").encode() for text in columns[_ERROR_COLUMN]]
    if any(errors):
        yield part_id(number, Part.ERROR), pack_texts([error.lower() + b"\0" for error in errors])
    if _are_uuids(rows):
        yield part_id(number, Part.ID), bytes.fromhex("".join(columns[_ID_COLUMN]).replace("-", ""))


def _are_uuids(rows: list[tuple[Any, ...]]) -> bool:
    return all(_UUID.fullmatch(row[_ID_COLUMN]) for row in rows)


def _texts(number: int, rows: list[tuple[Any, ...]], starts: list[int]) -> Iterable[tuple[int, bytes]]:
    bits = np.zeros((-(-len(starts) // 8), BUCKETS), np.uint8)
    flags = np.zeros(BUCKETS, np.uint8)
    columns = [column for column in range(_ERROR_COLUMN, len(rows[0])) if column != _ID_COLUMN or not _are_uuids(rows)]
    for piece, (start, end) in enumerate(zip(starts, [*starts[1:], len(rows)], strict=True)):
        texts = [("\0".join([row[column] or "" for column in columns]) + "\0").encode() for row in rows[start:end]]
        yield part_id(number, Part.TEXT, piece), pack_texts(texts)
        flags[buckets_of(b"".join(texts).lower())] = 1 << piece % 8
        bits[piece // 8] |= flags
        flags[:] = 0
    signatures = np.ascontiguousarray(bits.T)
    for piece in range(SLICES):
        data = signatures[piece * SLICE_BUCKETS : (piece + 1) * SLICE_BUCKETS].tobytes()
        yield part_id(number, Part.SIGNATURE, piece), data

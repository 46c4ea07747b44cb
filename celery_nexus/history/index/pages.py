"""Pages of a segment's columns: their numbers, and encodings as small as the values allow."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from enum import IntEnum
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]
Bytes = bytes | memoryview

_PAGES_A_COLUMN = 1 << 16
HEAD = 1 + 4 * 255
"""Most bytes of the header with the lengths of packed byte strings."""

_INTEGERS = ("u1", "u2", "u4", "i8")


class Column(IntEnum):
    """The columns of a segment; up to :data:`RAN` a number of each row."""

    KEY = 0
    STATE = 1
    TASK = 2
    QUEUE = 3
    WORKER = 4
    RETRIES = 5
    PRIORITY = 6
    WAITED = 7
    RAN = 8
    SENT = 9  # of runs that are not over
    STARTED = 10  # the same
    ID = 11
    ROOT = 12
    PARENT = 13
    GROUP = 14
    ERROR = 15
    RESULT = 16
    TEXT = 17
    BLOOM = 18
    VALUES = 19


NUMBERS = tuple(column for column in Column if column <= Column.RAN)
FIRST_FLOAT = Column.WAITED


def page_id(segment: int, column: int, number: int = 0) -> int:
    """Return the row of table ``page`` that holds this."""
    return (segment << 8 | column) * _PAGES_A_COLUMN + number


def encode(values: NDArray[Any]) -> bytes:
    """Encode a column: its type, then its values, or the one value that all have."""
    if not len(values):
        return b"|u1 "
    if values.dtype.kind in "iu":
        low, high = int(values.min()), int(values.max())
        values = values.astype(next(name for name in _INTEGERS if _fits(low, high, name)))
    same = bool((values == values[0]).all()) or (values.dtype.kind == "f" and bool(np.isnan(values).all()))
    return values.dtype.str.encode().ljust(4) + (values[:1] if same else values).tobytes()


def _fits(low: int, high: int, name: str) -> bool:
    limits = np.iinfo(name)
    return limits.min <= low and high <= limits.max


def read_dtype(data: Bytes) -> str:
    """Return the type of an encoded column."""
    return bytes(data[:4]).decode().strip()


def decode(data: Bytes, count: int) -> NDArray[Any]:
    """Decode what :func:`encode` wrote of ``count`` rows."""
    values = np.frombuffer(data, read_dtype(data), offset=4)
    return values if len(values) == count else np.repeat(values, count)


def encode_rows(rows: NDArray[Any] | list[int], count: int) -> bytes:
    """Encode which of ``count`` rows something is about; nothing where it is all of them."""
    return b"" if len(rows) == count else encode(np.asarray(rows, np.int64))


def decode_rows(data: Bytes, count: int) -> Rows:
    """Decode what :func:`encode_rows` wrote."""
    if not data:
        return np.arange(count)
    return np.frombuffer(data, read_dtype(data), offset=4).astype(np.intp)


def pack(fields: Sequence[Bytes]) -> bytes:
    """Join some byte strings so that :func:`unpack` finds them."""
    return struct.pack(f"<B{len(fields)}I", len(fields), *map(len, fields)) + b"".join(fields)


def field_slices(data: bytes) -> list[slice]:
    """Return where the byte strings are that :func:`pack` joined; its first :data:`HEAD` bytes are enough."""
    lengths = struct.unpack_from(f"<{data[0]}I", data, 1)
    ends = [1 + 4 * data[0], *lengths]
    return [slice(start, end) for start, end in pairwise(accumulate(ends))]


def unpack(data: bytes) -> list[memoryview]:
    """Return what :func:`pack` joined."""
    view = memoryview(data)
    return [view[place] for place in field_slices(data)]


def encode_some(values: Sequence[float | None]) -> bytes:
    """Encode the numbers that few rows have; nothing when none has one."""
    known = [(row, value) for row, value in enumerate(values) if value is not None]
    return _pack_some([row for row, _ in known], np.array([value for _, value in known], np.float64))


def _pack_some(rows: list[int] | Rows, values: NDArray[np.float64]) -> bytes:
    return pack([encode(np.asarray(rows, np.int64)), values.tobytes()]) if len(rows) else b""


def decode_some(data: bytes) -> tuple[Rows, NDArray[np.float64]]:
    """Decode what :func:`encode_some` wrote: rows, and the number of each."""
    if not data:
        return np.empty(0, np.intp), np.empty(0)
    rows, values = unpack(data)
    return decode_rows(rows, 0), np.frombuffer(values)


def merge_some(pages: Iterable[tuple[bytes, int]]) -> bytes:
    """Join the pages of neighbouring segments, each with its number of rows."""
    rows: list[Rows] = []
    values: list[NDArray[np.float64]] = []
    first = 0
    for data, count in pages:
        where, known = decode_some(data)
        rows.append(where + first)
        values.append(known)
        first += count
    return _pack_some(np.concatenate(rows), np.concatenate(values))


def pack_texts(texts: Sequence[bytes]) -> bytes:
    """Join texts with where each starts."""
    offsets = np.cumsum([0, *(len(text) for text in texts)], dtype="<u4")
    return struct.pack("<I", len(texts)) + offsets.tobytes() + b"".join(texts)


def unpack_texts(data: bytes) -> tuple[NDArray[Any], bytes]:
    """Return where each text starts and the last ends, and the texts."""
    count = struct.unpack_from("<I", data)[0] + 1
    return np.frombuffer(data, "<u4", count, offset=4), data[4 + 4 * count :]


def rows_with(needle: bytes, offsets: NDArray[Any], texts: bytes) -> list[int]:
    """Return the rows whose text contains a needle, in order."""
    found: list[int] = []
    at = texts.find(needle)
    while at >= 0:
        row = int(np.searchsorted(offsets, at, side="right")) - 1
        found.append(row)
        at = texts.find(needle, offsets[row + 1])
    return found

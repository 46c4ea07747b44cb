"""Column of one argument's values: numbers as numbers, texts sorted, compared all at once."""

from __future__ import annotations

import re
import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from celery_nexus.filters.parser import Argument
from celery_nexus.filters.texts import OPERATORS, is_wild, lower
from celery_nexus.history.filter.matching import MISSING, compares, number_of, value_at
from celery_nexus.history.index.arguments.number_patterns import match_spellings
from celery_nexus.history.index.arguments.zone_map import ZoneMap
from celery_nexus.history.index.pages import (
    HEAD,
    Bytes,
    Mask,
    Rows,
    decode,
    decode_rows,
    encode,
    encode_rows,
    field_slices,
    pack,
    read_dtype,
    unpack,
)

_BYTES_A_TEXT = 2_000
"""Cost of one text's comparison, in bytes of a search through all texts."""

_MAX_CACHED_BYTES = 1 << 16
"""Largest texts for which the places of a needle are cached: neighbours often have the same few texts."""

_MIN_ROWS_A_TEXT = 4
"""Average number of rows for each text from which texts are stored once."""

NONE: Rows = np.empty(0, np.intp)
Pair = tuple[Rows, NDArray[Any]]


def _no_pair() -> Pair:
    return NONE, NONE


@dataclass(slots=True)
class Values:
    """The values of one argument.

    Attributes:
        count: Rows of the segment.
        integers: Rows, and the value of each.
        floats: The same.
        texts: Rows, and the place of each one's text.
        different: The texts in order, each after a NUL, and one at the end.
        starts: Where each of them starts, and one behind the last.
        others: Rows, and the place of each one's value.
        other: Values as JSON.
        unknown: Rows whose value is not here.
    """

    count: int
    integers: Pair = field(default_factory=_no_pair)
    floats: Pair = field(default_factory=_no_pair)
    texts: Pair = field(default_factory=_no_pair)
    different: Bytes = b""
    starts: NDArray[Any] = field(default_factory=lambda: NONE)
    others: Pair = field(default_factory=_no_pair)
    other: list[str] = field(default_factory=list[str])
    unknown: Rows = field(default_factory=lambda: NONE)

    def encode(self) -> bytes:
        """Write them as one page."""
        fields: list[bytes] = []
        for rows, values in (self.integers, self.floats, self.texts, self.others):
            fields += [encode_rows(rows, self.count), encode(values)] if len(rows) else [b"", b""]
        return pack(
            [*fields, self.different, encode(np.diff(self.starts)), orjson.dumps(self.other), encode(self.unknown)]
        )

    def zone_map(self) -> ZoneMap:
        """Return between which values they are."""
        numbers = [values for _, values in (self.integers, self.floats) if len(values)]
        if not all(bool(np.isfinite(values).all()) for values in numbers):  # which JSON can't say
            return None, None, None, None, True
        return (
            min((values.min().item() for values in numbers), default=None),
            max((values.max().item() for values in numbers), default=None),
            self[0].decode() if len(self) else None,
            self[len(self) - 1].decode() if len(self) else None,
            bool(len(self.others[0]) or len(self.unknown)),
        )

    def match_term(self, node: Argument, rest: Sequence[str], wanted: Mask) -> tuple[Mask, Mask]:
        """Return the rows where the term holds, and those where it can't be told; of rows that aren't wanted anything.

        Args:
            node: The term.
            rest: Its path below this argument.
            wanted: Rows.
        """
        found, unknown = np.zeros(self.count, np.bool_), np.zeros(self.count, np.bool_)
        unknown[self.unknown] = True
        if not rest:
            for rows, numbers in (self.integers, self.floats):
                if len(rows):
                    found[rows] = _numbers_matching(numbers, node)
            if len(self.texts[0]):
                self._mark_texts(found, node, wanted)
        rows, places = self.others
        used: list[int] = np.unique(places[wanted[rows]]).tolist()
        if used:
            table = np.zeros(len(self.other), np.bool_)
            table[[place for place in used if _holds(self.other[place], rest, node)]] = True
            found[rows] |= table[places]
        return found, unknown

    def _mark_texts(self, found: Mask, node: Argument, wanted: Mask) -> None:
        rows, places = self.texts
        sign, value = node.operator, node.value
        if sign in {"=", "!="}:
            is_so = self._at_places(self._like(value, wanted) if is_wild(value) else self._equal(value))
            found[rows] = ~is_so if sign == "!=" else is_so
            return
        border = (bisect_right if sign in {">", "<="} else bisect_left)(self, value.encode())
        found[rows] = places >= border if sign[0] == ">" else places < border

    def __len__(self) -> int:
        """Return how many texts there are."""
        return max(0, len(self.starts) - 1)

    def __getitem__(self, place: int) -> bytes:
        """Return a text by its place."""
        return bytes(self.different[self.starts[place] : self.starts[place + 1] - 1])

    def _at_places(self, wanted: list[int] | Rows) -> Mask:
        table = np.zeros(len(self), np.bool_)
        table[wanted] = True
        return table[self.texts[1]]

    def _equal(self, value: str) -> list[int]:
        text = value.encode()
        place = bisect_left(self, text)
        return [place] if place < len(self) and self[place] == text else []

    def _like(self, value: str, wanted: Mask) -> list[int]:
        needle, is_all = _longest_piece(value)
        rows, places = self.texts
        asked = np.zeros(len(self), np.bool_)
        asked[places[wanted[rows]]] = True
        some = np.flatnonzero(asked)
        if len(some) * _BYTES_A_TEXT > len(self.different):
            found = self._containing(needle)
            some = found if is_all else np.unique(found[asked[found]])
            if is_all:
                return some.tolist()
        return [place for place in some.tolist() if compares(self[place].decode(), "=", value)]

    def _containing(self, needle: bytes) -> Rows:
        """Return the places of texts that contain a needle in lower case, with repetitions.

        A NUL at its beginning or end stands for that of the text.
        """
        if not needle:
            return np.arange(len(self))
        find = _cached_positions if len(self.different) <= _MAX_CACHED_BYTES else _positions
        at = find(bytes(self.different), needle)
        return np.searchsorted(self.starts, at + needle.startswith(b"\0"), side="right") - 1

    def find_containing(self, needle: str) -> Rows:
        """Return rows whose text contains a text in lower case."""
        return self.texts[0][self._at_places(self._containing(needle.encode()))] if len(self) else NONE

    @property
    def are_shared(self) -> bool:
        """Whether there are texts, and many rows have the same."""
        return 0 < len(self) * _MIN_ROWS_A_TEXT <= len(self.texts[0])


def _numbers_matching(numbers: NDArray[Any], node: Argument) -> Mask:
    number = number_of(node.value)
    if number is None:
        if node.operator not in {"=", "!="}:
            return np.zeros(len(numbers), np.bool_)
        if not is_wild(node.value):
            return np.full(len(numbers), node.operator == "!=")
        return match_spellings(numbers, node.value) ^ (node.operator == "!=")
    if node.operator == "!=":
        return ~cast("Mask", numbers == number)
    return OPERATORS[node.operator](numbers, number)


def _holds(text: str, rest: Sequence[str], node: Argument) -> bool:
    found = value_at(orjson.loads(text), rest)
    return found is not MISSING and compares(found, node.operator, node.value)


def decode_values(data: bytes, count: int) -> Values:
    """Decode what :meth:`Values.encode` wrote of a segment with ``count`` rows."""
    fields = unpack(data)
    pairs: list[Pair] = []
    for at in range(0, 8, 2):
        rows = decode_rows(fields[at], count) if fields[at + 1] else NONE
        pairs.append((rows, decode(fields[at + 1], len(rows)) if len(rows) else NONE))
    integers, floats, texts, others = pairs
    different = fields[8]
    return Values(
        count, integers, floats, texts, different, _starts_of(fields[9], different), others,
        orjson.loads(fields[10]), decode_rows(fields[11], count),
    )  # fmt: skip


def _starts_of(lengths: Bytes, texts: Bytes) -> NDArray[Any]:
    """Decode the lengths of texts, each with the NUL before it, to where each starts, and one behind the last."""
    values = np.frombuffer(lengths, read_dtype(lengths), offset=4)
    return np.arange(1, len(texts) + 1, int(values[0])) if len(values) == 1 else text_starts(values)


def text_starts(lengths: NDArray[Any]) -> NDArray[Any]:
    """Return where texts of such lengths start, and one behind the last."""
    return np.concatenate([[1], 1 + np.cumsum(lengths, dtype=np.int64)]) if len(lengths) else NONE


def _positions(texts: bytes, needle: bytes) -> NDArray[np.int64]:
    """Return where a needle in lower case is in texts."""
    folded = texts.lower()
    found: list[int] = []
    at = folded.find(needle)
    while at >= 0:
        found.append(at)
        at = folded.find(needle, at + 1)
    return np.array(found, np.int64)


_cached_positions = lru_cache(maxsize=16)(_positions)


def _longest_piece(pattern: str) -> tuple[bytes, bool]:
    """Return what every text that is like a pattern contains, and whether no others do.

    In lower case, with a NUL for the beginning or the end of the text.
    """
    pieces = re.split(r"[*?]", lower(pattern))
    needles = [piece.encode() for piece in pieces]
    if needles[0]:
        needles[0] = b"\0" + needles[0]
    if needles[-1]:
        needles[-1] += b"\0"
    return max(needles, key=len), "?" not in pattern and sum(map(bool, pieces)) <= 1


def read_rows_with_values(blob: sqlite3.Blob, count: int) -> Mask:
    """Return the rows of a segment that have a number or a text in this column, reading no more than tells it."""
    fields = field_slices(blob.read(HEAD))
    found = np.zeros(count, np.bool_)
    for rows, values in zip(fields[:6:2], fields[1:6:2], strict=True):
        if rows.start == rows.stop < values.stop:
            return ~found
        if values.start < values.stop:
            blob.seek(rows.start)
            found[decode_rows(blob.read(rows.stop - rows.start), count)] = True
    return found

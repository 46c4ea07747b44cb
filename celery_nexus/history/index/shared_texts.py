"""Texts that many rows share: each different one once, and which row has which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from celery_nexus.history.index.pages import Mask, Rows, decode, decode_rows, encode, encode_rows, pack, unpack


@dataclass(frozen=True, slots=True)
class Texts:
    """Some rows' texts.

    Attributes:
        rows: In order.
        codes: Of each of these rows, the place of its text.
        different: The texts.
    """

    rows: Rows
    codes: NDArray[Any]
    different: list[str]

    def find_rows(self, holds: Callable[[str], bool], count: int) -> Mask:
        """Return the rows of a segment whose text is such a one."""
        found = np.zeros(count, np.bool_)
        table = np.fromiter(map(holds, self.different), np.bool_, len(self.different))
        if not table.any():
            return found
        if len(self.rows) == count:
            return table[self.codes]
        found[self.rows[table[self.codes]]] = True
        return found


def encode_texts(texts: Sequence[str | None]) -> bytes:
    """Encode the texts of rows, where they have one; nothing when none has."""
    rows = [row for row, text in enumerate(texts) if text is not None]
    known = [text for text in texts if text is not None]
    places = {text: place for place, text in enumerate(dict.fromkeys(known))}
    return _pack_texts(rows, np.array([places[text] for text in known], np.int64), list(places), len(texts))


def _pack_texts(rows: list[int] | Rows, codes: NDArray[Any], different: list[str], count: int) -> bytes:
    return pack([encode_rows(rows, count), encode(codes), orjson.dumps(different)]) if different else b""


def decode_texts(data: bytes, count: int) -> Texts:
    """Decode what :func:`encode_texts` wrote of a segment with ``count`` rows."""
    if not data:
        return Texts(np.empty(0, np.intp), np.empty(0, np.intp), [])
    rows, codes, different = unpack(data)
    where = decode_rows(rows, count)
    return Texts(where, decode(codes, len(where)), orjson.loads(different))


def merge_texts(pages: Iterable[tuple[bytes, int]]) -> bytes:
    """Join the pages of neighbouring segments, each with its number of rows."""
    places: dict[str, int] = {}
    rows: list[NDArray[Any]] = []
    codes: list[NDArray[Any]] = []
    first = 0
    for data, count in pages:
        texts = decode_texts(data, count)
        if texts.different:
            table = np.array([places.setdefault(text, len(places)) for text in texts.different], np.int64)
            rows.append(texts.rows + first)
            codes.append(table[texts.codes])
        first += count
    return _pack_texts(np.concatenate(rows), np.concatenate(codes), list(places), first) if rows else b""

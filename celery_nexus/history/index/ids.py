"""Ids of a segment's rows in one column: UUIDs in sixteen bytes each, others as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from celery_nexus.filters.texts import is_wild, lower, text_matches
from celery_nexus.history.index.pages import Bytes, Mask, Rows, decode_rows, encode_rows, pack, unpack

FEW_ROWS = 500
"""Most ids that are compared one by one."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OF_UUID = re.compile(r"[0-9a-f-]{1,36}")
_BYTES = 16


def encode_ids(ids: Sequence[str | None]) -> bytes:
    """Encode the ids of some rows, where they have one; nothing when none has."""
    rows = [row for row, id_ in enumerate(ids) if id_ is not None]
    return _encode_known(rows, [id_ for id_ in ids if id_ is not None], len(ids))


def _encode_known(rows: list[int] | Rows, known: list[str], count: int) -> bytes:
    if not known:
        return b""
    if all(map(_UUID.fullmatch, known)):
        return pack([encode_rows(rows, count), bytes.fromhex("".join(known).replace("-", "")), b""])
    return pack([encode_rows(rows, count), b"", orjson.dumps(known)])


def merge_ids(pages: Iterable[tuple[bytes, int]]) -> bytes:
    """Join the pages of neighbouring segments, each with its number of rows, none empty beside an other."""
    decoded: list[Ids] = []
    rows: list[Rows] = []
    first = 0
    for data, count in pages:
        if data:
            decoded.append(Ids(data, count))
            rows.append(decoded[-1].rows + first)
        first += count
    if not decoded:
        return b""
    where = np.concatenate(rows)
    if all(ids.are_uuids for ids in decoded):
        return pack([encode_rows(where, first), b"".join(ids.uuids for ids in decoded), b""])
    return _encode_known(where, [id_ for ids in decoded for id_ in ids.list_all()], first)


def length_of_uuids(count: int) -> int:
    """Return how long the column of a segment is, in bytes, in which each row has a UUID."""
    return len(pack([b"", b"", b""])) + count * _BYTES


def may_be_of_uuid(value: str) -> bool:
    """Tell whether a filter's value can match a UUID."""
    return all(_OF_UUID.fullmatch(piece) for piece in re.split(r"[*?]", value) if piece)


class Ids:
    """The ids of one column.

    Args:
        data: The column, not empty.
        count: Rows of its segment.
    """

    def __init__(self, data: bytes, count: int) -> None:
        which, self.uuids, texts = unpack(data)
        self._texts: list[str] = orjson.loads(texts) if texts else []
        self.are_uuids = not texts
        self._have_all = not which
        self.rows = decode_rows(which, count)

    def of_row(self, row: int) -> str:
        """Return the id of a row of the segment, where all have one."""
        return self._text(row)

    def list_all(self) -> list[str]:
        """Return the ids as they are written."""
        return self._texts or [self._text(place) for place in range(len(self.rows))]

    def _text(self, place: int) -> str:
        if self._texts:
            return self._texts[place]
        digits = self.uuids[place * _BYTES : place * _BYTES + _BYTES].hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def find_containing(self, needle: str, wanted: Mask) -> Rows:
        """Return the wanted rows whose id contains a text in lower case."""
        if self.are_uuids and not _OF_UUID.fullmatch(needle):
            return self.rows[:0]
        asked = wanted if self._have_all else wanted[self.rows]
        if self.are_uuids and np.count_nonzero(asked) > FEW_ROWS:
            places = _places_with(needle.replace("-", ""), self.uuids)
            places = places[asked[places]]
        else:
            places = np.flatnonzero(asked)
        return self.rows[[place for place in places.tolist() if needle in lower(self._text(place))]]

    def match_term(self, values: tuple[str, ...], wanted: Mask) -> Rows:
        """Return the wanted rows whose id matches one of a filter's values."""
        if self.are_uuids:
            values = tuple(value for value in values if may_be_of_uuid(value))
        if not values:
            return self.rows[:0]
        asked = wanted if self._have_all else wanted[self.rows]
        if self.are_uuids and np.count_nonzero(asked) > FEW_ROWS:
            may = np.zeros(len(self.rows), np.bool_)
            for value in values:
                may |= self._may_match(value)
            asked = asked & may
        places = np.flatnonzero(asked)
        return self.rows[[place for place in places.tolist() if text_matches("id", self._text(place), values)]]

    def _may_match(self, value: str) -> Mask:
        pieces = re.split(r"[*?]", value)
        beginning = pieces[0].replace("-", "")
        may = _begin_with(beginning, self.uuids)
        end = pieces[-1].replace("-", "") if is_wild(value) else ""
        if len(end) > 1:
            may &= _end_with(end, self.uuids)
        longest = max(pieces, key=len).replace("-", "")
        if is_wild(value) and longest and longest not in {beginning, end}:
            inside = np.zeros(len(self.rows), np.bool_)
            inside[_places_with(longest, self.uuids)] = True
            may &= inside
        return may


def _begin_with(digits: str, uuids: Bytes) -> Mask:
    may = _match_bytes(bytes.fromhex(digits[: len(digits) // 2 * 2]), uuids, 0)
    if len(digits) % 2 and len(digits) < 2 * _BYTES:
        may &= _table(uuids)[:, len(digits) // 2] >> 4 == int(digits[-1], 16)
    return may


def _end_with(digits: str, uuids: Bytes) -> Mask:
    """Tell which UUIDs may end with two digits or more: whether the last whole bytes do."""
    whole = bytes.fromhex(digits[len(digits) % 2 :])
    return _match_bytes(whole, uuids, _BYTES - len(whole))


def _match_bytes(whole: bytes, uuids: Bytes, first: int) -> Mask:
    """Tell which UUIDs have these bytes from a place on."""
    table = _table(uuids)
    if len(whole) > _BYTES:
        return np.zeros(len(table), np.bool_)
    may = np.ones(len(table), np.bool_)
    for place, byte in enumerate(whole, first):
        may &= table[:, place] == byte
    return may


def _table(uuids: Bytes) -> NDArray[np.uint8]:
    return np.frombuffer(uuids, np.uint8).reshape(-1, _BYTES)


def _places_with(digits: str, uuids: Bytes) -> NDArray[np.intp]:
    """Return the places, at least, of UUIDs that have these digits side by side, from an even or an odd one on."""
    if not digits:
        return np.arange(len(uuids) // _BYTES)
    flat = np.frombuffer(uuids, np.uint8)
    found = [_find_digits(flat, digits[skipped:], digits[:skipped]) // _BYTES for skipped in (0, 1)]
    return np.unique(np.concatenate(found))


def _find_digits(flat: NDArray[np.uint8], digits: str, before: str) -> NDArray[np.intp]:
    """Return where whole bytes begin with these digits, and half a byte before them is ``before``."""
    if not digits:
        return np.flatnonzero(flat & 15 == int(before, 16))
    whole = bytes.fromhex(digits[: len(digits) // 2 * 2])
    if len(whole) >= 2:
        at = _pairs(flat, whole)
    elif whole:
        at = np.flatnonzero(flat == whole[0])
    else:
        at = np.arange(len(flat))
    last = len(flat) - 1
    for place, byte in enumerate(whole[2:], 2):
        at = at[flat[np.minimum(at + place, last)] == byte]
    if len(digits) % 2:
        at = at[flat[np.minimum(at + len(whole), last)] >> 4 == int(digits[-1], 16)]
    if before:
        at = at[flat[np.maximum(at - 1, 0)] & 15 == int(before, 16)]
    return at


def _pairs(flat: NDArray[np.uint8], pair: bytes) -> NDArray[np.intp]:
    """Return where two bytes stand side by side."""
    wanted = np.frombuffer(pair[:2], np.uint16)[0]
    even: Any = np.flatnonzero(flat.view(np.uint16) == wanted) * 2
    odd: Any = np.flatnonzero(np.frombuffer(flat[1:-1].tobytes(), np.uint16) == wanted) * 2 + 1
    return np.concatenate([even, odd])

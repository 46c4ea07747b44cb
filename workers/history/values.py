"""One argument of a block's runs: numbers as numbers, texts in order, so that all are compared at once."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from workers.history.filters import Argument
from workers.history.matching import MISSING, OPERATORS, compares, is_wild, lower, number_of, value_at
from workers.history.parts import (
    Bytes,
    Mask,
    Rows,
    decode,
    decode_rows,
    encode,
    encode_rows,
    kind_of,
    pack,
    rows_with,
    unpack,
)

MAX_TEXT = 256
"""Longer texts are looked for in the rows."""

_EXACT = 1 << 53
_OFTEN = 20
_SHARED = 4
"""Texts are shared when at least so many rows have the same, on average."""

_NONE: Rows = np.empty(0, np.intp)
_Pair = tuple[Rows, NDArray[Any]]


def _no_pair() -> _Pair:
    return _NONE, _NONE


Limits = tuple[float | None, float | None, str | None, str | None, bool]
"""Smallest and largest number and text, and whether there are other values."""


def may_match(limits: Limits, node: Argument, rest: Sequence[str]) -> bool:
    """Tell whether a value between such limits may match a term; its path goes on from the argument with ``rest``."""
    smallest, largest, first, last, are_others = limits
    if are_others or rest or node.operator == "!=" or is_wild(node.value):
        return are_others or not rest
    number = number_of(node.value)
    return _between(smallest, largest, node.operator, number) or _between(first, last, node.operator, node.value)


def _between(low: Any, high: Any, sign: str, wanted: Any) -> bool:
    if low is None or wanted is None:
        return False
    if sign == "=":
        return bool(low <= wanted <= high)
    return bool(OPERATORS[sign](high if sign[0] == ">" else low, wanted))


@dataclass(slots=True)
class Values:
    """The values of one argument.

    Attributes:
        count: Rows of the block.
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
    integers: _Pair = field(default_factory=_no_pair)
    floats: _Pair = field(default_factory=_no_pair)
    texts: _Pair = field(default_factory=_no_pair)
    different: bytes = b""
    starts: NDArray[Any] = field(default_factory=lambda: _NONE)
    others: _Pair = field(default_factory=_no_pair)
    other: list[str] = field(default_factory=list[str])
    unknown: Rows = field(default_factory=lambda: _NONE)

    def encode(self) -> bytes:
        """Write them as one part."""
        sections: list[bytes] = []
        for rows, values in (self.integers, self.floats, self.texts, self.others):
            sections += [encode_rows(rows, self.count), encode(values)] if len(rows) else [b"", b""]
        return pack(
            [*sections, self.different, encode(np.diff(self.starts)), orjson.dumps(self.other), encode(self.unknown)]
        )

    def limits(self) -> Limits:
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

    def matching(self, node: Argument, rest: Sequence[str], wanted: Mask) -> tuple[Mask, Mask]:
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
        return self.different[self.starts[place] : self.starts[place + 1] - 1]

    def _at_places(self, wanted: list[int] | Rows) -> Mask:
        table = np.zeros(len(self), np.bool_)
        table[wanted] = True
        return table[self.texts[1]]

    def _equal(self, value: str) -> list[int]:
        text = value.encode()
        place = bisect_left(self, text)
        return [place] if place < len(self) and self[place] == text else []

    def _like(self, value: str, wanted: Mask) -> list[int]:
        rows, places = self.texts
        some: list[int] = np.unique(places[wanted[rows]]).tolist()
        longest = max(re.split(r"[*?]", lower(value)), key=len)
        if len(some) > len(self) // 8:
            some = self._containing(longest).tolist()
        elif longest:
            piece = longest.encode()
            some = [place for place in some if piece in self[place].lower()]
        return [place for place in some if compares(self[place].decode(), "=", value)]

    def _containing(self, needle: str) -> Rows:
        """Return the places of texts that contain a text in lower case."""
        if not needle:
            return np.arange(len(self))
        folded, piece = self.different.lower(), needle.encode()
        if folded.count(piece) * _OFTEN > len(self):
            at = np.fromiter((match.start() for match in re.finditer(re.escape(piece), folded)), np.int64)
            return np.searchsorted(self.starts, at, side="right") - 1
        return np.array(rows_with(piece, self.starts, folded), np.intp)

    def containing(self, needle: str) -> Rows:
        """Return rows whose text contains a text in lower case."""
        return self.texts[0][self._at_places(self._containing(needle))] if len(self) else _NONE

    @property
    def are_shared(self) -> bool:
        """Whether there are texts, and many rows have the same."""
        return 0 < len(self) * _SHARED <= len(self.texts[0])


def _numbers_matching(numbers: NDArray[Any], node: Argument) -> Mask:
    number = number_of(node.value)
    if number is None:
        if node.operator not in {"=", "!="}:
            return np.zeros(len(numbers), np.bool_)
        if not is_wild(node.value):
            return np.full(len(numbers), node.operator == "!=")
        return _spelt_like(numbers, node.value) ^ (node.operator == "!=")
    if node.operator == "!=":
        return ~cast("Mask", numbers == number)
    return OPERATORS[node.operator](numbers, number)


def _spelt_like(numbers: NDArray[Any], pattern: str) -> Mask:
    different, places = np.unique(numbers, return_inverse=True)
    values: list[Any] = different.tolist()
    if numbers.dtype.kind == "f":
        return np.array([compares(value, "=", pattern) for value in values], np.bool_)[places]
    spelt = "\n".join(map(str, values))
    wild = "".join(".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in pattern)
    at = [match.start() for match in re.finditer(f"^{wild}$", spelt, re.MULTILINE)]
    ends = np.flatnonzero(np.frombuffer(spelt.encode(), np.uint8) == ord("\n"))
    table = np.zeros(len(values), np.bool_)
    table[np.searchsorted(ends, np.array(at, np.int64))] = True
    return table[places]


def _holds(text: str, rest: Sequence[str], node: Argument) -> bool:
    found = value_at(orjson.loads(text), rest)
    return found is not MISSING and compares(found, node.operator, node.value)


def decode_values(data: bytes, count: int) -> Values:
    """Decode what :meth:`Values.encode` wrote of a block with ``count`` rows."""
    sections = unpack(data)
    pairs: list[_Pair] = []
    for at in range(0, 8, 2):
        rows = decode_rows(sections[at], count) if sections[at + 1] else _NONE
        pairs.append((rows, decode(sections[at + 1], len(rows)) if len(rows) else _NONE))
    integers, floats, texts, others = pairs
    different = bytes(sections[8])
    return Values(
        count, integers, floats, texts, different, _starts(decode_lengths(sections[9], different)), others,
        orjson.loads(sections[10]), decode_rows(sections[11], count),
    )  # fmt: skip


def decode_lengths(data: Bytes, texts: bytes) -> NDArray[Any]:
    """Decode the lengths of texts, each with the NUL before it."""
    values = np.frombuffer(data, kind_of(data), offset=4)
    return np.full((len(texts) - 1) // int(values[0]), values[0]) if len(values) == 1 else values


def _starts(lengths: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([[1], 1 + np.cumsum(lengths, dtype=np.int64)]) if len(lengths) else _NONE


def values_of(rows: list[int], values: list[Any], count: int) -> Values:
    """Sort the values of some rows of a block."""
    kinds = set(map(type, values))
    if kinds == {int} and min(values) >= -_EXACT and max(values) <= _EXACT:
        return Values(count, integers=(np.array(rows), np.array(values, np.int64)))
    if kinds == {str} and max(map(len, values)) <= MAX_TEXT and "\0" not in "".join(values):
        encoded = _encoded(values)
        if encoded is not None:
            return _with_texts(Values(count), np.array(rows), encoded)
    return _sorted(rows, values, count)


def _sorted(rows: list[int], values: list[Any], count: int) -> Values:
    integers: list[tuple[int, int]] = []
    floats: list[tuple[int, float]] = []
    texts: list[tuple[int, bytes]] = []
    others: list[tuple[int, str]] = []
    unknown: list[int] = []
    for row, value in zip(rows, values, strict=True):
        if type(value) is int and -_EXACT <= value <= _EXACT:
            integers.append((row, value))
        elif type(value) is float:
            floats.append((row, value))
        elif type(value) is str and len(value) <= MAX_TEXT and "\0" not in value and (known := _encoded([value])):
            texts.append((row, known[0]))
        elif (text := _as_json(value)) is not None:
            others.append((row, text))
        else:
            unknown.append(row)
    places = {text: place for place, text in enumerate(dict.fromkeys(text for _, text in others))}
    found = Values(
        count, _pair(integers, np.int64), _pair(floats, np.float64),
        others=_pair([(row, places[text]) for row, text in others], np.int64), other=list(places),
        unknown=np.array(unknown, np.intp),
    )  # fmt: skip
    return _with_texts(found, np.array([row for row, _ in texts], np.intp), [text for _, text in texts])


def _pair(items: list[tuple[int, Any]], kind: Any) -> _Pair:
    return np.array([row for row, _ in items], np.intp), np.array([value for _, value in items], kind)


def _encoded(texts: list[str]) -> list[bytes] | None:
    try:
        return [text.encode() for text in texts]
    except UnicodeEncodeError:  # half of a pair of surrogates, from a repr
        return None


def _as_json(value: Any) -> str | None:
    """Return a value as JSON that says all of it; None where JSON can't."""
    try:
        text = orjson.dumps(value).decode()
    except (TypeError, ValueError):
        return None
    return text if len(text) <= MAX_TEXT and orjson.loads(text) == value else None


def _with_texts(values: Values, rows: Rows, texts: list[bytes]) -> Values:
    if texts:
        different = sorted(set(texts))
        places = {text: place for place, text in enumerate(different)}
        values.texts = rows, np.array([places[text] for text in texts], np.int64)
        values.different, values.starts = _in_order(different)
    return values


def _in_order(different: list[bytes]) -> tuple[bytes, NDArray[Any]]:
    if not different:
        return b"", _NONE
    return b"\0" + b"\0".join(different) + b"\0", _starts(np.array([len(text) + 1 for text in different]))


def merge_values(parts: Iterable[Values | int]) -> Values:
    """Join the values of neighbouring blocks; of a block without any, its number of rows."""
    first = 0
    shifted: list[tuple[int, Values]] = []
    for part in parts:
        if isinstance(part, Values):
            shifted.append((first, part))
        first += part if isinstance(part, int) else part.count
    different = sorted({text for _, part in shifted for text in part.different[1:-1].split(b"\0") if part.different})
    places = {text: place for place, text in enumerate(different)}
    other = {
        text: place for place, text in enumerate(dict.fromkeys(text for _, part in shifted for text in part.other))
    }
    return Values(
        first,
        _joined([(at, part.integers) for at, part in shifted]),
        _joined([(at, part.floats) for at, part in shifted]),
        _joined([
            (at, (part.texts[0], _renumbered(part.texts[1], part.different[1:-1].split(b"\0"), places)))
            for at, part in shifted if part.different
        ]),
        *_in_order(different),
        _joined([(at, (part.others[0], _renumbered(part.others[1], part.other, other))) for at, part in shifted]),
        list(other),
        np.concatenate([_NONE, *(part.unknown + at for at, part in shifted)]),
    )  # fmt: skip


def _renumbered(places: NDArray[Any], texts: Sequence[Any], numbers: dict[Any, int]) -> NDArray[Any]:
    return np.array([numbers[text] for text in texts], np.int64)[places] if len(places) else _NONE


def _joined(pairs: list[tuple[int, _Pair]]) -> _Pair:
    full = [(rows + at, values) for at, (rows, values) in pairs if len(rows)]
    if not full:
        return _no_pair()
    return np.concatenate([rows for rows, _ in full]), np.concatenate([values for _, values in full])

"""Encoding of one argument's values: those of a new segment, and those of segments that are joined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from celery_nexus.history.index.arguments.values import NONE, Pair, Values, text_starts
from celery_nexus.history.index.pages import Rows

MAX_TEXT = 256
"""Longest text in a column; longer ones are looked for in the rows."""

_EXACT = 1 << 53


def collect_values(rows: list[int], values: list[Any], count: int) -> Values:
    """Sort the values of some rows of a segment."""
    kinds = set(map(type, values))
    if kinds == {int} and min(values) >= -_EXACT and max(values) <= _EXACT:
        return Values(count, integers=(np.array(rows), np.array(values, np.int64)))
    if kinds == {str} and max(map(len, values)) <= MAX_TEXT and "\0" not in "".join(values):
        encoded = _encode_utf8(values)
        if encoded is not None:
            return _with_texts(Values(count), np.array(rows), encoded)
    return _sort_by_kind(rows, values, count)


def _sort_by_kind(rows: list[int], values: list[Any], count: int) -> Values:
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
        elif type(value) is str and len(value) <= MAX_TEXT and "\0" not in value and (known := _encode_utf8([value])):
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


def _pair(items: list[tuple[int, Any]], kind: Any) -> Pair:
    return np.array([row for row, _ in items], np.intp), np.array([value for _, value in items], kind)


def _encode_utf8(texts: list[str]) -> list[bytes] | None:
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
        return b"", NONE
    return b"\0" + b"\0".join(different) + b"\0", text_starts(np.array([len(text) + 1 for text in different]))


def merge_values(pages: Iterable[Values | int]) -> Values:
    """Join the values of neighbouring segments; of a segment without any, its number of rows."""
    first = 0
    shifted: list[tuple[int, Values]] = []
    for page in pages:
        if isinstance(page, Values):
            shifted.append((first, page))
        first += page if isinstance(page, int) else page.count
    different = sorted(
        {text for _, page in shifted for text in bytes(page.different[1:-1]).split(b"\0") if page.different}
    )
    places = {text: place for place, text in enumerate(different)}
    other = {
        text: place for place, text in enumerate(dict.fromkeys(text for _, page in shifted for text in page.other))
    }
    return Values(
        first,
        _join_pairs([(at, page.integers) for at, page in shifted]),
        _join_pairs([(at, page.floats) for at, page in shifted]),
        _join_pairs([
            (at, (page.texts[0], _renumber(page.texts[1], bytes(page.different[1:-1]).split(b"\0"), places)))
            for at, page in shifted if page.different
        ]),
        *_in_order(different),
        _join_pairs([(at, (page.others[0], _renumber(page.others[1], page.other, other))) for at, page in shifted]),
        list(other),
        np.concatenate([NONE, *(page.unknown + at for at, page in shifted)]),
    )  # fmt: skip


def _renumber(places: NDArray[Any], texts: Sequence[Any], numbers: dict[Any, int]) -> NDArray[Any]:
    return np.array([numbers[text] for text in texts], np.int64)[places] if len(places) else NONE


def _join_pairs(pairs: list[tuple[int, Pair]]) -> Pair:
    full = [(rows + at, values) for at, (rows, values) in pairs if len(rows)]
    if not full:
        return NONE, NONE
    return np.concatenate([rows for rows, _ in full]), np.concatenate([values for _, values in full])

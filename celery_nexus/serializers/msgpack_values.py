"""MessagePack decoder for remote control and task messages: JSON values and bytes, nothing else."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, cast

MOST_DEEP = 64

_FIXED = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i",
    0xD3: ">q",
}  # fmt: skip
_TEXTS = {0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
_BYTES = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I"}
_ARRAYS = {0xDC: ">H", 0xDD: ">I"}
_MAPS = {0xDE: ">H", 0xDF: ">I"}
_NOT = "it is no MessagePack of plain values"


def pack(value: Any) -> bytes:
    """Write a value of JSON, or bytes.

    Raises:
        ValueError: It is another one.
    """
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return _packed_int(value)
        case float():
            return b"\xcb" + struct.pack(">d", value)
        case str():
            data = value.encode()
            return b"\xdb" + struct.pack(">I", len(data)) + data
        case bytes():
            return b"\xc6" + struct.pack(">I", len(value)) + value
        case list() | tuple():
            items = cast("list[Any]", value)
            return b"\xdd" + struct.pack(">I", len(items)) + b"".join(map(pack, items))
        case Mapping():
            pairs = cast("Mapping[Any, Any]", value)
            parts = (pack(key) + pack(item) for key, item in pairs.items())
            return b"\xdf" + struct.pack(">I", len(pairs)) + b"".join(parts)
        case _:
            raise ValueError(f"{type(value).__name__} can't be written as MessagePack")


def _packed_int(value: int) -> bytes:
    try:
        return b"\xd3" + struct.pack(">q", value) if value < 0 else b"\xcf" + struct.pack(">Q", value)
    except struct.error:
        raise ValueError(f"{value} is too large for MessagePack") from None


def unpack(data: bytes) -> Any:
    """Read one value; extension types are refused.

    Raises:
        ValueError: It is something else.
    """
    try:
        value, end = _Reader(data).value(0, 0)
    except (struct.error, IndexError, UnicodeDecodeError, TypeError):
        raise ValueError(_NOT) from None
    if end != len(data):
        raise ValueError(_NOT)
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        if depth > MOST_DEEP:
            raise ValueError(_NOT)
        kind, at = self._data[at], at + 1
        if kind < 0x80:
            return kind, at
        if kind >= 0xE0:
            return kind - 256, at
        if kind < 0x90:
            return self._map(kind & 0x0F, at, depth)
        if kind < 0xA0:
            return self._array(kind & 0x0F, at, depth)
        if kind < 0xC0:
            return self._text(kind & 0x1F, at)
        if kind in _FIXED:
            return _FIXED[kind], at
        return self._sized(kind, at, depth)

    def _sized(self, kind: int, at: int, depth: int) -> tuple[Any, int]:
        if kind in _NUMBERS:
            return self._number(_NUMBERS[kind], at)
        for kinds, read in ((_TEXTS, self._text), (_BYTES, self._bytes)):
            if kind in kinds:
                size, at = self._number(kinds[kind], at)
                return read(int(size), at)
        for kinds, gather in ((_ARRAYS, self._array), (_MAPS, self._map)):
            if kind in kinds:
                size, at = self._number(kinds[kind], at)
                return gather(int(size), at, depth)
        raise ValueError(_NOT)

    def _number(self, form: str, at: int) -> tuple[Any, int]:
        return struct.unpack_from(form, self._data, at)[0], at + struct.calcsize(form)

    def _bytes(self, size: int, at: int) -> tuple[bytes, int]:
        if at + size > len(self._data):
            raise ValueError(_NOT)
        return self._data[at : at + size], at + size

    def _text(self, size: int, at: int) -> tuple[str, int]:
        data, end = self._bytes(size, at)
        return data.decode(), end

    def _array(self, size: int, at: int, depth: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        for _ in range(size):
            item, at = self.value(at, depth + 1)
            items.append(item)
        return items, at

    def _map(self, size: int, at: int, depth: int) -> tuple[dict[Any, Any], int]:
        pairs: dict[Any, Any] = {}
        for _ in range(size):
            key, at = self.value(at, depth + 1)
            pairs[key], at = self.value(at, depth + 1)
        return pairs, at

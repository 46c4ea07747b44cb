"""MessagePack and pickle from strangers: read without running anything, refused when they are hostile."""

import pickle
import struct
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.serializers import formats, msgpack_values, pickle_values

msgpack: Any = pytest.importorskip("msgpack")

VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    127,
    -32,
    128,
    255,
    65_536,
    2**63,
    -(2**63),
    1.5,
    "",
    "почта",
    "x" * 70_000,
    [],
    [1, [2, [3]]],
    {"task": "shop.add", "args": [1, "two", None], "kwargs": {"deep": {"er": [False]}}},
    list(range(20)),
    {str(number): number for number in range(70)},
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_what_msgpack_wrote_is_read_and_what_is_written_here_msgpack_reads(value: Any) -> None:
    assert msgpack_values.unpack(msgpack.packb(value)) == value
    assert msgpack.unpackb(msgpack_values.pack(value)) == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_what_pickle_wrote_is_read_in_each_protocol(value: Any, protocol: int) -> None:
    assert pickle_values.read(pickle.dumps(value, protocol)) == value


WHOLE = msgpack.packb({"task": "shop.add", "args": [1, 2.5, "three", b"four"]})


@pytest.mark.parametrize("end", range(len(WHOLE)))
def test_msgpack_that_is_cut_is_refused(end: int) -> None:
    with pytest.raises(ValueError, match="no MessagePack of plain values"):
        msgpack_values.unpack(WHOLE[:end])


@pytest.mark.parametrize(
    "data",
    [
        WHOLE + b"\x00",
        b"\xc1",
        b"\xdd" + struct.pack(">I", 2**32 - 1),
        b"\xdf" + struct.pack(">I", 2**32 - 1),
        b"\xdb" + struct.pack(">I", 2**32 - 1) + b"x",
        b"\xc6" + struct.pack(">I", 2**32 - 1) + b"x",
        b"\x91" * 100_000 + b"\xc0",
        b"\x81\x91\x01\x01",
        b"\xa1\xff",
        b"\xd4\x01\x02",
    ],
    ids=["more", "unused", "array", "map", "text", "bytes", "deep", "list-as-key", "no-utf-8", "extension"],
)
def test_hostile_msgpack_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no MessagePack of plain values"):
        msgpack_values.unpack(data)


PICKLED = pickle.dumps({"task": "shop.add", "args": [1, 2.5, "three", b"four"]})


@pytest.mark.parametrize("end", range(len(PICKLED)))
def test_a_pickle_that_is_cut_is_refused(end: int) -> None:
    with pytest.raises(ValueError):
        pickle_values.read(PICKLED[:end])


class Bomb:
    """Touches a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    data = pickle.dumps({"task": "shop.add", "args": [Bomb(tmp_path / "ran")]})
    told = formats.plain(pickle_values.read(data))
    assert told["task"] == "shop.add"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        b".",
        b"0.",
        b"(" * 100_000,
        b"\x80\x04h\x09.",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.",
        b"\x80\x02]" + b"q\x00" * 200_001 + b".",
        b"\x80\x02}]K\x01s.",
    ],
    ids=["empty", "junk", "nothing", "pop", "marks", "memo", "huge", "long", "list-as-key"],
)
def test_a_hostile_pickle_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        pickle_values.read(data)


@pytest.mark.parametrize("kind", [formats.PICKLE, formats.MSGPACK])
def test_values_that_are_nested_too_deeply_are_not_read(kind: str) -> None:
    deep = b"\x80\x02" + b"]" * 1000 + b"a" * 999 + b"." if kind == formats.PICKLE else b"\x91" * 1000 + b"\x01"
    with pytest.raises(formats.Unread):
        formats.plain(formats.read(kind, deep))


def test_a_pickle_of_few_bytes_that_means_a_million_values_is_not_read() -> None:
    value: list[Any] = [0] * 10
    for _ in range(6):
        value = [value] * 10
    data = pickle.dumps(value)
    assert len(data) < 1000
    with pytest.raises(formats.Unread):
        formats.plain(formats.read(formats.PICKLE, data))

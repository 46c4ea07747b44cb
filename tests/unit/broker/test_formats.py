"""The formats of messages: written, read, guessed, and brought into plain values."""

from __future__ import annotations

import base64
import json
import pickle
from decimal import Decimal
from typing import Any

import pytest

from celery_nexus.serializers import formats
from celery_nexus.serializers.formats import JSON, MSGPACK, PICKLE, YAML, Unread

VALUE: Any = {"a": [1, 2.5, None, True, "é"]}


@pytest.mark.parametrize("kind", [JSON, YAML, MSGPACK, PICKLE])
def test_what_is_written_is_read(kind: str) -> None:
    data, encoding = formats.write(kind, VALUE)
    assert formats.plain(formats.read(kind, data)) == VALUE
    assert encoding == ("utf-8" if kind in (JSON, YAML) else "binary")
    assert formats.is_known(kind)


def test_a_pickle_is_of_the_protocol_that_every_python_reads() -> None:
    assert formats.write(PICKLE, VALUE)[0][:2] == b"\x80\x02"


def test_another_format_is_neither_written_nor_read() -> None:
    with pytest.raises(ValueError, match=r"^messages of the kind text/plain can't be written here$"):
        formats.write("text/plain", 1)
    with pytest.raises(Unread, match=r"^text/plain is not read here$"):
        formats.read("text/plain", b"1")
    assert not formats.is_known("text/plain")


@pytest.mark.parametrize(("kind", "word"), [(JSON, "json"), (YAML, "yaml"), (MSGPACK, "msgpack"), (PICKLE, "pickle")])
def test_what_can_not_be_read_says_what_it_was_to_be(kind: str, word: str) -> None:
    with pytest.raises(Unread, match=rf"^{word} that can't be read here$"):
        formats.read(kind, b"\xc1")


def test_json_without_an_end_is_unread() -> None:
    with pytest.raises(Unread, match=r"^json that can't be read here$"):
        formats.read(JSON, b"[" * 100_000)


def test_a_long_name_of_a_format_is_cut() -> None:
    with pytest.raises(Unread, match=r"^x{60} is not read here$"):
        formats.read("x" * 200, b"1")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"a": 1}', JSON),
        (pickle.dumps(1, protocol=2), PICKLE),
        (pickle.dumps(1, protocol=5), PICKLE),
        (b"\x80", MSGPACK),
        (b"\x81\xa1a\x01", MSGPACK),
        (b"a: 1", YAML),
        (b"", YAML),
    ],
)
def test_a_stored_result_tells_its_format_by_its_first_bytes(data: bytes, kind: str) -> None:
    assert formats.guess(data) == kind


@pytest.mark.parametrize(
    ("data", "name"), [(b"w@h:\n  ok: 1", "w@h"), (b"'w@h': {}", "w@h"), (b"[1]", None), (b"\n# c\nw@h: 1", "w@h")]
)
def test_the_first_key_of_yaml_is_a_workers_name(data: bytes, name: str | None) -> None:
    assert formats.find_first_key(YAML, data) == name
    assert formats.find_first_key(JSON, data) is None


def test_what_json_has_not_becomes_what_it_has() -> None:
    value = {1: (1, {2}), "b": b"\x00" * 1500, "a": bytearray(b"\x00"), "d": Decimal("1.5")}
    assert formats.plain(value) == {"1": [1, [2]], "b": "‹1,500 bytes›", "a": "‹1 bytes›", "d": "1.5"}


def test_a_key_is_cut() -> None:
    assert formats.plain({"k" * 300: 1}) == {"k" * 255: 1}


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_what_is_nested_too_deeply_is_unread_and_a_level_less_is_not() -> None:
    assert json.dumps(formats.plain(nested(64))) == "[" * 65 + "]" * 65
    with pytest.raises(Unread, match=r"^more nested values than are read here$"):
        formats.plain(nested(65))
    with pytest.raises(Unread):
        formats.plain({"a": nested(64)})


def test_what_has_too_many_values_is_unread_and_one_less_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MOST_VALUES", 4)
    assert formats.plain([1, 2, 3]) == [1, 2, 3]
    with pytest.raises(Unread, match=r"^more nested values than are read here$"):
        formats.plain([1, 2, 3, 4])


def test_what_holds_itself_is_unread() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(Unread):
        formats.plain(value)


def told(kind: Any, body: bytes) -> bytes:
    """Write a message of kombu as its events are."""
    parts = {"content-type": kind, "body": base64.b64encode(body).decode(), "headers": {"hostname": "w"}}
    return json.dumps(parts | {"properties": {"body_encoding": "base64"}}).encode()


@pytest.mark.parametrize("kind", [YAML, MSGPACK, PICKLE])
def test_a_message_in_another_format_becomes_one_of_json(kind: str) -> None:
    found = json.loads(formats.as_json(told(kind, formats.write(kind, VALUE)[0])))
    assert json.loads(found.pop("body")) == VALUE
    assert found == {"headers": {"hostname": "w"}, "properties": {}, "content-type": JSON}


def test_a_message_of_json_stays_as_it_is() -> None:
    message = told(JSON, b"not even JSON")
    assert formats.as_json(message) is message


@pytest.mark.parametrize(
    "message",
    [
        b"nonsense",
        b"[]",
        b"{}",
        b"[" * 100_000,
        told(MSGPACK, b"\xc1"),
        told("text/plain", b"1"),
        told(7, b"1"),
        told(MSGPACK, b"").replace(b'"body": ""', b'"body": null'),
        told(MSGPACK, b"").replace(b'"body": ""', b'"body": "YQ="'),
    ],
)
def test_what_is_no_message_that_can_be_read_is_unread(message: bytes) -> None:
    with pytest.raises(Unread, match=r"^no message that can be read here$"):
        formats.as_json(message)

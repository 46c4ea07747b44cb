"""Message formats of Celery applications: which can be decoded and encoded without running any code."""

from __future__ import annotations

import base64
import json
import pickle
import re
from typing import Any, cast

from celery_nexus.serializers import msgpack_values, pickle_values

JSON = "application/json"
YAML = "application/x-yaml"
MSGPACK = "application/x-msgpack"
PICKLE = "application/x-python-serialize"

NAMES = {"json": JSON, "yaml": YAML, "msgpack": MSGPACK, "pickle": PICKLE}
"""Content type of each of Celery's formats (``task_serializer``)."""

MOST_VALUES, MOST_DEEP, MOST_KEY = 100_000, 64, 255
"""A value of more values, or nested more deeply, is not read: a few bytes of pickle can mean a million."""

_FIRST_KEY = re.compile(r"""^["']?(?P<name>[^\s"':#{\[][^\n"':]*)["']?:""", re.MULTILINE)


class Unread(ValueError):
    """Something in a format that is not read here; the message says which."""


def write(kind: str, value: Any) -> tuple[bytes, str]:
    """Write values of JSON in a format; return the bytes and the content encoding.

    Raises:
        ValueError: The format is not known, or can't hold the value.
    """
    if kind == MSGPACK:
        return msgpack_values.pack(value), "binary"
    if kind == PICKLE:
        return pickle.dumps(value, protocol=2), "binary"  # writing runs nothing
    if kind in (JSON, YAML):  # what is JSON is YAML, too
        return json.dumps(value).encode(), "utf-8"
    raise ValueError(f"messages of the kind {kind} can't be written here")


def read(kind: str, data: bytes) -> Any:
    """Read a value in a format.

    Raises:
        Unread: This format can't be read here, or this value.
    """
    try:
        if kind == JSON:
            return json.loads(data)
        if kind == MSGPACK:
            return msgpack_values.unpack(data)
        if kind == PICKLE:
            return pickle_values.read(data)
        if kind == YAML:
            return json.loads(data)
    except (ValueError, RecursionError):
        raise Unread(f"{_word(kind)} that can't be read here") from None
    raise Unread(f"{_word(kind)} is not read here")


def as_json(message: bytes) -> bytes:
    """Write a message of kombu whose body has another format again, as JSON; one of JSON stays as it is.

    Raises:
        Unread: It is no such message, or can't be read here.
    """
    try:
        told = json.loads(message)
        kind = told["content-type"]
        if kind == JSON:
            return message
        body = plain(read(str(kind), base64.b64decode(told["body"])))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unread("no message that can be read here") from None
    parts: dict[str, Any] = {"headers": told.get("headers"), "properties": {}, "content-type": JSON}
    return json.dumps({**parts, "body": json.dumps(body)}).encode()


def find_first_key(kind: str, data: bytes) -> str | None:
    """Find the first key of a block of YAML that is not read otherwise: the name of a worker that answers."""
    found = _FIRST_KEY.search(data.decode("utf-8", "replace")) if kind == YAML else None
    return found["name"] if found else None


def is_known(kind: str) -> bool:
    """Tell whether a content type can be written here."""
    return kind in NAMES.values()


def guess(data: bytes) -> str:
    """Guess the format of a stored result by its first bytes."""
    if data[:1] == b"{":
        return JSON
    if data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return PICKLE
    return MSGPACK if data[:1] >= b"\x80" else YAML


def plain(value: Any) -> Any:
    """Bring what a pickle or MessagePack holds into values of JSON; what code would build is named in text.

    Raises:
        Unread: It is too large, or holds itself.
    """
    return _plain(value, [MOST_VALUES], 0)


def _plain(value: Any, left: list[int], depth: int) -> Any:
    left[0] -= 1
    if left[0] < 0 or depth > MOST_DEEP:
        raise Unread("more nested values than are read here")
    if isinstance(value, dict):
        pairs = cast("dict[Any, Any]", value).items()
        return {str(key)[:MOST_KEY]: _plain(item, left, depth + 1) for key, item in pairs}
    if isinstance(value, list | tuple | set):
        return [_plain(item, left, depth + 1) for item in cast("list[Any]", value)]
    if isinstance(value, bytes | bytearray):
        return f"‹{len(value):,} bytes›"
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _word(kind: str) -> str:
    return next((word for word, known in NAMES.items() if known == kind), kind[:60])

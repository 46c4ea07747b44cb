"""Keys of a Redis as JSON, to be written and read by tests: every byte is a character (Latin-1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis

Snapshot = dict[str, dict[str, Any]]
"""By the name of a key its type, its value, and for how many milliseconds it lives on; -1 for ever."""


def take(client: redis.Redis, leave_out: tuple[str, ...] = ()) -> Snapshot:
    """Read all keys but those that begin with one of some texts."""
    names = sorted(_text(key) for key in client.scan_iter(count=1000))
    return {name: _read(client, name) for name in names if not name.startswith(leave_out)}


def put(client: redis.Redis, snapshot: Mapping[str, Mapping[str, Any]]) -> None:
    """Write keys into an empty Redis."""
    for name, key in snapshot.items():
        encoded, value = name.encode("latin-1"), key["value"]
        match key["type"]:
            case "string":
                client.set(encoded, _bytes(value))
            case "list":
                client.rpush(encoded, *map(_bytes, value))
            case "set":
                client.sadd(encoded, *map(_bytes, value))
            case "hash":
                client.hset(encoded, mapping={_bytes(field): _bytes(text) for field, text in value.items()})
            case "zset":
                client.zadd(encoded, {_bytes(member): score for member, score in value.items()})
            case _:
                for at, fields in value:
                    client.xadd(encoded, {_bytes(field): _bytes(text) for field, text in fields.items()}, id=at)
        if key["lives_ms"] > 0:
            client.pexpire(encoded, key["lives_ms"])


def _read(client: redis.Redis, name: str) -> dict[str, Any]:
    key: Any = name.encode("latin-1")
    kind, found = _text(client.type(key)), {"lives_ms": client.pttl(key)}
    value: Any
    match kind:
        case "string":
            value = _text(client.get(key))
        case "list":
            value = [_text(item) for item in client.lrange(key, 0, -1)]  # type: ignore[union-attr]
        case "set":
            value = sorted(_text(item) for item in client.smembers(key))  # type: ignore[union-attr]
        case "hash":
            value = {_text(field): _text(text) for field, text in client.hgetall(key).items()}  # type: ignore[union-attr]
        case "zset":
            value = {_text(member): score for member, score in client.zrange(key, 0, -1, withscores=True)}
        case _:
            entries: Any = client.xrange(key)
            value = [[_text(at), {_text(a): _text(b) for a, b in fields.items()}] for at, fields in entries]
    return {"type": kind, "value": value, **found}


def _text(data: Any) -> str:
    return data.decode("latin-1") if isinstance(data, bytes) else str(data)


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")

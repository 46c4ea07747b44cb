"""The catalogue of malformed messages: each entry is the bytes that somebody pushes into a queue's list."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import pickle
import uuid
import zlib
from collections.abc import Callable
from typing import Any

Change = Callable[[dict[str, Any]], None]


def message(task: str = "t.note", args: tuple[Any, ...] = ("x",), **headers: Any) -> dict[str, Any]:
    """Make a right message of protocol 2, as Celery publishes it."""
    run_id = str(uuid.uuid4())
    return {
        "body": _body([list(args), {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": task, "id": run_id, "root_id": run_id, "retries": 0, **headers},
        "properties": {
            "correlation_id": run_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "default_queue", "routing_key": "default_queue"},
            "priority": 5,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }


def _body(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def _changed(change: Change) -> bytes:
    right = message()
    change(right)
    return json.dumps(right).encode()


def _set(*path: Any, to: Any) -> bytes:
    def change(target: dict[str, Any]) -> None:
        for name in path[:-1]:
            target = target[name]
        target[path[-1]] = to

    return _changed(change)


def _without(*path: str) -> bytes:
    def change(target: dict[str, Any]) -> None:
        for name in path[:-1]:
            target = target[name]
        del target[path[-1]]

    return _changed(change)


def _packed(packed: bytes, compression: Any) -> bytes:
    def change(target: dict[str, Any]) -> None:
        target["body"] = base64.b64encode(packed).decode()
        target["headers"]["compression"] = compression

    return _changed(change)


def _with_body(value: Any) -> bytes:
    return _set("body", to=_body(value))


_EMBED: dict[str, Any] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}

MALFORMED: dict[str, bytes] = {
    "no JSON": b"\x00\x01 not json",
    "empty": b"",
    "cut short": json.dumps(message()).encode()[:-40],
    "not UTF-8": b'{"body": "\xff\xfe"}',
    "a list": b"[1, 2, 3]",
    "a number": b"42",
    "null": b"null",
    "an empty object": b"{}",
    "nested too deeply": b"[" * 100_000 + b"]" * 100_000,
    "a number of 10,000 digits": b'{"body": ' + b"9" * 10_000 + b"}",
    "no properties": _without("properties"),
    "properties is a list": _set("properties", to=[]),
    "no delivery tag": _without("properties", "delivery_tag"),
    "delivery tag is an object": _set("properties", "delivery_tag", to={"a": 1}),
    "delivery info is text": _set("properties", "delivery_info", to="default_queue"),
    "unknown body encoding": _set("properties", "body_encoding", to="rot13"),
    "reply to is an object": _set("properties", "reply_to", to={}),
    "no body": _without("body"),
    "body is null": _set("body", to=None),
    "body is a number": _set("body", to=7),
    "body is no base64": _set("body", to="%%%"),
    "body is no JSON": _set("body", to=base64.b64encode(b"{nope").decode()),
    "body is nested too deeply": _set("body", to=base64.b64encode(b"[" * 100_000 + b"]" * 100_000).decode()),
    "body is no list": _with_body({"a": 1}),
    "body has two parts": _with_body([[], {}]),
    "args is text": _with_body(["abc", {}, _EMBED]),
    "kwargs is a list": _with_body([[], [], _EMBED]),
    "embed is text": _with_body([[], {}, "embed"]),
    "chord is text": _with_body([[], {}, _EMBED | {"chord": "c"}]),
    "callbacks is an object": _with_body([[], {}, _EMBED | {"callbacks": {"a": 1}}]),
    "callbacks are numbers": _with_body([[], {}, _EMBED | {"callbacks": [1]}]),
    "an errback names no task": _with_body([[], {}, _EMBED | {"errbacks": [{"args": []}]}]),
    "a link of a chain is no list": _with_body([[], {}, _EMBED | {"chain": [{"task": "t.note", "args": "x"}]}]),
    "chord names no task": _with_body([[], {}, _EMBED | {"chord": {"a": 1}}]),
    "pickle": _set("content-type", to="application/x-python-serialize"),
    "a pickled body": _changed(
        lambda m: m.update({"body": base64.b64encode(pickle.dumps([(), {}, {}])).decode(), "content-type": "pickle"})
    ),
    "content type is a number": _set("content-type", to=3),
    "unknown content encoding": _set("content-encoding", to="utf-99"),
    "headers is text": _set("headers", to="headers"),
    "headers is a list": _set("headers", to=[["task", "t.note"]]),
    "no headers": _set("headers", to=None),
    "no task": _without("headers", "task"),
    "task is a number": _set("headers", "task", to=1),
    "task is an object": _set("headers", "task", to={"name": "t.note"}),
    "no id": _without("headers", "id"),
    "id is null": _set("headers", "id", to=None),
    "id is a list": _set("headers", "id", to=["a"]),
    "id is huge": _set("headers", "id", to="x" * 100_000),
    "id has a lone surrogate": _set("headers", "id", to="a\ud800"),
    "id has control characters": _set("headers", "id", to="a\x1b[2J\n"),
    "retries is text": _set("headers", "retries", to="many"),
    "retries is negative": _set("headers", "retries", to=-1),
    "time limit is text": _set("headers", "timelimit", to="soon"),
    "time limit has three parts": _set("headers", "timelimit", to=[1, 2, 3]),
    "time limit is infinite": _set("headers", "timelimit", to=[float("inf"), None]),
    "eta is a number": _set("headers", "eta", to=12),
    "eta is no time": _set("headers", "eta", to="tomorrow"),
    "eta is before all dates elsewhere": _set("headers", "eta", to="0001-01-01T00:00:00+14:00"),
    "eta is after all dates elsewhere": _set("headers", "eta", to="9999-12-31T23:59:59-10:00"),
    "expires is no time": _set("headers", "expires", to="never"),
    "expires is an object": _set("headers", "expires", to={}),
    "root id is an object": _set("headers", "root_id", to={}),
    "group is a list": _set("headers", "group", to=["g"]),
    "stamps is text": _set("headers", "stamps", to="s"),
    "stamped headers is a number": _set("headers", "stamped_headers", to=5),
    "argsrepr is an object": _set("headers", "argsrepr", to={}),
    "unknown compression": _packed(zlib.compress(b"[[], {}, {}]"), "zip"),
    "compression is an object": _packed(b"", {"a": 1}),
    "not compressed": _packed(b"[[], {}, {}]", "gzip"),
    "a gzip file": _packed(gzip.compress(b"[[], {}, {}]")[:9], "gzip"),
    "a compression bomb": _packed(zlib.compress(b" " * 100_000_000, 9), "zlib"),
    "a bzip2 bomb": _packed(bz2.compress(b" " * 100_000_000), "bzip2"),
}
"""Each must become one dead letter."""

CONTROL: dict[str, bytes] = {
    "no JSON": b"garbage",
    "empty": b" ",
    "null": b"null",
    "a list": b"[]",
    "a number": b"1",
    "an empty object": b"{}",
    "nested too deeply": b"[" * 100_000,
    "not UTF-8": b"\xff\xfe\xfd",
    "no properties": _without("properties"),
    "no delivery tag": _without("properties", "delivery_tag"),
    "body is a number": _set("body", to=7),
    "body is no base64": _set("body", to="%%%"),
    "body is a list": _with_body([1]),
    "body is text": _with_body("shutdown"),
    "method is an object": _with_body({"method": {}, "arguments": {}}),
    "arguments is a list": _with_body({"method": "ping", "arguments": [1]}),
    "reply to is text": _with_body({"method": "ping", "arguments": {}, "reply_to": "x"}),
    "clock is text": _changed(lambda m: m["headers"].update({"clock": "late"})),
    "clock is huge": _changed(lambda m: m["headers"].update({"clock": 10**400})),
    "pickle": _set("content-type", to="application/x-python-serialize"),
}
"""Published on the channel of remote control, each must be dropped."""

"""Validation of messages before Celery sees them: a malformed one might end the worker."""

from __future__ import annotations

import base64
import binascii
import bz2
import json
import lzma
import math
import zlib
from collections.abc import Callable, Mapping
from typing import Any, cast

from celery_nexus.times import parse_time

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
"""Largest body after decompression."""

MAX_NAME_CHARACTERS = 255
MAX_RETRIES = 1_000_000
MAX_CLOCK = 2**62
MAX_SECONDS = 10 * 365 * 24 * 3600.0

Json = dict[str, Any]


class Malformed(Exception):
    """A message that can't be a run; says what is wrong with it."""


def decode(raw: bytes) -> Json:
    """Decode a message and check its envelope and headers.

    Raises:
        Malformed: It is no message of Celery's protocol 2 (or 1, whose headers are few).
    """
    if len(raw) > MAX_MESSAGE_BYTES:
        raise Malformed(f"{len(raw)} bytes, more than {MAX_MESSAGE_BYTES}")
    try:
        message = json.loads(raw)
    except RecursionError:
        raise Malformed("nested too deeply") from None
    except ValueError as error:
        raise Malformed(f"not JSON: {error}") from None
    if not isinstance(message, dict):
        raise Malformed(f"JSON {type(message).__name__} instead of an object")
    _check_envelope(cast("Json", message))
    return cast("Json", message)


def decode_end(raw: bytes) -> Json | None:
    """Decode the headers at the end of a message that was cut for its size; None when they are not there."""
    _, found, rest = raw.rpartition(b'"headers": ')
    try:
        headers, _ = json.JSONDecoder().raw_decode(rest.decode("utf-8", "replace")) if found else (None, 0)
    except (ValueError, RecursionError):
        return None
    return {"headers": headers} if isinstance(headers, dict) else None


def decode_loosely(raw: bytes) -> Json | None:
    """Decode a message as far as it is an object; None when it is not."""
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return cast("Json", message) if isinstance(message, dict) else None


def check_payload(payload: Any, headers: Mapping[str, Any]) -> None:
    """Check the decoded body: ``[args, kwargs, embed]``, or protocol 1's object.

    Raises:
        Malformed: It is neither.
    """
    if "task" not in headers:
        _check_protocol_1(payload)
        return
    if isinstance(payload, dict) and "args" in payload:  # a hybrid of both protocols
        _check_protocol_1({"task": headers["task"], "id": headers.get("id"), **cast("Json", payload)})
        return
    if not isinstance(payload, list | tuple) or len(cast("list[Any]", payload)) != 3:
        raise Malformed("the body is not [args, kwargs, embed]")
    args, kwargs, embed = cast("list[Any]", payload)
    _require(isinstance(args, list | tuple), "args is not a list")
    _require(isinstance(kwargs, dict), "kwargs is not an object")
    _check_embed({} if embed is None else embed)


def check_control(message: Any, *, is_command: bool) -> Json:
    """Check what came over a fanout exchange: its envelope, and for remote control the command in it.

    Celery takes its mailbox down and up again after a bad command, and is deaf meanwhile.

    Returns:
        The command: ``method``, ``arguments``, …; empty when it is none.

    Raises:
        Malformed: It is no such message.
    """
    _require(isinstance(message, dict), f"JSON {type(message).__name__} instead of an object")
    fields = cast("Json", message)
    properties, headers = fields.get("properties"), fields.get("headers")
    _require(isinstance(properties, dict), "no properties")
    _require(isinstance(cast("Json", properties).get("delivery_tag"), str), "no delivery_tag")
    _require(_is_object(headers), "headers is no object")
    clock: Any = cast("Json", headers or {}).get("clock")
    _require(clock is None or (isinstance(clock, int) and 0 <= clock <= MAX_CLOCK), "clock is no count")
    return _check_command(fields, cast("Json", properties)) if is_command else {}


def check_body_size(message: Json) -> None:
    """Check how large a compressed body would be again; costs its decompression when it may be too large.

    Raises:
        Malformed: It is too large, or compressed in a way that workers don't know.
    """
    compression = cast("Json", message.get("headers") or {}).get("compression")
    if compression:
        _check_compressed(message["body"], message["properties"].get("body_encoding"), compression)


def _check_command(message: Json, properties: Json) -> Json:
    _require(message.get("content-type") == "application/json", "not JSON")
    body: Any = message.get("body")
    _require(isinstance(body, str), "the body is no text")
    try:
        command = json.loads(base64.b64decode(body) if properties.get("body_encoding") == "base64" else body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    _require(isinstance(command, dict), "the body is no object")
    checked: Json = {"method": None, **cast("Json", command)}
    _check("command", checked, _COMMAND)
    return checked


def due_at(headers: Any) -> float | None:
    """Read a message's ``eta`` as seconds since the epoch; None when it has none that can be read."""
    due = parse_time(cast("Json", headers).get("eta")) if isinstance(headers, dict) else None
    return None if due is None else due.timestamp()


def run_of(message: Mapping[str, Any] | None) -> tuple[str | None, str | None]:
    """Read the run's id and task from a message's headers, as far as they can be trusted."""
    headers: Any = message.get("headers") if message else None
    if not isinstance(headers, dict):
        return None, None
    fields = cast("Json", headers)
    run_id, task = fields.get("id"), fields.get("task")
    return (run_id if _is_name(run_id) else None), (task if _is_name(task) else None)


def keep_signatures(value: Any) -> list[Any]:
    """Keep the signatures of a list of callbacks; nothing of what is no list."""
    return [item for item in cast("list[Any]", value) if is_signature(item)] if isinstance(value, list) else []


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise Malformed(problem)


def _is_name(value: Any) -> bool:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_CHARACTERS:
        return False
    return value.isprintable() and not any("\ud800" <= character <= "\udfff" for character in value)


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_object(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _is_list(value: Any) -> bool:
    return value is None or isinstance(value, list)


def is_signature(value: Any) -> bool:
    """Tell whether a value can be a signature of Celery."""
    if not isinstance(value, dict) or not _is_name(cast("Json", value).get("task")):
        return False
    fields = cast("Json", value)
    return _is_list(fields.get("args")) and _is_object(fields.get("kwargs")) and _is_object(fields.get("options"))


def _is_signatures(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(is_signature(i) for i in cast("list[Any]", value)))


def _is_flag(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_RETRIES)


def _is_seconds(value: Any) -> bool:
    if value is None:
        return True
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and 0 <= value <= MAX_SECONDS


def _is_limits(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, list) or len(cast("list[Any]", value)) != 2:
        return False
    return all(_is_seconds(limit) for limit in cast("list[Any]", value))


def _is_time(value: Any) -> bool:
    return value is None or parse_time(value) is not None  # what is beyond the years 1 to 9999, Celery drops


def _is_texts(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(i, str) for i in cast("list[Any]", value)))


def _is_reply_to(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(cast("Json", value).get(name), str) for name in ("exchange", "routing_key")
    )


_HEADERS: dict[str, Callable[[Any], bool]] = {
    "lang": _is_text,
    "task": _is_name,
    "id": _is_name,
    "shadow": _is_text,
    "eta": _is_time,
    "expires": _is_time,
    "group": _is_text,
    "group_index": _is_count,
    "retries": _is_count,
    "timelimit": _is_limits,
    "root_id": _is_text,
    "parent_id": _is_text,
    "argsrepr": _is_text,
    "kwargsrepr": _is_text,
    "origin": _is_text,
    "ignore_result": _is_flag,
    "replaced_task_nesting": _is_count,
    "stamped_headers": _is_texts,
    "stamps": _is_object,
    "compression": _is_text,
}
_COMMAND: dict[str, Callable[[Any], bool]] = {
    "method": _is_name,
    "arguments": _is_object,
    "destination": lambda value: _is_text(value) or _is_texts(value),
    "pattern": _is_text,
    "matcher": _is_text,
    "ticket": _is_text,
    "reply_to": lambda value: value is None or _is_reply_to(value),
}
_PROPERTIES: dict[str, Callable[[Any], bool]] = {
    "correlation_id": _is_text,
    "reply_to": _is_text,
    "body_encoding": lambda value: value in (None, "base64", "utf-8"),
    "delivery_info": _is_object,
}
_PROTOCOL_1: dict[str, Callable[[Any], bool]] = {
    "task": _is_name,
    "id": _is_name,
    "args": _is_list,
    "kwargs": _is_object,
    "retries": _is_count,
    "eta": _is_time,
    "expires": _is_time,
    "timelimit": _is_limits,
}
_EMBED: dict[str, Callable[[Any], bool]] = {
    "callbacks": _is_signatures,
    "errbacks": _is_signatures,
    "chain": _is_signatures,
    "chord": lambda value: value is None or is_signature(value),
}


def _check(where: str, fields: Mapping[str, Any], rules: Mapping[str, Callable[[Any], bool]]) -> None:
    for name, is_right in rules.items():
        if name in fields and not is_right(fields[name]):
            raise Malformed(f"{where}.{name} is {_short(fields[name])}")


def _short(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:60] + '…'}"


def _check_envelope(message: Json) -> None:
    headers, properties = message.get("headers"), message.get("properties")
    _require(isinstance(properties, dict), "no properties")
    fields = cast("Json", properties)
    _require(isinstance(fields.get("delivery_tag"), str), "no delivery_tag")
    _check("properties", fields, _PROPERTIES)
    _require(_is_object(headers), f"headers is {_short(headers)}")
    _require(isinstance(message.get("body"), str), "the body is no text")
    _require(message.get("content-type") == "application/json", f"content type {_short(message.get('content-type'))}")
    _require(
        message.get("content-encoding") in ("utf-8", "binary", None),
        f"content encoding {_short(message.get('content-encoding'))}",
    )
    known = cast("Json", headers or {})
    if "task" in known or "id" in known:
        _require("task" in known and "id" in known, "headers without task or id")
        _check("headers", known, _HEADERS)
    if known.get("compression"):
        _check_compressed(message["body"], fields.get("body_encoding"), known["compression"])


def _check_compressed(body: str, encoding: str | None, compression: str) -> None:
    try:
        packed = base64.b64decode(body) if encoding == "base64" else body.encode()
    except (binascii.Error, ValueError) as error:
        raise Malformed(f"the body is not base64: {error}") from None
    if compression in ("zlib", "gzip", "application/x-gzip"):
        unpack: Any = zlib.decompressobj().decompress
    elif compression in ("bzip2", "bzip", "application/x-bz2"):
        unpack = bz2.BZ2Decompressor().decompress
    elif compression in ("lzma", "xz", "application/x-lzma"):
        unpack = lzma.LZMADecompressor(memlimit=MAX_BODY_BYTES).decompress
    else:
        raise Malformed(f"compression {_short(compression)}")
    try:
        size = len(unpack(packed, MAX_BODY_BYTES + 1))
    except (zlib.error, OSError, EOFError, ValueError, lzma.LZMAError) as error:
        raise Malformed(f"the body can't be decompressed: {error}") from None
    _require(size <= MAX_BODY_BYTES, f"the body has more than {MAX_BODY_BYTES} bytes when decompressed")


def _check_protocol_1(payload: Any) -> None:
    _require(isinstance(payload, dict), "neither headers nor a body that name a task")
    fields = cast("Json", payload)
    _require("task" in fields and "id" in fields, "no task or no id")
    _check("body", fields, _PROTOCOL_1)
    _check_embed({name: fields.get(name) for name in ("callbacks", "errbacks", "chord")})


def _check_embed(embed: Any) -> None:
    _require(isinstance(embed, dict), f"embed is {_short(embed)}")
    _check("embed", cast("Json", embed), _EMBED)

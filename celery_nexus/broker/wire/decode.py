"""Decoder of untrusted Celery messages: plain values only, sizes bounded, never an exception."""

from __future__ import annotations

import base64
import binascii
import bz2
import json
import lzma
import math
import zlib
from dataclasses import replace
from typing import Any, cast

from celery_nexus.application_code import ApplicationCode
from celery_nexus.connection.keys import SENT_AT_HEADER
from celery_nexus.privacy.masking import mask
from celery_nexus.rows.broker import Message
from celery_nexus.serializers import formats
from celery_nexus.times import parse_time

MAX_BODY_BYTES = 16 * 1024 * 1024
"""A body larger than this, packed or not, is described and not opened."""

JSON_TYPES = frozenset({"application/json", "application/vnd.celery.v2+json"})


class _Unreadable(Exception):
    """The body can't be shown; the message says why."""


def decode(raw: bytes, *, queue: str, priority: int, position: int, now: float, depth: int | None = None) -> Message:
    """Describe one waiting message; what can't be read is said in its ``problem``."""
    try:
        envelope = json.loads(raw)
    except (ValueError, RecursionError):
        return _foreign(raw, queue, priority, position, depth, "not JSON")
    if not isinstance(envelope, dict):
        return _foreign(raw, queue, priority, position, depth, "not a Celery message: no JSON object")
    parts = cast("dict[str, Any]", envelope)
    headers = _object(parts.get("headers"))
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    problem = ""
    try:
        body = _body(parts, headers)
        args, kwargs, headers = _arguments(body, headers)
    except _Unreadable as error:
        problem = str(error)
    run_id, task = _text(headers.get("id")), _text(headers.get("task"))
    if not task or not run_id:
        problem = problem or "not a Celery message: no task or id"
    return Message(
        id=run_id,
        task=task,
        queue=queue,
        priority=priority,
        position=position,
        age_s=_age(headers.get(SENT_AT_HEADER), now),
        args=args,
        kwargs=kwargs,
        eta=parse_time(headers.get("eta")),
        headers=headers,
        problem=problem,
        raw=raw,
        depth=depth,
    )


def mask_message(message: Message, code: ApplicationCode) -> Message:
    """Copy a message as it may be shown: the secrets of its arguments and headers masked, its bytes as they are.

    Args:
        message: As it was decoded.
        code: The application's, whose signatures tell which argument is a password.
    """
    args = None if message.args is None else _masked_args(code, message.task, message.args)
    kwargs = None if message.kwargs is None else mask(message.kwargs)
    return replace(message, args=args, kwargs=kwargs, headers=mask(message.headers))


def _masked_args(code: ApplicationCode, task: str, args: list[Any]) -> list[Any]:
    app = code.app_of(task) if args else None
    if app is None:
        return mask(args)
    from celery_nexus.history.capture.redaction import mask_positional

    return mask_positional(app, task, args)


def _foreign(raw: bytes, queue: str, priority: int, position: int, depth: int | None, problem: str) -> Message:
    return Message("", "", queue, priority, position, None, None, None, problem=problem, raw=raw, depth=depth)


def _body(envelope: dict[str, Any], headers: dict[str, Any]) -> Any:
    content_type = _text(envelope.get("content-type")) or "of an unknown kind"
    kind = formats.JSON if content_type in JSON_TYPES else content_type
    if kind not in formats.NAMES.values():
        raise _Unreadable(f"body is {content_type}: not opened")
    data = _unpacked(_bytes(envelope), headers.get("compression"))
    if kind != formats.JSON:
        return _of_other_format(kind, data)
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise _Unreadable("body is not the JSON that it says it is") from None


def _of_other_format(kind: str, data: bytes) -> Any:
    try:
        return formats.plain(formats.read(kind, data))
    except formats.Unread as error:
        raise _Unreadable(f"body is {kind}: {error}") from None


def _bytes(envelope: dict[str, Any]) -> bytes:
    body = envelope.get("body")
    if not isinstance(body, str):
        raise _Unreadable("no body")
    if len(body) > 2 * MAX_BODY_BYTES:
        raise _Unreadable(f"body of {len(body):,} bytes: too large to be shown")
    if _object(envelope.get("properties")).get("body_encoding") != "base64":
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise _Unreadable("body is not the base64 that it says it is") from None


def _unpacked(data: bytes, compression: Any) -> bytes:
    if not compression:
        return data
    openers: dict[str, Any] = {
        "application/x-gzip": lambda: zlib.decompressobj(wbits=zlib.MAX_WBITS | 32),
        "application/x-bz2": bz2.BZ2Decompressor,
        "application/x-lzma": lzma.LZMADecompressor,
    }
    if not isinstance(compression, str) or compression not in openers:
        raise _Unreadable(f"body is compressed with {compression!r}: not opened")
    try:
        opened: bytes = openers[compression]().decompress(data, MAX_BODY_BYTES + 1)
    except (zlib.error, OSError, EOFError, lzma.LZMAError):
        raise _Unreadable(f"body is not the {compression} that it says it is") from None
    if len(opened) > MAX_BODY_BYTES:
        raise _Unreadable(f"body unpacks to more than {MAX_BODY_BYTES // 2**20} MiB: not opened")
    return opened


def _arguments(body: Any, headers: dict[str, Any]) -> tuple[list[Any] | None, dict[str, Any] | None, dict[str, Any]]:
    """Arguments and headers of both protocols: in the second the body is ``[args, kwargs, embed]``."""
    if isinstance(body, list):
        parts = cast("list[Any]", body)
        if len(parts) == 3 and isinstance(parts[0], list) and isinstance(parts[1], dict):
            return cast("list[Any]", parts[0]), cast("dict[str, Any]", parts[1]), headers
    elif isinstance(body, dict) and not headers.get("task"):
        old = cast("dict[str, Any]", body)
        args, kwargs = old.get("args"), old.get("kwargs")
        told = {name: value for name, value in old.items() if name not in ("args", "kwargs")}
        if isinstance(args, list) and isinstance(kwargs, dict):
            return cast("list[Any]", args), cast("dict[str, Any]", kwargs), {**told, **headers}
    raise _Unreadable("body does not hold arguments as Celery writes them")


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _age(sent_at: Any, now: float) -> float | None:
    if isinstance(sent_at, bool) or not isinstance(sent_at, int | float) or not math.isfinite(sent_at):
        return None
    return max(0.0, now - sent_at)

"""Celery's own events as they come over pub/sub, made fit for the history. No I/O.

Any application may publish here, and anybody who reaches the broker. So nothing is run to read it (of a pickle the
opcodes are read; YAML that is no JSON and what is compressed are counted), of each event only the fields that the
history knows, each of its type and size, and secrets in the texts are masked: these events come from publishers that
mask nothing.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import orjson

from celery_nexus.history.errors import BadEvent
from celery_nexus.history.store.event_fields import Event
from celery_nexus.privacy.masking import mask_text
from celery_nexus.serializers import formats

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Largest message, which holds some dozens of events at most."""

MAX_ARGUMENTS = 64 * 1024
MAX_ERROR = 4_000
MAX_TRACEBACK = 32 * 1024
MAX_NAME = 255

_NAME, _NUMBER, _WORD = -1, -2, -3
_FIELDS = {
    **dict.fromkeys(("uuid", "type", "hostname", "name", "queue", "root_id", "parent_id", "group"), _NAME),
    **dict.fromkeys(("eta", "expires"), _NAME),
    **dict.fromkeys(("timestamp", "retries", "runtime", "done", "total", "priority"), _NUMBER),
    **dict.fromkeys(("terminated", "expired", "requeue"), _NUMBER),
    "signum": _WORD,
    **dict.fromkeys(("args", "kwargs", "result"), MAX_ARGUMENTS),
    **{"exception": MAX_ERROR, "traceback": MAX_TRACEBACK, "note": 200},
}
"""Fields of an event that are kept, with their kinds: a name, a number or flag, a word, or a text of limited length."""

_WORKER_NUMBERS = ("timestamp", "active", "processed", "freq", "pid")


def events_of(message: bytes) -> list[Event | None]:
    """Read the events of one message; None stands for each that makes no sense.

    Raises:
        BadEvent: The message can't be read at all; says why.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise BadEvent(f"a message of {len(message):,} bytes")
    envelope = _loads(message)
    if not isinstance(envelope, dict):
        raise BadEvent("no message of Celery")
    body = _body(cast("dict[str, Any]", envelope))
    events = cast("list[Any]", body) if isinstance(body, list) else [body]
    return [_clean_event(event) for event in events]


def _body(envelope: dict[str, Any]) -> Any:
    kind = envelope.get("content-type")
    headers = envelope.get("headers")
    if isinstance(headers, dict) and cast("dict[str, Any]", headers).get("compression"):
        raise BadEvent("compressed events are not read")
    body = envelope.get("body")
    if not isinstance(body, str):
        raise BadEvent("a message without a body")
    data = body.encode("utf-8", "replace")
    properties = envelope.get("properties")
    if isinstance(properties, dict) and cast("dict[str, Any]", properties).get("body_encoding") == "base64":
        try:
            data = binascii.a2b_base64(body)
        except ValueError:
            raise BadEvent("a body that is no base64") from None
    if kind == formats.JSON:
        return _loads(data)
    try:
        return formats.plain(formats.read(str(kind), data))
    except formats.Unread as unread:
        raise BadEvent(f"events in {unread}; event_serializer = 'json' would be read") from None


def _loads(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:  # NaN and lone surrogates, which Python's encoder writes and orjson refuses
        return json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise BadEvent("a message that is no JSON") from None


def _clean_event(event: Any) -> Event | None:
    if not isinstance(event, dict):
        return None
    fields = cast("dict[str, Any]", event)
    kind = fields.get("type")
    if not isinstance(kind, str) or not kind:
        return None
    if not kind.startswith("task-"):
        return _of_worker(kind, fields)
    found: Event = {}
    for name, value in fields.items():
        limit = _FIELDS.get(name)
        if limit is None or value is None:
            continue
        if limit > 0:
            found[name] = _text(value, limit)
        elif limit == _NAME:
            if type(value) is str:
                found[name] = value[: MAX_NAME + 1] if value.isascii() else _encodable(value[: MAX_NAME + 1])
        elif limit == _WORD:
            found[name] = _encodable(str(value)[:20])
        elif isinstance(value, int | float):
            found[name] = value
    return found


def _of_worker(kind: str, fields: Mapping[str, Any]) -> Event | None:
    hostname = fields.get("hostname")
    if not kind.startswith("worker-"):
        return {"type": _encodable(kind[:MAX_NAME])}  # an event of the application's own
    if not isinstance(hostname, str) or not 0 < len(hostname) <= MAX_NAME:
        return None
    numbers = {name: fields[name] for name in _WORKER_NUMBERS if isinstance(fields.get(name), int | float)}
    return {"type": kind[:MAX_NAME], "hostname": _encodable(hostname), **numbers}


def _text(value: Any, limit: int) -> str:
    if not isinstance(value, str):
        try:
            value = json.dumps(value, default=str)
        except (TypeError, ValueError, RecursionError):
            return f"‹{type(value).__name__}›"
    return _mask_short(value, limit) if len(value) <= 400 else _encodable(mask_text(value, limit))


@lru_cache(maxsize=2048)
def _mask_short(text: str, limit: int) -> str:
    """Mask a short text; the same errors, results and arguments come again and again."""
    return _encodable(mask_text(text, limit))


def _encodable(text: str) -> str:
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode()

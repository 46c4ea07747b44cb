"""Full results from the result backend: an event has only a short repr of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import orjson
import redis

from celery_nexus.connection.keys import RESULT_KEY
from celery_nexus.history.store.event_fields import Event
from celery_nexus.privacy.masking import mask

MAX_RESULT_BYTES = 64 * 1024
"""Largest result that is read; of larger ones the history keeps the event's shortened repr."""

_ENVELOPE_BYTES = 192 * 1024
"""Allowance for what the backend stores beside a result: arguments and traceback (``result_extended``)."""

_PART = 40

_HEADS = """
local heads = {}
for index, key in ipairs(KEYS) do
  local head = redis.pcall('GETRANGE', key, 0, ARGV[1])
  heads[index] = type(head) == 'string' and head or ''
end
return heads
"""
"""Script that measures many results at once: a command for each would cost the recorder five times as much."""


def complete(client: redis.Redis, events: Iterable[Event]) -> None:
    """Put the JSON of what each succeeded run returned into its event, as ``result_json``, where it is known.

    Raises:
        redis.RedisError: The broker doesn't answer.
    """
    wanted = [event for event in events if event.get("type") == "task-succeeded" and _is_worth(event)]
    for start in range(0, len(wanted), _PART):
        part = wanted[start : start + _PART]
        keys = [f"{RESULT_KEY}{event['uuid']}" for event in part]
        replies = cast("list[Any]", client.eval(_HEADS, len(keys), *keys, str(_ENVELOPE_BYTES - 1)))
        for event, data in zip(part, replies, strict=True):
            text = _result(data) if isinstance(data, bytes) and data else None
            if text is not None:
                event["result_json"] = text


def _is_worth(event: Event) -> bool:
    result = event.get("result")
    if not isinstance(event.get("uuid"), str) or "result_json" in event:
        return False
    return not (isinstance(result, str) and (result == "None" or result.isdecimal()))


def _result(data: bytes) -> str | None:
    try:
        meta: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(meta, dict) or meta.get("status") != "SUCCESS" or "result" not in meta:
        return None
    text = orjson.dumps(mask(meta["result"])).decode()
    return text if len(text) <= MAX_RESULT_BYTES else None

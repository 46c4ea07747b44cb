"""Messages of chord members: when one ends, the chord's body or error callback may be due."""

from __future__ import annotations

import json
from typing import Any, cast

from celery_nexus.delivery.content import fields_of
from celery_nexus.serializers import formats


def is_chord_part(raw: bytes) -> bool:
    """Tell whether a message's run is a part of a chord; one of a group that can't be read counts as such.

    Args:
        raw: The message as it lies in Redis.
    """
    try:
        told = json.loads(raw)
        if told["content-type"] != formats.JSON and not (told.get("headers") or {}).get("compression"):
            told = told | json.loads(formats.as_json(raw))
    except formats.Unread:
        return _is_grouped(raw)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    fields = fields_of(told)
    return bool(fields.get("chord")) or ("args" not in fields and bool(fields.get("group")))


def _is_grouped(raw: bytes) -> bool:
    headers: Any = json.loads(raw).get("headers")
    return isinstance(headers, dict) and bool(cast("dict[str, Any]", headers).get("group"))

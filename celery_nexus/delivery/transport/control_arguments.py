"""Validation of remote control commands' arguments, before a worker obeys.

Celery passes arguments on as they come. Much is obeyed later, where an error ends the worker: a queue whose name is an
object, a time limit that is a text, a pool that is to grow by a million.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from celery_nexus.delivery.validation import Malformed

MOST_CHILDREN = 256
"""Most children by which one command may grow or shrink a pool."""

MOST_SECONDS = 10 * 365 * 24 * 3600.0
MOST_CHARACTERS = 255
MOST_SAMPLES = 10_000
EXCHANGE_TYPES = ("direct", "topic", "fanout")
"""Exchange types of kombu's Redis transport."""

_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?(/[smh])?")
"""Rate limits such as ``5/m``; Celery would read ``nan`` as a number, and wait for it."""

_Check = Callable[[Any], bool]


def check(method: str, arguments: Mapping[str, Any]) -> None:
    """Check the arguments of a command; what Celery and we don't declare is left to its own handler.

    Raises:
        Malformed: One of them is of the wrong type, or not known.
    """
    known = _ARGUMENTS.get(method)
    if known is None:
        return
    for name, value in arguments.items():
        is_right = known.get(name)
        if is_right is None and method in _STRICT:
            raise Malformed(f"{method} has no argument {name[:MOST_CHARACTERS]!r}")
        if is_right is not None and not is_right(value):
            raise Malformed(f"{method}.{name} can't be {type(value).__name__} {_short(value)}")
    for name in _REQUIRED.get(method, ()):
        if name not in arguments:
            raise Malformed(f"{method} lacks its argument {name}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_name(value: Any) -> bool:
    if not isinstance(value, str) or not 0 < len(value) <= MOST_CHARACTERS or not value.isprintable():
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _is_name_or_none(value: Any) -> bool:
    return value is None or _is_name(value)


def _is_texts(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, list) and all(isinstance(i, str) for i in cast("list[Any]", value)))


def _is_ids(value: Any) -> bool:
    return isinstance(value, str | list)  # what is no id among them is left out


def _is_flag(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _is_switch(value: Any) -> bool:
    return _is_flag(value) or value in ("true", "false", "yes", "no", "on", "off", "1", "0", 0, 1)


def _is_count(most: int) -> _Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _is_count_or_none(most: int) -> _Check:
    is_count = _is_count(most)
    return lambda value: value is None or is_count(value)


def _is_seconds(value: Any) -> bool:
    if value is None:
        return True
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and 0 <= value <= MOST_SECONDS


def _is_rate(value: Any) -> bool:
    if isinstance(value, str):
        return value == "" or _RATE.fullmatch(value) is not None
    return _is_seconds(value)


def _is_signal(value: Any) -> bool:
    return _is_name_or_none(value) or _is_count(64)(value)


def _is_stamps(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(pair, str) and "=" in pair for pair in cast("list[Any]", value))
    return isinstance(value, dict) and all(_is_stamp(stamp) for stamp in cast("dict[str, Any]", value).values())


def _is_stamp(value: Any) -> bool:
    plain = (str, int, float, bool)
    return isinstance(value, plain) or (
        isinstance(value, list) and all(isinstance(stamp, plain) for stamp in cast("list[Any]", value))
    )


def _is_revoked(value: Any) -> bool:
    return isinstance(value, dict) or _is_texts(value)


def _is_exchange_type(value: Any) -> bool:
    return value is None or value in EXCHANGE_TYPES


def _is_object(value: Any) -> bool:
    return value is None or isinstance(value, dict)


_TERMINATION: dict[str, _Check] = {"terminate": _is_flag, "signal": _is_signal}
_ARGUMENTS: dict[str, dict[str, _Check]] = {
    "active": {"safe": _is_flag},
    "add_consumer": {
        "queue": _is_name,
        "exchange": _is_name_or_none,
        "exchange_type": _is_exchange_type,
        "routing_key": _is_name_or_none,
        **dict.fromkeys(("durable", "exclusive", "auto_delete", "no_ack", "no_declare"), _is_flag),
        **dict.fromkeys(("expires", "message_ttl"), _is_seconds),
        **dict.fromkeys(("max_length", "max_length_bytes", "max_priority"), _is_count_or_none(2**31)),
    },
    "autoscale": {"max": _is_count_or_none(MOST_CHILDREN), "min": _is_count_or_none(MOST_CHILDREN)},
    "cancel_consumer": {"queue": _is_name},
    "conf": {"with_defaults": _is_switch},
    "election": {"id": _is_name, "topic": _is_name, "action": _is_object},
    "hello": {"from_node": _is_name, "revoked": _is_revoked},
    "memdump": {"samples": _is_count(MOST_SAMPLES)},
    "objgraph": {"type": _is_name, "num": _is_count(MOST_SAMPLES), "max_depth": _is_count(100)},
    "pool_grow": {"n": _is_count(MOST_CHILDREN)},
    "pool_restart": {"modules": _is_texts, "reload": _is_flag, "reloader": lambda value: value is None},
    "pool_shrink": {"n": _is_count(MOST_CHILDREN)},
    "query_task": {"ids": _is_texts},
    "rate_limit": {"task_name": _is_name, "rate_limit": _is_rate},
    "registered": {"taskinfoitems": _is_texts, "builtins": _is_flag},
    "revoke": {"task_id": _is_ids, **_TERMINATION},
    "revoke_by_stamped_headers": {"headers": _is_stamps, **_TERMINATION},
    "shutdown": {"msg": _is_text},
    "terminate": {"task_id": _is_ids, "signal": _is_signal},
    "time_limit": {"task_name": _is_name, "hard": _is_seconds, "soft": _is_seconds},
}
"""Checks of the arguments of each command of Celery 5.7 that has any."""

_REQUIRED = {
    "add_consumer": ("queue",),
    "cancel_consumer": ("queue",),
    "query_task": ("ids",),
    "rate_limit": ("task_name", "rate_limit"),
    "revoke": ("task_id",),
    "revoke_by_stamped_headers": ("headers",),
    "terminate": ("task_id", "signal"),
    "time_limit": ("task_name",),
}
_STRICT = frozenset({"add_consumer"})
"""Commands whose unknown arguments are refused: kombu would get them, and a queue of it would end the worker."""

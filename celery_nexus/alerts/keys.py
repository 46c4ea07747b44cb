"""Keys of a rules file: what each takes, in words and as a check."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from celery_nexus.alerts.kinds import BY_NAME
from celery_nexus.times import read_span
from celery_nexus.user_files import VARIABLE

LONGEST_WINDOW_S = 86_400.0
LONGEST_TIMEOUT_S = 60.0


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
        words: What it takes.
        accepts: Tells whether a value is that.
        read: Makes of it what is used.
        field: The field that it fills; empty: of its own name.
        is_required: Whether a table is wrong without it.
    """

    words: str
    accepts: Callable[[object], bool]
    read: Callable[[Any], Any] = _same
    field: str = ""
    is_required: bool = False


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_bound(value: object) -> bool:
    return _is_number(value) or read_span(value) is not None


def _read_bound(value: Any) -> float:
    span = read_span(value)
    return float(value) if span is None else span


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, cast("list[object]", value)))


def _is_command(value: object) -> bool:
    return _are_texts(value) and bool(value)


def _is_table_of_texts(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_text, cast("dict[str, object]", value).values()))


def _is_web_address(value: object) -> bool:
    return isinstance(value, str) and (value.startswith(("http://", "https://")) or bool(VARIABLE.match(value)))


def _is_time_limit(value: object) -> bool:
    span = read_span(value)
    return span is not None and 0 < span <= LONGEST_TIMEOUT_S


def _is_window(value: object) -> bool:
    span = read_span(value)
    return span is not None and 60 <= span <= LONGEST_WINDOW_S


SECRET_KEYS = frozenset({"url", "smtp", "headers", "command"})
"""Keys whose values may hold a secret, and are never shown."""

_TEXTS = "a list of texts"
_TIMEOUT = Key('a span of at most a minute: "10s"', _is_time_limit)
_ENABLED = Key("true or false", lambda value: isinstance(value, bool), field="is_on")

RULE_KEYS: Mapping[str, Key] = {
    "kind": Key(f"one of {', '.join(BY_NAME)}", lambda value: value in BY_NAME),
    "above": Key('a number, or a span of time: 500, "10m"', _is_bound, _read_bound),
    "clears": Key('a number, or a span of time: 300, "5m"', _is_bound, _read_bound),
    "for": Key('a span of time: "2m"', lambda value: read_span(value) is not None, read_span, "for_s"),
    "severity": Key("warning or critical", lambda value: value in ("warning", "critical")),
    "queues": Key(f'{_TEXTS}, * for anything: ["mail_*"]', _are_texts, tuple),
    "tasks": Key(f'{_TEXTS}, * for anything: ["shop.*"]', _are_texts, tuple),
    "channels": Key(f'{_TEXTS}, names of channels: ["ops"]', _are_texts, tuple),
    "over": Key('a span of a minute to a day: "10m"', _is_window, lambda value: int(read_span(value) or 0), "over_s"),
    "least": Key("a whole number: 20", lambda value: isinstance(value, int) and _is_number(value)),
    "enabled": _ENABLED,
}
"""Keys of a rule."""

SLO_KEYS: Mapping[str, Key] = {
    "starts_within": Key('a span of time: "30s"', lambda value: bool(read_span(value)), read_span, "starts_within_s"),
    "target": Key(
        "a share above 0 and below 1: 0.99", lambda value: _is_number(value) and 0 < cast("float", value) < 1
    ),
}
"""Keys of a queue's service level."""

CHANNEL_KEYS: Mapping[str, Mapping[str, Key]] = {
    "webhook": {
        "type": Key("webhook", _is_text),
        "url": Key("an address with http:// or https://", _is_web_address, is_required=True),
        "headers": Key('a table of texts: { Authorization = "Bearer ${TOKEN}" }', _is_table_of_texts),
        "timeout": _TIMEOUT,
    },
    "mail": {
        "type": Key("mail", _is_text),
        "to": Key(f'{_TEXTS}, addresses: ["ops@example.com"]', _is_command, is_required=True),
        "from": Key("an address", _is_text),
        "smtp": Key("an address: smtp://host, smtp+starttls://user:${PASSWORD}@host, smtps://…", _is_text),
        "timeout": _TIMEOUT,
    },
    "command": {
        "type": Key("command", _is_text),
        "command": Key(
            f'{_TEXTS}, the program and its words: ["/usr/local/bin/page", "ops"]', _is_command, is_required=True
        ),
        "timeout": _TIMEOUT,
    },
    "apprise": {
        "type": Key("apprise", _is_text),
        "url": Key("an address as Apprise takes it: slack://…, tgram://…, pagerduty://…", _is_text, is_required=True),
        "timeout": _TIMEOUT,
    },
}
"""Keys of a channel, by its type."""

"""What both SDKs have in common: the HTTP layer's limits, silence in the logs, and bodies that are no stream."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, cast

import httpx2

CONNECT_TIMEOUT_S = 10
SDK_LOGGERS = ("anthropic", "openai", "httpx2", "httpcore2")


class NotAnObject(ValueError):
    """A body is JSON, but no JSON object."""


def calling(timeout_s: float) -> httpx2.Timeout:
    """Bound each wait on the network; the whole call has a clock of its own."""
    return httpx2.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))


def silence_sdks() -> None:
    """Keep the SDKs' debug lines, which print whole requests, out of every log, whatever the log level is."""
    for name in SDK_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def is_stream(headers: Mapping[str, str]) -> bool:
    """Tell a stream of events from a plain body, as gateways that don't stream send it."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "text/event-stream"


def json_object(body: bytes) -> dict[str, Any]:
    """Decode a plain body.

    Raises:
        ValueError: The body is no JSON, or cut short.
        NotAnObject: It is JSON of another kind.
    """
    decoded = json.loads(body)
    if not isinstance(decoded, dict):
        raise NotAnObject(type(decoded).__name__)
    return cast("dict[str, Any]", decoded)

"""What both SDKs have in common: the HTTP layer's limits, silence in the logs, and bodies that are no stream."""

from __future__ import annotations

import json
import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import httpx2

from workers.errors import BadAnswer

CONNECT_TIMEOUT_S = 10
SDK_LOGGERS = ("anthropic", "openai", "httpx2", "httpcore2")


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
        TypeError: It is JSON of another kind.
    """
    decoded = json.loads(body)
    if not isinstance(decoded, dict):
        raise TypeError(type(decoded).__name__)
    return cast("dict[str, Any]", decoded)


@contextmanager
def reading(title: str) -> Generator[None]:
    """Read a successful answer, which the SDKs make into objects without checking it.

    Args:
        title: Whose answer, for the error.

    Raises:
        BadAnswer: It is no message, or not JSON to its end.
    """
    try:
        yield
    except ValueError:
        raise BadAnswer(f"truncated: {title} sent JSON that is cut short or broken") from None
    except (AttributeError, TypeError, KeyError, IndexError):
        raise BadAnswer(f"malformed: {title} sent success, but no message") from None

"""HTTP layer of both SDKs: limits, silence in the logs, and bodies that are no stream.

A request carries the key, so it follows no redirect: the SDKs would send it along to wherever that leads.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import Any, cast

import httpx2

from workers.errors import BadAnswer
from workers.services.llm.keys import ADDRESS_VARIABLES, TITLES
from workers.services.llm.questions import Question, Reply

CONNECT_TIMEOUT_S = 10
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""Largest answer that is taken, as it comes over the network; the longest answers of models have some 500 kB."""

_TITLE = re.compile(r"<title[^>]*>\s*([^<]{1,80}?)\s*</title", re.I)
_BEGINNING = 2_000
SDK_LOGGERS = ("anthropic", "openai", "httpx2", "httpcore2")


def make_timeout(timeout_s: float) -> httpx2.Timeout:
    """Bound each wait on the network; the whole call has a clock of its own."""
    return httpx2.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))


def silence_sdks() -> None:
    """Keep the SDKs' debug lines, which print whole requests, out of every log, whatever the log level is."""
    for name in SDK_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def options(timeout_s: float) -> dict[str, Any]:
    """Options of both SDKs' own HTTP clients."""
    return {
        "timeout": make_timeout(timeout_s),
        "follow_redirects": False,
        "event_hooks": {"response": [_limit]},
    }


async def _limit(response: httpx2.Response) -> None:
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Limited(response.stream, response.url.host)


class _Limited(httpx2.AsyncByteStream):
    """A body that ends with an error when it is larger than any answer."""

    def __init__(self, stream: httpx2.AsyncByteStream, host: str) -> None:
        self._stream, self._host = stream, host

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._stream:
            size += len(piece)
            refuse_size(size, self._host)
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


def refuse_size(size: int, host: str) -> None:
    """Refuse an answer of so many bytes, or characters, when it is too large.

    Raises:
        BadAnswer: It is.
    """
    if size > MAX_ANSWER_BYTES:
        raise BadAnswer(f"too_large: {host} sends more than {MAX_ANSWER_BYTES // 2**20} MB, which no model writes")


async def begin(response: Any, question: Question, reply: Reply) -> bool:
    """Look at what kind of body comes with a success; tells whether it is a stream of events.

    Raises:
        BadAnswer: It is neither a stream nor JSON: a page of a proxy, a login, another server.
    """
    reply.has_begun = True
    kind = str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()
    if not kind or kind == "text/event-stream" or kind.endswith("json") or kind == "application/octet-stream":
        return kind == "text/event-stream"
    page = await read_start(response)
    raise BadAnswer(f"malformed: {describe_page(kind, page, str(response.url.host))}; {advice(question)}")


async def read_start(response: Any) -> str:
    """Read the first characters of a body."""
    text = b""
    async for piece in response.iter_bytes():
        text += piece
        if len(text) >= _BEGINNING:
            break
    return text[:_BEGINNING].decode("utf-8", "replace")


async def read_whole(response: Any) -> bytes:
    """Read a whole plain body.

    Raises:
        BadAnswer: It is too large, also when it only becomes so by being unpacked.
    """
    body = bytearray()
    async for piece in response.iter_bytes():
        body += piece
        refuse_size(len(body), str(response.url.host))
    return bytes(body)


def describe_page(kind: str, page: str, host: str) -> str:
    """Say what came instead of JSON, and from which host."""
    title = _TITLE.search(page)
    words = " ".join(title[1].split()) if title else ""
    shown = f' "{"".join(char for char in words if char.isprintable())}"' if words else ""
    return f"{host} sent {kind or 'a page'}{shown} instead of JSON"


def advice(question: Question) -> str:
    """Say what to look at when another server answers."""
    return f"check {ADDRESS_VARIABLES[question.provider]}, and what lies between here and {TITLES[question.provider]}"


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
def translate_answer_errors(title: str) -> Generator[None]:
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

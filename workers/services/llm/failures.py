"""Translation of errors of SDKs and network into the typed errors of ``workers.errors``.

An SDK's exception holds the request with the key in its headers, and does not pickle: it is read here, dropped,
and never chained to what is raised instead.

==========================================  =========================================================
408, 409, 429, 5xx (529), no connection     ``TransientError``, with ``Retry-After`` up to 15 minutes
429 for a used-up quota                     ``ProviderRefused``
400 for a prompt too long, 413              ``TooLarge``
401, 403                                    ``ProviderRefused``, naming the variable to check
other 4xx                                   ``ProviderRefused``
redirects                                   ``ProviderRefused``, naming both hosts
200 with no message, cut JSON, odd shapes   ``BadAnswer``
200 with a page, more than 16 MB            ``BadAnswer``, naming the host and what came
connection lost in the middle of an answer  ``BadAnswer``: it may have been paid
==========================================  =========================================================
"""

from __future__ import annotations

import email.utils
import math
import os
import re
import ssl
import time
from collections.abc import Iterable, Mapping
from typing import Any, cast

import anthropic
import anyio
import httpx2
import openai

from celery_nexus.task_errors import TaskError, TooLarge, TransientError
from workers.errors import BadAnswer, NotConfigured, ProviderRefused
from workers.services.llm.keys import ADDRESS_VARIABLES, KEY_VARIABLES, TITLES
from workers.services.llm.questions import Question, Reply
from workers.services.llm.wire import describe_page

MAX_RETRY_AFTER_S = 15 * 60
MAX_QUOTED = 200
"""Longest quotation of a provider's words, in characters."""

BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_MUCH, FIRST_SERVER_ERROR = 400, 401, 403, 404, 413, 500
_PASSING = frozenset({408, 409, 429})
_PASSING_TYPES = frozenset({"overloaded_error", "api_error", "rate_limit_error", "timeout_error", "server_error"})
_TOO_LONG = re.compile(
    r"too long|context.{0,3}length|context.{0,3}window|maximum context|too many (input )?tokens", re.I
)
_SECRET = re.compile(r"\b(?:sk|pk|Bearer)[-_ ][\w*.-]{6,}", re.I)
_QUOTE_WINDOW = 12
"""Characters in common with the request that count as a quotation of it."""

SDK_ERRORS = (
    anthropic.AnthropicError,
    openai.OpenAIError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
    ssl.SSLError,
    anyio.EndOfStream,
    OSError,
)


def read_failure(error: Exception, question: Question, reply: Reply) -> TaskError:
    """Turn what a call raised into the error that a run ends with.

    Args:
        error: What the SDK or the network raised.
        question: What was asked.
        reply: How far the answer came: one that has begun is being paid for, and is not asked for again.
    """
    title = TITLES[question.provider]
    if reply.has_begun and not _is_said_by_provider(error):
        written = f"after {len(reply.text):,} characters ({type(error.__cause__ or error).__name__})"
        return BadAnswer(
            f"truncated: the connection to {title} was lost in the middle of its answer, {written}; "
            "it may have been paid, so it is not asked again by itself"
        )
    if isinstance(error, anthropic.APIStatusError | openai.APIStatusError):
        return _read_response(error.response, error.body, question)
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol) or isinstance(
        error.__cause__, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError
    ):
        return NotConfigured(f"{title} has no usable address or key; check {ADDRESS_VARIABLES[question.provider]}")
    if isinstance(error, anthropic.APITimeoutError | openai.APITimeoutError | httpx2.TimeoutException):
        return _sent(TransientError(f"{title} did not answer in time"), error)
    if isinstance(error, anthropic.APIResponseValidationError | openai.APIResponseValidationError):
        return BadAnswer(f"malformed: {title} sent an answer of another form")
    if isinstance(error, openai.APIError) and error.body is not None:
        return _read_status(200, {}, error.body, question)
    cause = type(error.__cause__ or error).__name__
    lost = TransientError(f"no connection to {title} ({cause}); check {ADDRESS_VARIABLES[question.provider]}")
    return _sent(lost, error)


def _sent(lost: TransientError, error: Exception) -> TransientError:
    """Note whether a request had left when its connection was lost, so that the provider may have worked on it."""
    lost.may_be_done = not isinstance(
        error.__cause__ or error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout
    )
    return lost


def _read_response(response: httpx2.Response, body: object, question: Question) -> TaskError:
    """Read an error's response; what is no JSON comes from something between here and the provider."""
    title, status, host = TITLES[question.provider], response.status_code, response.url.host
    if 300 <= status < BAD_REQUEST:
        target = _host_of(response.headers.get("location", ""))
        return ProviderRefused(
            f"{host} redirects to {target} ({status}) instead of answering for {title}; a request with a key follows "
            f"no redirect: set {ADDRESS_VARIABLES[question.provider]} to the right address"
        )
    read = _read_status(status, response.headers, body, question)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if isinstance(body, Mapping) or not kind or kind.endswith("json"):
        return read
    page = body if isinstance(body, str) else ""
    told = f"{str(read).removeprefix(f'{read.code}: ')}; {describe_page(_word_of(kind), page, host)}"
    if isinstance(read, TransientError):
        return TransientError(told, read.retry_after_s)
    return type(read)(told)


def _word_of(kind: str) -> str:
    return kind if re.fullmatch(r"[\w.+/-]{1,60}", kind, re.ASCII) else "a page"


def _host_of(location: str) -> str:
    try:
        return httpx2.URL(location).host or "another path"
    except (httpx2.InvalidURL, TypeError):
        return "an address that is none"


def _is_said_by_provider(error: Exception) -> bool:
    """Tell an error that the provider put into its stream from one of the network."""
    if isinstance(error, openai.APIError) and error.body is not None:
        return True
    return isinstance(
        error,
        anthropic.APIStatusError
        | openai.APIStatusError
        | anthropic.APIResponseValidationError
        | openai.APIResponseValidationError,
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read ``Retry-After`` (seconds or a date), at most 15 minutes.

    None when it is missing, makes no sense, or says "at once": then the queue's own pause is kept, or all tries would
    be used up within a second.
    """
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text)
    return min(seconds, MAX_RETRY_AFTER_S) if seconds > 0 else None  # false for NaN, too


def _seconds_until(date: str) -> float:
    """Seconds until an HTTP date; NaN when it is none."""
    try:
        parsed = email.utils.parsedate_tz(date)
        return math.nan if parsed is None else email.utils.mktime_tz(parsed) - time.time()
    except (ValueError, OverflowError):  # the year 99999, the 99th of January
        return math.nan


def _read_status(status: int, headers: Mapping[str, str], body: object, question: Question) -> TaskError:
    title = TITLES[question.provider]
    kind, code, message = _error_fields(body)
    said = _quotable(message, question.private_texts)
    detail = " ".join(filter(None, (str(status), code or kind))) + (f": {said}" if said else "")
    if "insufficient_quota" in (kind, code):
        return ProviderRefused(f"{title}'s quota is used up ({detail}); check the plan of its account")
    if status in _PASSING or status >= FIRST_SERVER_ERROR or (status < BAD_REQUEST and kind in _PASSING_TYPES):
        return TransientError(f"{title} can't answer now ({detail})", retry_after_s(headers))
    if status in (UNAUTHORIZED, FORBIDDEN):
        variable = KEY_VARIABLES[question.provider]
        return ProviderRefused(f"{title} refuses the key or its rights ({detail}); check {variable}")
    if status == TOO_MUCH or code == "context_length_exceeded" or _TOO_LONG.search(message):
        return TooLarge(f"the prompt is too long for {question.model} ({status}); shorten it or split it")
    if status == NOT_FOUND:
        address = ADDRESS_VARIABLES[question.provider]
        return ProviderRefused(f"{title} knows no model {question.model!r} ({detail}); check the model and {address}")
    return ProviderRefused(f"{title} refuses the request ({detail})")


def _error_fields(body: object) -> tuple[str, str, str]:
    """Type, code and words of an error body; OpenAI's SDK hands out the inner object, Anthropic's the whole."""
    outer: Mapping[str, Any] = cast("Mapping[str, Any]", body) if isinstance(body, Mapping) else {}
    nested = outer.get("error")
    inner: Mapping[str, Any] = cast("Mapping[str, Any]", nested) if isinstance(nested, Mapping) else outer
    kind, code = (_word(inner.get(name)) for name in ("type", "code"))
    words = inner.get("message")
    return kind, code, words if isinstance(words, str) else ""


def _word(value: object) -> str:
    return value if isinstance(value, str) and re.fullmatch(r"[\w.-]{1,60}", value, re.ASCII) else ""


def _quotable(message: str, private_texts: Iterable[str]) -> str:
    """A provider's words, fit for an error: one line, no control characters, no key, nothing of the request."""
    line = " ".join("".join(c if c.isprintable() else " " for c in message[: MAX_QUOTED * 2]).split())
    for name in KEY_VARIABLES.values():
        key = os.environ.get(name, "").strip()
        line = line.replace(key, "***") if key else line
    line = _SECRET.sub("***", line)[:MAX_QUOTED]
    return "" if any(_quotes(line, text) for text in private_texts) else line


def _quotes(line: str, text: str) -> bool:
    if len(text.strip()) <= _QUOTE_WINDOW:
        return bool(text.strip()) and text.strip() in line
    windows = (line[start : start + _QUOTE_WINDOW] for start in range(max(1, len(line) - _QUOTE_WINDOW + 1)))
    return any(window in text for window in windows if len(window) == _QUOTE_WINDOW)

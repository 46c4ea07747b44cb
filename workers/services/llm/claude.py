"""Claude, through Anthropic's SDK: one streamed message."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import anthropic
from anthropic import AsyncAPIResponse, types

from workers.services.llm.keys import TITLES, claude_credentials
from workers.services.llm.questions import Question, Reply
from workers.services.llm.wire import (
    begin,
    json_object,
    make_timeout,
    options,
    read_whole,
    refuse_size,
    translate_answer_errors,
)

DEFAULT_MAX_TOKENS = 4096
"""Anthropic's API asks for a limit; this one suits every model."""


async def converse(question: Question, reply: Reply, hear: Callable[[str], None]) -> None:
    """Ask, and fill ``reply`` as the answer comes; ``hear`` gets each piece of text.

    Raises:
        NotConfigured: There is no key.
        Exception: What the SDK and the network raise; :mod:`workers.services.llm.failures` reads it.
    """
    http = anthropic.DefaultAsyncHttpxClient(**options(question.timeout_s))
    settings: dict[str, Any] = {"max_retries": 0, "timeout": make_timeout(question.timeout_s), "open_telemetry": False}
    async with (
        anthropic.AsyncAnthropic(**claude_credentials(), **settings, http_client=http) as client,
        _streaming(client, question) as response,
    ):
        with translate_answer_errors(TITLES["claude"]):
            if not await begin(response, question, reply):
                _read_message(types.Message.construct(**json_object(await read_whole(response))), reply)
                hear(reply.text)
                return
            async for event in await response.parse():
                _read_event(event, reply, hear)


def _streaming(
    client: anthropic.AsyncAnthropic, question: Question
) -> AbstractAsyncContextManager[AsyncAPIResponse[anthropic.AsyncStream[types.RawMessageStreamEvent]]]:
    # Keyword arguments out of a dict choose no overload: the result's type is said here.
    return cast("Any", client.messages.with_streaming_response.create)(**_parameters(question))


def _parameters(question: Question) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "model": question.model,
        "messages": [{"role": turn["role"], "content": turn["content"]} for turn in question.turns],
        "max_tokens": question.max_tokens or DEFAULT_MAX_TOKENS,
        "stream": True,
    }
    if question.system:
        parameters["system"] = question.system
    if question.temperature is not None:
        # The SDK has no such argument any more: newer models refuse it, older ones know it.
        parameters["extra_body"] = {"temperature": question.temperature}
    if question.idempotency_key:
        parameters["extra_headers"] = {"Idempotency-Key": question.idempotency_key}
    return parameters


def _read_event(event: types.RawMessageStreamEvent, reply: Reply, hear: Callable[[str], None]) -> None:
    if event.type == "message_start":
        reply.is_message = True
        reply.model = event.message.model
        _read_usage(event.message.usage, reply)
    elif event.type == "content_block_start" and event.content_block.type == "text":
        _add(event.content_block.text, reply, hear)
    elif event.type == "content_block_delta" and event.delta.type == "text_delta":
        _add(event.delta.text, reply, hear)
    elif event.type == "message_delta":
        _stop(event.delta.stop_reason, reply)
        _read_usage(event.usage, reply)
    elif event.type == "message_stop":
        reply.is_complete = True


def _read_message(message: types.Message, reply: Reply) -> None:
    blocks: Any = getattr(message, "content", None)
    if not isinstance(blocks, list):
        return
    reply.is_message = reply.is_complete = True
    reply.model = message.model
    reply.text = "".join(block.text for block in message.content if block.type == "text")
    _stop(message.stop_reason, reply)
    _read_usage(message.usage, reply)


def _add(text: str, reply: Reply, hear: Callable[[str], None]) -> None:
    if text:
        reply.text += text
        refuse_size(len(reply.text), TITLES["claude"])
        hear(text)


def _stop(reason: str | None, reply: Reply) -> None:
    reply.stop_reason = reason or reply.stop_reason
    reply.refused = reply.stop_reason == "refusal"


def _read_usage(usage: types.Usage | types.MessageDeltaUsage | None, reply: Reply) -> None:
    if usage is None:
        return
    if usage.input_tokens is not None:
        cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
        reply.input_tokens = usage.input_tokens + cached
    if usage.output_tokens is not None:  # pyright: ignore[reportUnnecessaryComparison]  (unchecked by the SDK)
        reply.output_tokens = usage.output_tokens

"""GPT, and whatever else speaks OpenAI's Chat Completions, through OpenAI's SDK: one streamed completion."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import openai
from openai._response import AsyncAPIResponse
from openai._streaming import ServerSentEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.completion_usage import CompletionUsage

from workers.services.llm.keys import TITLES, openai_credentials
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

END = "[DONE]"


class _Chunks(openai.AsyncStream[ChatCompletionChunk]):
    """The SDK's stream, which keeps for itself whether the end marker came: without it, an answer may be cut short."""

    has_ended = False

    async def _iter_events(self) -> AsyncIterator[ServerSentEvent]:
        async for event in super()._iter_events():
            self.has_ended = self.has_ended or event.data.startswith(END)
            yield event


async def converse(question: Question, reply: Reply, hear: Callable[[str], None]) -> None:
    """Ask, and fill ``reply`` as the answer comes; ``hear`` gets each piece of text.

    Raises:
        NotConfigured: There is no key.
        Exception: What the SDK and the network raise; :mod:`workers.services.llm.failures` reads it.
    """
    timeout = make_timeout(question.timeout_s)
    http = openai.DefaultAsyncHttpxClient(**options(question.timeout_s))
    async with (
        openai.AsyncOpenAI(**openai_credentials(), max_retries=0, timeout=timeout, http_client=http) as client,
        _streaming(client, question) as response,
    ):
        with translate_answer_errors(TITLES["openai"]):
            if not await begin(response, question, reply):
                _read_completion(ChatCompletion.construct(**json_object(await read_whole(response))), reply)
                hear(reply.text)
                return
            chunks = await response.parse(to=_Chunks)
            async for chunk in chunks:
                _read_chunk(chunk, reply, hear)
            reply.is_complete = reply.is_complete or chunks.has_ended


def _streaming(
    client: openai.AsyncOpenAI, question: Question
) -> AbstractAsyncContextManager[AsyncAPIResponse[openai.AsyncStream[ChatCompletionChunk]]]:
    # Keyword arguments out of a dict choose no overload: the result's type is said here.
    return cast("Any", client.chat.completions.with_streaming_response.create)(**_parameters(question))


def _parameters(question: Question) -> dict[str, Any]:
    system = [{"role": "system", "content": question.system}] if question.system else []
    parameters: dict[str, Any] = {
        "model": question.model,
        "messages": [*system, *({"role": turn["role"], "content": turn["content"]} for turn in question.turns)],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if question.max_tokens is not None:
        parameters["max_completion_tokens"] = question.max_tokens
    if question.temperature is not None:
        parameters["temperature"] = question.temperature
    if question.idempotency_key:
        parameters["extra_headers"] = {"Idempotency-Key": question.idempotency_key}
    return parameters


def _read_chunk(chunk: ChatCompletionChunk, reply: Reply, hear: Callable[[str], None]) -> None:
    reply.model = chunk.model or reply.model
    _read_usage(chunk.usage, reply)
    for choice in chunk.choices[:1]:
        reply.is_message = True
        said = choice.delta.content or choice.delta.refusal or ""
        if choice.delta.refusal:
            reply.refused = True
        if said:
            reply.text += said
            refuse_size(len(reply.text), TITLES["openai"])
            hear(said)
        _stop(choice.finish_reason, reply)


def _read_completion(completion: ChatCompletion, reply: Reply) -> None:
    choices: Any = getattr(completion, "choices", None)
    if not isinstance(choices, list) or not choices:
        return
    choice = completion.choices[0]
    reply.is_message = reply.is_complete = True
    reply.model = completion.model
    reply.text = choice.message.content or choice.message.refusal or ""
    reply.refused = bool(choice.message.refusal)
    _stop(choice.finish_reason, reply)
    _read_usage(completion.usage, reply)


def _stop(reason: str | None, reply: Reply) -> None:
    if reason:
        reply.stop_reason = reason
        reply.is_complete = True
        reply.refused = reply.refused or reason == "content_filter"


def _read_usage(usage: CompletionUsage | None, reply: Reply) -> None:
    if usage is not None:
        reply.input_tokens = usage.prompt_tokens
        reply.output_tokens = usage.completion_tokens

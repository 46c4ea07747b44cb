"""One question to a provider, and its outcome: an answer or a typed error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from celery_nexus.task_errors import TaskError, TransientError
from workers.errors import BadAnswer, TimedOut
from workers.services.llm.choices import Provider
from workers.services.llm.keys import TITLES
from workers.services.llm.questions import CUT_OFF, REFUSED, Answer, Question, Reply, Usage
from workers.services.progress import Progress, ignore_progress

Converse = Callable[[Question, Reply, Callable[[str], None]], Awaitable[None]]

_CUT_OFF_REASONS = frozenset({"max_tokens", "length", "model_context_window_exceeded"})


def ask(question: Question, progress: Progress = ignore_progress) -> Answer:
    """Ask and wait for the whole answer; progress counts its characters.

    Raises:
        NotConfigured: There is no key.
        TransientError: It can pass by itself: no connection, overload, a rate limit, no answer in time.
        TimedOut: An answer came, but was not done when ``timeout_s`` ended.
        ProviderRefused: The key, the model or the request is refused.
        TooLarge: The prompt is too long for the model.
        BadAnswer: Success, but no usable message: ``empty``, ``malformed`` or ``truncated``. It is not asked for
            again by itself, for it may have been paid.
    """
    return asyncio.run(ask_async(question, progress))


async def ask_async(question: Question, progress: Progress = ignore_progress) -> Answer:
    """Ask, beside other questions in the same event loop; see :func:`ask`."""
    # The first call of a process loads an SDK, which takes seconds: that is not the provider's time.
    converse = _load(question.provider)
    started, reply = time.monotonic(), Reply()
    failure = await _converse(converse, question, reply, progress)
    if failure is not None:
        raise failure
    latency_s = round(time.monotonic() - started, 3)
    return _judge(question, reply, latency_s)


def _load(provider: Provider) -> Converse:
    from workers.services.llm.wire import silence_sdks

    if provider == "claude":
        from workers.services.llm.claude import converse
    else:
        from workers.services.llm.gpt import converse
    silence_sdks()
    return converse


async def _converse(converse: Converse, question: Question, reply: Reply, progress: Progress) -> TaskError | None:
    """Talk to the provider; what went wrong is returned, so that no SDK exception hangs on what is raised."""
    from workers.services.llm import failures

    def hear(_piece: str) -> None:
        progress(len(reply.text), None, f"{len(reply.text):,} characters so far")

    clock = asyncio.timeout(question.timeout_s)
    try:
        async with clock:
            await converse(question, reply, hear)
    except TaskError as error:
        error.__context__ = None
        return error
    except failures.SDK_ERRORS as error:
        # TimeoutError is an OSError: ours when the clock ran out, else the network's.
        return _out_of_time(question, reply) if clock.expired() else failures.read_failure(error, question, reply)
    return None


def _out_of_time(question: Question, reply: Reply) -> TaskError:
    title, limit = TITLES[question.provider], f"{question.timeout_s:g} s"
    if not reply.has_begun:
        lost = TransientError(f"{title} did not answer within {limit}")
        lost.may_be_done = True
        return lost
    # What has begun to come is being paid for, and would take as long again.
    written = f"{len(reply.text):,} characters"
    return TimedOut(f"{title}'s answer was not done after {limit} ({written}); raise timeout_s or lower max_tokens")


def _judge(question: Question, reply: Reply, latency_s: float) -> Answer:
    title = TITLES[question.provider]
    cut_off = reply.stop_reason in _CUT_OFF_REASONS
    if not reply.is_message:
        raise BadAnswer(f"malformed: {title} sent success, but no message")
    if not reply.is_complete:
        raise BadAnswer(f"truncated: {title}'s answer ends in the middle, after {len(reply.text):,} characters")
    if not reply.text.strip() and not reply.refused:
        advice = "; raise max_tokens" if cut_off else ""
        raise BadAnswer(f"empty: {title} sent no text (stop reason: {reply.stop_reason or 'none'}){advice}")
    warnings = [*([REFUSED] if reply.refused else []), *([CUT_OFF] if cut_off else [])]
    usage = Usage(reply.input_tokens, reply.output_tokens)
    model = reply.model or question.model
    return Answer(reply.text, question.provider, model, reply.stop_reason, usage, latency_s, tuple(warnings))

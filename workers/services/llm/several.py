"""Ask several questions of one task, some at a time, paying for each only once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from celery_nexus.task_errors import OutcomeUnknown, TaskError, TransientError
from workers.errors import BadAnswer, TimedOut
from workers.services.llm.asking import ask_async
from workers.services.llm.kept import Kept
from workers.services.llm.questions import Answer, Question
from workers.services.progress import Progress, ignore_progress

PARALLEL = 4
"""Questions under way at once."""

MOST_PAID = 2
"""Most times that a question is asked whose connection is lost after it was sent: each time it may be paid."""

LAST_CALL_S = 30
"""Longest duration of a call that is begun at the last moment."""


def ask_once(question: Question, kept: Kept, progress: Progress = ignore_progress) -> Answer:
    """Ask, unless an earlier run of the same task has the answer.

    A run that was killed while it asked leaves a claim: whether the provider was paid is unknown then.

    Args:
        question: What to ask.
        kept: Answers and claims of earlier runs of the same task.
        progress: Counts the characters of the answer.

    Raises:
        OutcomeUnknown: It was asked before and may have been paid; it is not asked again by itself.
        TaskError: As :func:`~workers.services.llm.asking.ask`.
    """
    return asyncio.run(_ask_once(question, kept, progress))


def ask_all(
    questions: Sequence[Question], kept: Kept, progress: Progress = ignore_progress, *, ends_at: float
) -> list[Answer]:
    """Ask all questions and return their answers in order.

    The first failure ends the rest: what is under way is waited for and kept, and the failure is raised.

    Args:
        questions: What to ask.
        kept: Answers of earlier runs; new ones are added as they come.
        progress: Told how many of the questions are answered.
        ends_at: Monotonic time after which nothing new is begun; what is under way gets ``LAST_CALL_S`` more.

    Raises:
        OutcomeUnknown: As :func:`ask_once`.
        TransientError: The time was not enough (a retry goes on with what is left), or as ``ask``.
        TaskError: As ``ask``.
    """
    return asyncio.run(_ask_all(questions, kept, progress, ends_at))


def shorten_clock(question: Question, ends_at: float) -> Question:
    """Shorten a question's clock to what is left of a run."""
    left_s = ends_at - time.monotonic() + LAST_CALL_S
    return replace(question, timeout_s=min(question.timeout_s, max(left_s, 1)))


async def _ask_all(questions: Sequence[Question], kept: Kept, progress: Progress, ends_at: float) -> list[Answer]:
    places, failures = asyncio.Semaphore(PARALLEL), list[TaskError]()
    same = {question.digest: asyncio.Lock() for question in questions}  # the same part twice is asked once
    answers: dict[int, Answer] = {}

    async def ask_one(index: int, question: Question) -> None:
        async with same[question.digest], places:
            if failures:
                return
            try:
                answers[index] = await _ask_once(question, kept, ignore_progress, ends_at)
            except TaskError as error:
                failures.append(error)
                return
            progress(len(answers), len(questions), f"{len(answers)} of {len(questions)} parts answered")

    await asyncio.gather(*(ask_one(index, question) for index, question in enumerate(questions)))
    if failures:
        raise failures[0]
    return [answers[index] for index in range(len(questions))]


async def _ask_once(question: Question, kept: Kept, progress: Progress, ends_at: float | None = None) -> Answer:
    known = kept.get(question.digest)
    if known is not None:
        return Answer.from_dict(known)
    if ends_at is not None and time.monotonic() > ends_at:
        raise TransientError("the time of one run is used up; the next run goes on with what is left", 1)
    if not kept.claim(question.digest) and kept.after_kill == "report":
        raise OutcomeUnknown(
            "the worker was killed while the model was asked; perhaps it was paid; it is not asked again by itself "
            "(after_kill says so)"
        )
    clocked = question if ends_at is None else shorten_clock(question, ends_at)
    answer = await _paid_once(replace(clocked, idempotency_key=_key(question, kept)), kept, progress)
    kept.put(question.digest, answer.as_dict())
    return answer


async def _paid_once(question: Question, kept: Kept, progress: Progress) -> Answer:
    """Ask; a failure that costs nothing takes the claim back, and one that may have been paid is asked once more."""
    try:
        return await ask_async(question, progress)
    except TransientError as error:
        if error.may_be_done:
            _refuse_third(question, kept, error)
        kept.release(question.digest)
        raise
    except (BadAnswer, TimedOut):
        raise
    except TaskError:
        kept.release(question.digest)
        raise


def _refuse_third(question: Question, kept: Kept, error: TransientError) -> None:
    name = f"lost:{question.digest}"
    times = (kept.get(name) or {}).get("times", 0) + 1
    kept.put(name, {"times": times})
    if times >= MOST_PAID:
        told = str(error).removeprefix(f"{error.code}: ")
        raise OutcomeUnknown(f"{told}; asked {times} times, each may have been paid; it is not asked again by itself")


def _key(question: Question, kept: Kept) -> str | None:
    return f"{kept.task_id}-{question.digest[:12]}" if kept.task_id else question.idempotency_key

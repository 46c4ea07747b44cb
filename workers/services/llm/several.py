"""Ask several questions of one task, some at a time, paying for each only once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from workers.errors import TaskError, TransientError
from workers.services.llm.asking import ask, ask_async
from workers.services.llm.kept import Kept
from workers.services.llm.questions import Answer, Question
from workers.services.progress import Progress, no_progress

PARALLEL = 4
"""Questions under way at once."""

LAST_CALL_S = 30
"""What a call that is begun at the last moment may still take."""


def ask_once(question: Question, kept: Kept, progress: Progress = no_progress) -> Answer:
    """Ask, unless an earlier run of the same task has the answer; see :func:`~workers.services.llm.asking.ask`."""
    known = kept.get(question.digest)
    if known is not None:
        return Answer.from_dict(known)
    answer = ask(question, progress)
    kept.put(question.digest, answer.as_dict())
    return answer


def ask_all(
    questions: Sequence[Question], kept: Kept, progress: Progress = no_progress, *, ends_at: float
) -> list[Answer]:
    """Ask all questions and return their answers in order.

    The first failure ends the rest: what is under way is waited for and kept, and the failure is raised.

    Args:
        questions: What to ask.
        kept: Answers of earlier runs; new ones are added as they come.
        progress: Told how many of the questions are answered.
        ends_at: Monotonic time after which nothing new is begun; what is under way gets ``LAST_CALL_S`` more.

    Raises:
        TransientError: The time was not enough (a retry goes on with what is left), or as ``ask``.
        TaskError: As ``ask``.
    """
    return asyncio.run(_ask_all(questions, kept, progress, ends_at))


def in_time(question: Question, ends_at: float) -> Question:
    """Shorten a question's clock to what is left of a run."""
    left_s = ends_at - time.monotonic() + LAST_CALL_S
    return replace(question, timeout_s=min(question.timeout_s, max(left_s, 1)))


async def _ask_all(questions: Sequence[Question], kept: Kept, progress: Progress, ends_at: float) -> list[Answer]:
    places, failures = asyncio.Semaphore(PARALLEL), list[TaskError]()
    answers: dict[int, Answer] = {}

    async def one(index: int, question: Question) -> None:
        async with places:
            if failures:
                return
            try:
                answers[index] = await _ask_once(question, kept, ends_at)
            except TaskError as error:
                failures.append(error)
                return
            progress(len(answers), len(questions), f"{len(answers)} of {len(questions)} parts answered")

    await asyncio.gather(*(one(index, question) for index, question in enumerate(questions)))
    if failures:
        raise failures[0]
    return [answers[index] for index in range(len(questions))]


async def _ask_once(question: Question, kept: Kept, ends_at: float) -> Answer:
    known = kept.get(question.digest)
    if known is not None:
        return Answer.from_dict(known)
    if time.monotonic() > ends_at:
        raise TransientError("the time of one run is used up; the next run goes on with what is left", 1)
    answer = await ask_async(in_time(question, ends_at))
    kept.put(question.digest, answer.as_dict())
    return answer

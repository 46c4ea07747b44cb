"""Many requests in one task: each has its own outcome, and none is paid for twice.

A request is marked before it is sent, and its answer is kept before the next one is taken from the list. When the
worker is killed between the two, nobody knows whether the provider has answered and billed: that request's outcome is
``unknown`` in the next run, unless the caller prefers to ask again.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from celery_nexus.task_errors import TaskError, TransientError
from workers.services.llm.asking import ask_async
from workers.services.llm.choices import AfterKill
from workers.services.llm.kept import Kept
from workers.services.llm.questions import Question, Usage
from workers.services.llm.several import MOST_PAID, shorten_clock
from workers.services.progress import Progress, ignore_progress

MAX_TRIES = 4
"""Most attempts of a request whose failure can pass by itself, and costs nothing."""


@dataclass(frozen=True)
class Item:
    """One request of a batch: a question, or why it can't be asked."""

    index: int
    id: str | None
    question: Question | TaskError

    @property
    def name(self) -> str:
        """What its outcome is kept under: changing the request changes the name."""
        digest = self.question.digest if isinstance(self.question, Question) else "refused"
        return f"{self.index}:{digest}"


@dataclass(frozen=True)
class BatchRun:
    """What one run of a batch came to.

    Attributes:
        result: The public result; None while requests are left.
        left: How many requests are to be asked in a further run.
        wait_s: How long to wait before it; None for the family's policy.
        advanced: Whether this run settled any request.
    """

    result: dict[str, Any] | None
    left: int
    wait_s: float | None
    advanced: bool


def run_batch(
    items: Sequence[Item],
    kept: Kept,
    task_id: str,
    progress: Progress = ignore_progress,
    *,
    after_kill: AfterKill = "report",
    parallel: int = 4,
    budget_s: float = 480,
) -> BatchRun:
    """Ask what earlier runs of the same task left open.

    A failure that can pass by itself ends the run (the other requests would meet it too) and leaves its request for
    the next one, at most four times, or twice when it may have been paid; any other failure is that request's outcome.

    Args:
        items: All requests, in order.
        kept: Outcomes of earlier runs; new ones are added as they come.
        task_id: Part of each request's ``Idempotency-Key``.
        progress: Told how many requests are settled.
        after_kill: What becomes of a request that was under way when the worker was killed.
        parallel: Requests under way at once.
        budget_s: After so many seconds no request is begun.

    Raises:
        TransientError: Outcomes can't be kept.
    """
    run = _Run(items, kept, task_id, progress, after_kill, time.monotonic() + budget_s)
    return asyncio.run(run.work(parallel))


class _Run:
    def __init__(
        self,
        items: Sequence[Item],
        kept: Kept,
        task_id: str,
        progress: Progress,
        after_kill: AfterKill,
        ends_at: float,
    ) -> None:
        self._items, self._kept, self._task_id = items, kept, task_id
        self._progress, self._after_kill, self._ends_at = progress, after_kill, ends_at
        self._outcomes: dict[int, dict[str, Any]] = {}
        self._setback: TransientError | None = None

    async def work(self, parallel: int) -> BatchRun:
        """Settle what can be settled in this run."""
        self._recall()
        known = len(self._outcomes)
        waiting = iter([item for item in self._items if item.index not in self._outcomes])

        async def worker() -> None:
            for item in waiting:
                await self._settle(item)
                if self._setback is not None or time.monotonic() > self._ends_at:
                    return

        # Told first, so that a batch that goes on shows where it is.
        self._progress(known, len(self._items), f"{known} of {len(self._items)} requests settled")
        ended = await asyncio.gather(*(worker() for _ in range(parallel)), return_exceptions=True)
        for problem in filter(None, ended):
            raise problem
        left = len(self._items) - len(self._outcomes)
        wait_s = self._setback.retry_after_s if self._setback else 0
        result = None if left else self._result()
        return BatchRun(result, left, wait_s, advanced=len(self._outcomes) > known)

    def _recall(self) -> None:
        for item in self._items:
            stored = self._kept.get(item.name)
            if stored is not None and "status" in stored:
                self._outcomes[item.index] = stored

    async def _settle(self, item: Item) -> None:
        if isinstance(item.question, TaskError):
            self._note(item, _failed(item.question))
        elif not self._kept.claim(item.name) and self._after_kill == "report":
            self._note(item, _UNKNOWN)
        else:
            await self._ask(item, item.question)

    async def _ask(self, item: Item, question: Question) -> None:
        tries = (self._kept.get(item.name) or {}).get("tries", 0) + 1
        try:
            answer = await ask_async(
                shorten_clock(replace(question, idempotency_key=f"{self._task_id}-{item.index}"), self._ends_at)
            )
        except TransientError as error:
            self._setback = error
            if tries < (MOST_PAID if error.may_be_done else MAX_TRIES):
                self._kept.put(item.name, {"tries": tries})
                self._kept.release(item.name)
            else:
                self._note(item, _failed(error))
        except TaskError as error:
            self._note(item, _failed(error))
        else:
            self._note(item, {"status": "succeeded", **answer.as_dict()})

    def _note(self, item: Item, outcome: dict[str, Any]) -> None:
        outcome = {"index": item.index, "id": item.id, **outcome}
        self._kept.put(item.name, outcome)
        self._outcomes[item.index] = outcome
        done, total = len(self._outcomes), len(self._items)
        self._progress(done, total, f"{done} of {total} requests settled")

    def _result(self) -> dict[str, Any]:
        results = [self._outcomes[item.index] for item in self._items]
        counts = Counter(outcome["status"] for outcome in results)
        usages = [outcome["usage"] for outcome in results if outcome["status"] == "succeeded"]
        usage = sum((Usage(used["input_tokens"], used["output_tokens"]) for used in usages), Usage())
        stats = {"total": len(results), **{name: counts[name] for name in ("succeeded", "failed", "unknown")}}
        return {"results": results, "stats": stats, "usage": usage.as_dict()}


_UNKNOWN = {
    "status": "unknown",
    "error": {
        "code": "unknown",
        "message": "the worker was killed while this request was under way; perhaps it was paid; it was not sent again",
    },
}


def _failed(error: TaskError) -> dict[str, Any]:
    return {"status": "failed", "error": {"code": error.code, "message": str(error)}}

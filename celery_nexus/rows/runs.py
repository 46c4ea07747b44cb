"""Rows of runs: their life and their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

STATES = ("PENDING", "RECEIVED", "STARTED", "RETRY", "REJECTED", "SUCCESS", "FAILURE", "REVOKED")
"""Celery's states (REJECTED: handed back unacknowledged); the history numbers them so: a new one comes last."""

FINAL_STATES = frozenset({"SUCCESS", "FAILURE", "REVOKED"})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: ``done`` of ``total`` (None: unknown), and what it does now."""

    done: int
    total: int | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a task.

    Attributes:
        id: Celery's id.
        task: Task name, or None when no event told it.
        state: PENDING RECEIVED STARTED SUCCESS FAILURE RETRY REVOKED (or REJECTED).
        queue: Queue it was published to.
        priority: 0 first … 9 last.
        worker: Node name of the worker that took it.
        sent_at: When it was published (aware, UTC), as are the other times.
        waited_s: Seconds from sent to started (until now while it waits).
        ran_s: Seconds from started to its end (until now while it runs).
        retries: How often it was tried again.
        args: Positional arguments, a JSON list, or a repr where only that is known.
        kwargs: Keyword arguments, a JSON object, or a repr where only that is known.
        result: What it returned, or a repr where only that is known.
        error: ``Type: message`` of its exception.
        traceback: Full traceback.
        progress: Last progress it told.
        root_id: First run of its workflow.
        parent_id: Run that published it.
        group_id: Group or chord that it is part of.
        verdict: What is concluded when events ended before the run did: ``lost?`` and why.
        place: File and function that raised its error.
    """

    id: str
    task: str | None
    state: str
    queue: str | None = None
    priority: int | None = None
    worker: str | None = None
    sent_at: datetime | None = None
    received_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    waited_s: float | None = None
    ran_s: float | None = None
    retries: int = 0
    args: Any = None
    kwargs: Any = None
    result: Any = None
    error: str | None = None
    traceback: str | None = None
    progress: Progress | None = None
    root_id: str | None = None
    parent_id: str | None = None
    group_id: str | None = None
    verdict: str | None = None
    place: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINAL_STATES


@dataclass(frozen=True, slots=True)
class LifeEvent:
    """One transition in a run's life.

    Attributes:
        at: When (aware, UTC).
        event: ``sent``, ``received``, ``started``, ``retried``, ``succeeded``, ``failed``, ``revoked`` …
        detail: Queue, worker, reason or exception; may be empty.
    """

    at: datetime
    event: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some runs that match a filter, newest first.

    Attributes:
        runs: The page.
        total: How many match; at least so many where ``looked_to`` is set.
        looked_to: Time ran out: only runs since then were looked at. None: all were.
        is_at_least: Time ran out when they were counted: there are at least ``total``.
    """

    runs: tuple[Run, ...]
    total: int
    looked_to: datetime | None = None
    is_at_least: bool = False

    @property
    def total_words(self) -> str:
        """The number that match: ``1,204``, ``≥ 1,204``."""
        return f"{'≥ ' if self.is_at_least or self.looked_to else ''}{self.total:,}"

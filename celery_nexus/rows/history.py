"""Rows of the history's answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from celery_nexus.rows.runs import Run

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some runs that match a filter.

    Attributes:
        runs: Newest first.
        next: Where the next page begins, or goes on looking; None: there are no more.
        is_complete: False when time ran out: there may be more runs here, from ``looked_to`` back.
        looked_to: All matching runs since then, seconds since the epoch, are in this page or one before.
    """

    runs: tuple[Run, ...]
    next: int | None
    is_complete: bool
    looked_to: float


@dataclass(frozen=True, slots=True)
class Changes(Generic[Row]):
    """Runs that changed, in the order of their last change, each once.

    Attributes:
        runs: As they are now; only those that match the filter.
        number: Where to go on reading.
        missed: Changes that were forgotten before they were read.
    """

    runs: tuple[Row, ...]
    number: int
    missed: int = 0


@dataclass(frozen=True, slots=True)
class RunCount:
    """How many runs match a filter; at least so many when not all were looked at."""

    count: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Failures of one type at one place.

    Attributes:
        type: Class of the exception.
        place: File and function that raised it; empty when unknown.
        count: How many runs ended so.
        message: Of the latest: ``Type: message``.
        tasks: Names of the tasks, the most frequent first.
        latest_id: Id of the latest such run.
        per_slice: Counts over the time asked for, in equal slices, oldest first.
        new_since: Label of the mark after which it was first seen in the time asked for; empty when it was before, too.
    """

    type: str
    place: str
    count: int
    first_at: float
    last_at: float
    message: str
    tasks: tuple[str, ...]
    latest_id: str
    per_slice: tuple[int, ...] = ()
    new_since: str = ""


@dataclass(frozen=True, slots=True)
class TaskStats:
    """What became of the runs of one task (and queue) over some time.

    Attributes:
        count: Runs that ended: ``succeeded + failed + revoked``.
        failure_rate: Failed of those that succeeded or failed, 0 … 1; None when none did.
        retried: Retries, not runs.
        ran_s: p50, p95, p99 in seconds within 2 %, or None when nothing ran.
        waited_s: p50, p95, p99 of the time from sent to started.
    """

    task: str
    queue: str
    count: int
    sent: int
    succeeded: int
    failed: int
    revoked: int
    retried: int
    failure_rate: float | None
    ran_s: tuple[float, float, float] | None
    waited_s: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Slice:
    """What happened in one slice of time.

    Attributes:
        at: Its start.
        sent: Runs published.
        succeeded: Runs that succeeded, and so on.
    """

    at: float
    sent: int
    succeeded: int
    failed: int
    revoked: int
    retried: int


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """How many runs ended in one slice of time, and how long they waited and ran.

    Attributes:
        at: Its start.
        ended: Runs that succeeded or failed.
        failed: Those that failed.
        waited_s: Median and 95th percentile of the seconds that runs waited; None when none started.
        ran_s: The same of the seconds that they ran; None when none ended.
    """

    at: float
    ended: int
    failed: int
    waited_s: tuple[float, float] | None
    ran_s: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class QueueWaits:
    """How long the runs of one queue waited, over equal slices of time.

    Attributes:
        queue: Its name; empty when nobody told it.
        p95_s: 95th percentile of each slice in seconds, oldest first; None where no run ended.
    """

    queue: str
    p95_s: tuple[float | None, ...]

    @property
    def worst_s(self) -> float:
        """The greatest of them."""
        return max((value for value in self.p95_s if value is not None), default=0.0)


@dataclass(frozen=True, slots=True)
class Share:
    """Runs whose duration lies between two bounds.

    Attributes:
        least_s: Lower bound in seconds.
        most_s: Upper bound, which is not reached; None: there is none.
        count: How many.
    """

    least_s: float
    most_s: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A part of the stream that was never recorded.

    Attributes:
        at: When it was noticed.
        missed: How many events; None when unknown.
        reason: Why.
    """

    at: float
    missed: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class RunTotals:
    """What became of the runs of one task on one queue over some time.

    Attributes:
        state: Celery's word: ``SENT``, ``RETRY``, ``REJECTED``, ``SUCCESS``, ``FAILURE`` or ``REVOKED``.
        count: How often.
        waited: Seconds from sent (or due) to started, within one per cent, and how often; of ended runs alone.
        ran: Seconds from started to the end, the same.
    """

    task: str
    queue: str
    state: str
    count: int
    waited: tuple[tuple[float, int], ...] = ()
    ran: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Recent:
    """What runs, what ended last, what failed last; newest first.

    Attributes:
        version: The history's version that it was read at.
        latest: The newest runs of any state.
        running: Runs that have started and not ended.
        failures: The newest failed runs.
        running_total: How many run, in words: ``2,000``, ``≥ 2,000``.
        failures_total: How many failed of all that are kept, in words.
        hour: What became of the runs of the last hour; None when nothing did.
    """

    version: int
    latest: tuple[Run, ...] = ()
    running: tuple[Run, ...] = ()
    failures: tuple[Run, ...] = ()
    running_total: str = ""
    failures_total: str = ""
    hour: TaskStats | None = None

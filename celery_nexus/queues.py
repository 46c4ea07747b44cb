"""Declaration of queues: retry policy, limits, alert thresholds, and the names of their Redis lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

PRIORITIES = range(10)
"""0 is first, 9 is last."""

DEFAULT_PRIORITY = 5

STOCK_STEPS = (0, 3, 6, 9)
"""Priorities that have a list of their own in an application that says nothing of them (kombu's default)."""

PRIORITY_SEPARATOR = "\x06\x16"
"""Between a queue's name and its priority in the key of a Redis list; priority 0 has the bare name.

It is kombu's own, so that a client that knows the broker's address alone finds our queues.
"""

FORMER_SEPARATOR = ":"
"""Separator of earlier versions; ``celery_nexus/delivery/upgrade/signals.py`` takes over what they left."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and when a task runs again after an error that can pass by itself.

    Attributes:
        max_retries: Further tries after the first.
        delay_s: Seconds before the first retry.
        exponential: Whether the delay doubles each time, with jitter.
        max_delay_s: Longest delay in seconds.
    """

    max_retries: int = 0
    delay_s: int = 0
    exponential: bool = False
    max_delay_s: int = 900


@dataclass(frozen=True)
class AlertThresholds:
    """When a queue is in trouble: messages waiting, and age of the oldest in seconds."""

    waiting: int
    oldest_s: int


@dataclass(frozen=True)
class QueueSlo:
    """Service level of a queue: which share of its runs is to start within how long after it was sent, or was due.

    Attributes:
        starts_within_s: Seconds.
        target: The share, above 0 and below 1.
    """

    starts_within_s: float
    target: float = 0.99

    def __post_init__(self) -> None:
        if not self.starts_within_s > 0 or not 0 < self.target < 1:
            raise ValueError(f"{self}: starts_within_s must be above 0, target above 0 and below 1, as 0.99")


@dataclass(frozen=True)
class QueueSpec:
    """One queue, its worker and its tasks.

    Attributes:
        family: Short name of the task family; also the worker's node name and Supervisor program.
        name: The queue's name on the broker.
        purpose: What it is for, as an operator would say it.
        module: Where its tasks live.
        concurrency: Child processes of its worker.
        prefetch: Messages a child may hold beyond the one it runs; 1 keeps a more urgent one first.
        retry: Policy for errors that can pass by themselves.
        time_limit_s: A run is killed after this many seconds.
        soft_time_limit_s: A run is told to end after this many seconds.
        rate_limit: Celery's spelling (``10/m``), or None. It holds on each worker for itself, for each task of the
            queue: two workers start twice as many.
        colour: Its chip in the dashboard, a colour name of the theme.
        alert: Thresholds of ``monitor_queue_sizes``, of alert rules and of the dashboard's verdicts.
        slo: How soon its runs are to start; None: nothing is promised.
    """

    family: str
    name: str
    purpose: str
    module: str
    concurrency: int
    prefetch: int
    retry: RetryPolicy
    time_limit_s: int
    soft_time_limit_s: int
    rate_limit: str | None
    colour: str
    alert: AlertThresholds
    slo: QueueSlo | None = None

    @property
    def program(self) -> str:
        """Name of its worker's Supervisor program."""
        return f"workers:{self.family}"

    @property
    def task_options(self) -> dict[str, Any]:
        """Options of ``@celery_app.task`` shared by every task of the family."""
        return {
            "max_retries": self.retry.max_retries,
            "default_retry_delay": self.retry.delay_s,
            "time_limit": self.time_limit_s,
            "soft_time_limit": self.soft_time_limit_s,
            "rate_limit": self.rate_limit,
        }

    def keys(self) -> tuple[str, ...]:
        """Redis lists of its messages, in the order in which they are consumed."""
        return tuple(priority_key(self.name, priority) for priority in PRIORITIES)


def priority_key(queue: str, priority: int, separator: str = PRIORITY_SEPARATOR) -> str:
    """Name the Redis list that holds a queue's messages of one priority."""
    return f"{queue}{separator}{priority}" if priority else queue


class QueueRegistry:
    """The queues that an application declared; empty for one that declared none, or whose code is not here.

    Args:
        specs: One a queue; names, families and modules are each used once.
    """

    def __init__(self, specs: Iterable[QueueSpec] = ()) -> None:
        self.specs = tuple(specs)
        self.by_name = {spec.name: spec for spec in self.specs}
        self.by_family = {spec.family: spec for spec in self.specs}
        self._by_module = {spec.module: spec for spec in self.specs}

    def __iter__(self) -> Iterator[QueueSpec]:
        return iter(self.specs)

    def __len__(self) -> int:
        return len(self.specs)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the queues, in the order in which they were declared."""
        return tuple(self.by_name)

    def of_task(self, task_name: str) -> QueueSpec | None:
        """Find the queue of a task by the module in its name; None for a task of another module."""
        return self._by_module.get(task_name.rpartition(".")[0])


NO_QUEUES = QueueRegistry()
"""Registry of an application that declared none."""

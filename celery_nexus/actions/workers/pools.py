"""Orders to the pools of workers: grow, shrink, scale, autoscale, new children."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from celery_nexus.actions.base import Action
from celery_nexus.actions.declaration import PROGRAM_KEY, REMEMBER, Argument, Key, Option
from celery_nexus.actions.workers.orders import FOR_NOW, WORKERS, Order, WorkerOrder
from celery_nexus.errors import Invalid
from celery_nexus.rows.outcomes import TargetOutcome
from celery_nexus.rows.workers import Worker
from celery_nexus.sources import Sources

MOST_GROWTH = 64


@dataclass(frozen=True)
class GrowPool(WorkerOrder):
    """Add children to the pools of workers: more runs at a time."""

    label: ClassVar[str] = "Grow"
    command_name: ClassVar[str] = "grow"
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        WORKERS,
        Option("--by", "n", "By so many children; a number as the last word says the same.", "N", type=int, default=1),
        REMEMBER,
    )
    key: ClassVar[Key | None] = PROGRAM_KEY
    choice_key: ClassVar[str] = "+"
    sign: ClassVar[int] = 1

    n: int = 1

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Action:
        """Take the number as the last word, too: ``grow WORKER 2``."""
        names = given["workers"]
        if len(names) < 2 or not names[-1].isdecimal():
            return super().from_command(given)
        return super().from_command({**given, "workers": names[:-1], "n": int(names[-1])})

    @property
    def words(self) -> list[str]:
        """The words of the command behind its name, the number as the last of them."""
        return [*self.workers, str(self.n), *([REMEMBER.flag] if self.remember else [])]

    @property
    def consequence(self) -> str:
        """Say how many more."""
        return f"{self.n} more run{'s' if self.n == 1 else ''} at a time."

    def check(self) -> None:
        """Refuse odd numbers."""
        if not 1 <= self.n <= MOST_GROWTH:
            raise Invalid(f"--by {self.n}: give a number from 1 to {MOST_GROWTH}")

    def order(self) -> Order:
        """Grow."""
        return "pool_grow", {"n": self.n}

    def memory(self, worker: Worker) -> tuple[str, Mapping[str, Any]]:
        """Keep the size that the pool gets."""
        return f"pool {worker.name}", {"size": max(1, (worker.concurrency or 1) + self.sign * self.n)}


@dataclass(frozen=True)
class ShrinkPool(GrowPool):
    """Remove children from the pools of workers; those that are free end."""

    label: ClassVar[str] = "Shrink"
    command_name: ClassVar[str] = "shrink"
    choice_key: ClassVar[str] = "-"
    sign: ClassVar[int] = -1

    @property
    def consequence(self) -> str:
        """Say how many fewer."""
        return f"{self.n} fewer run{'s' if self.n == 1 else ''} at a time; what runs is finished."

    def order(self) -> Order:
        """Shrink."""
        return "pool_shrink", {"n": self.n}

    def give_order(self, sources: Sources, workers: tuple[Worker, ...]) -> list[TargetOutcome]:
        """Leave each worker one place at least: Celery would end the last one, too."""
        large = tuple(row for row in workers if row.concurrency is None or row.concurrency > self.n)
        left = [row for row in workers if row not in large]
        refused = [TargetOutcome(row.name, False, f"has {row.concurrency} places: one must stay") for row in left]
        return [*(super().give_order(sources, large) if large else []), *refused]


@dataclass(frozen=True)
class Scale(WorkerOrder):
    """Give workers a pool of a certain size."""

    label: ClassVar[str] = "Scale"
    command_name: ClassVar[str] = "scale"
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        WORKERS,
        Argument("size", "N", "Children of the pool afterwards.", type=int),
        REMEMBER,
    )

    size: int

    @property
    def consequence(self) -> str:
        """Say how many."""
        return f"{self.size} run{'s' if self.size == 1 else ''} at a time."

    def check(self) -> None:
        """Refuse odd numbers."""
        if not 1 <= self.size <= MOST_GROWTH:
            raise Invalid(f"{self.size}: give a number of children from 1 to {MOST_GROWTH}")

    def memory(self, worker: Worker) -> tuple[str, Mapping[str, Any]]:
        """Keep the size."""
        return f"pool {worker.name}", {"size": self.size}

    def give_order(self, sources: Sources, workers: tuple[Worker, ...]) -> list[TargetOutcome]:
        """Grow or shrink each by what it lacks."""
        rows: list[TargetOutcome] = []
        for worker in workers:
            if worker.concurrency is None:
                rows.append(TargetOutcome(worker.name, False, "does not tell the size of its pool"))
                continue
            more = self.size - worker.concurrency
            answer: tuple[bool, str] | None = (True, f"has {self.size} places already")
            if more:
                order = ("pool_grow" if more > 0 else "pool_shrink", {"n": abs(more)})
                answer = self.send(sources, order, [worker.name]).get(worker.name)
            rows.append(self.outcome(sources, worker, answer))
        return rows


@dataclass(frozen=True)
class Autoscale(WorkerOrder):
    """Set the least and most children of workers that were started with ``--autoscale``."""

    label: ClassVar[str] = "Autoscale"
    command_name: ClassVar[str] = "autoscale"
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        WORKERS,
        Argument("most", "MOST", "Children under load.", type=int),
        Argument("least", "LEAST", "Children without.", type=int),
    )

    most: int
    least: int

    @property
    def consequence(self) -> str:
        """Say the bounds."""
        return f"{self.least} to {self.most} runs at a time, {FOR_NOW}."

    def check(self) -> None:
        """Refuse odd numbers."""
        if not 0 <= self.least <= self.most or not 1 <= self.most <= MOST_GROWTH:
            raise Invalid(f"{self.most} {self.least}: give the most and the least, from 0 to {MOST_GROWTH}")

    def order(self) -> Order:
        """Set both."""
        return "autoscale", {"max": self.most, "min": self.least}


@dataclass(frozen=True)
class RestartPool(WorkerOrder):
    """Replace the children of workers by new ones; what runs is ended.

    With us it goes back to its queue. With Celery's own workers it is lost where it was acknowledged when it began.
    """

    label: ClassVar[str] = "Restart pool"
    command_name: ClassVar[str] = "pool-restart"
    key: ClassVar[Key | None] = PROGRAM_KEY
    choice_key: ClassVar[str] = "o"

    @property
    def consequence(self) -> str:
        """Say what happens to what runs."""
        if self.is_stock:
            return (
                "Its children are replaced, if it was started with worker_pool_restarts; what they run is ended, and "
                "lost where it was acknowledged when it began (Celery's default)."
            )
        return "Its children are replaced; what they run is ended."

    def order(self) -> Order:
        """Restart."""
        return "pool_restart", {}

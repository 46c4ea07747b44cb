"""Orders to workers: the queues that they take from, drain, shutdown; and forgetting what is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from celery_nexus.actions.base import Action, Plan
from celery_nexus.actions.declaration import PROGRAM_KEY, REMEMBER, Argument, Key, Option, Section
from celery_nexus.actions.workers.orders import NO_ANSWER, WORKERS, Order, WorkerOrder
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.text import command_line
from celery_nexus.rows.workers import Worker
from celery_nexus.sources import Sources


@dataclass(frozen=True)
class AddConsumer(WorkerOrder):
    """Let workers take from a queue."""

    label: ClassVar[str] = "Add consumer"
    command_name: ClassVar[str] = "add-consumer"
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        WORKERS,
        Argument("queue", "QUEUE", "The queue's name."),
        REMEMBER,
    )
    key: ClassVar[Key | None] = PROGRAM_KEY
    consume: ClassVar[bool] = True

    queue: str

    @property
    def consequence(self) -> str:
        """Name the queue."""
        return f"Takes from {self.queue}."

    def plan(self, sources: Sources) -> Plan:
        """Make sure that the queue exists, too."""
        sources.broker.check_queue(self.queue)
        return super().plan(sources)

    def run(self, sources: Sources) -> Outcome:
        """Make sure that the queue exists, then order."""
        sources.broker.check_queue(self.queue)
        return super().run(sources)

    def order(self) -> Order:
        """Begin to take from it."""
        return "add_consumer", {"queue": self.queue}

    def memory(self, worker: Worker) -> tuple[str, Mapping[str, Any]]:
        """Keep it for this worker."""
        return f"consumer {worker.name} {self.queue}", {"consume": self.consume}


@dataclass(frozen=True)
class CancelConsumer(AddConsumer):
    """Let workers take nothing more from a queue; what they hold runs on."""

    label: ClassVar[str] = "Cancel consumer"
    command_name: ClassVar[str] = "cancel-consumer"
    consume: ClassVar[bool] = False

    @property
    def consequence(self) -> str:
        """Name the queue."""
        return f"Takes nothing more from {self.queue}; what it holds runs on."

    def order(self) -> Order:
        """Stop taking from it."""
        return "cancel_consumer", {"queue": self.queue}


@dataclass(frozen=True)
class Drain(WorkerOrder):
    """Let workers finish what they hold and take nothing more."""

    label: ClassVar[str] = "Drain"
    command_name: ClassVar[str] = "drain"
    key: ClassVar[Key | None] = PROGRAM_KEY
    choice_key: ClassVar[str] = "d"

    @property
    def consequence(self) -> str:
        """Say for how long."""
        return "What it holds is finished, nothing more is taken until it restarts or is given a queue again."

    def give_order(self, sources: Sources, workers: tuple[Worker, ...]) -> list[TargetOutcome]:
        """Cancel every queue of each worker."""
        rows: list[TargetOutcome] = []
        for worker in workers:
            silent = [
                queue
                for queue in worker.queues
                if worker.name not in sources.control.set_consuming(queue, [worker.name], consume=False)
            ]
            told = f"takes nothing more; finishes {worker.active or 0} running and {worker.reserved or 0} fetched"
            rows.append(TargetOutcome(worker.name, not silent, NO_ANSWER if silent else told))
        return rows


@dataclass(frozen=True)
class ShutdownWorker(WorkerOrder):
    """End workers that were started by hand.

    Ours let short runs finish, and a long one goes back to its queue. Celery's own wait for whatever runs.
    """

    label: ClassVar[str] = "Shut down"
    command_name: ClassVar[str] = "shutdown"
    key: ClassVar[Key | None] = PROGRAM_KEY
    choice_key: ClassVar[str] = "h"

    @property
    def consequence(self) -> str:
        """Say what happens to what it holds."""
        if self.is_stock:
            return (
                "It ends when what it runs is finished, however long that takes; what it fetched and has not begun "
                "goes back to its queue."
            )
        return "It ends when its short runs are finished; a long one goes back to its queue."

    def give_order(self, sources: Sources, workers: tuple[Worker, ...]) -> list[TargetOutcome]:
        """Tell each; one that Supervisor would start again at once is left alone."""
        from celery_nexus.control.mailbox import Command

        rows: list[TargetOutcome] = []
        for worker in workers:
            if worker.program is not None:
                told = f"Supervisor would start it again; use: {command_line('stop', worker.program)}"
                rows.append(TargetOutcome(worker.name, False, told))
                continue
            sources.control.tell(Command("shutdown", {}), [worker.name])
            rows.append(TargetOutcome(worker.name, True, "told to shut down (it can't answer any more)"))
        return rows


@dataclass(frozen=True)
class ForgetOrders(Action):
    """Forget remembered orders; workers go on as they are until they restart."""

    label: ClassVar[str] = "Forget"
    command_name: ClassVar[str] = "forget"
    section: ClassVar[Section] = Section.WORKERS
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        Argument("names", "ORDER…", "A remembered order, as nexus-tui orders lists it.", is_many=True),
    )

    names: tuple[str, ...]

    @property
    def question(self) -> str:
        """Name them."""
        return f"Forget {', '.join(self.names)}? Workers obey it until they restart."

    def run(self, sources: Sources) -> Outcome:
        """Forget each."""
        known = sources.control.list_standing_orders()
        rows: list[TargetOutcome] = []
        for name in self.names:
            if name in known:
                sources.control.remember(name, None)
            told = "forgotten" if name in known else "no such order"
            rows.append(TargetOutcome(name, name in known, told, is_missing=name not in known))
        return Outcome(tuple(rows))

"""Base class of orders to workers by remote control: each worker replies for itself; for now, or remembered."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from celery_nexus.actions.base import Action, Plan
from celery_nexus.actions.declaration import REMEMBER, Argument, Option, Section
from celery_nexus.errors import NotFound, Refused, SourceError
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.workers import Worker
from celery_nexus.sources import Sources

WORKERS = Argument("workers", "WORKER…", "A worker's node name, its part before the @, or its program.", is_many=True)

NO_ANSWER = "no answer within 3 s: it may still obey"
FOR_NOW = "until it restarts"
KEPT = "remembered: obeyed again after a restart"

Heard = Callable[[str, bool, str], None]
Order = tuple[str, Mapping[str, Any]]
"""A remote control command: its name as Celery knows it, and its arguments."""


@dataclass(frozen=True)
class WorkerOrder(Action):
    """An order to known workers; each answers for itself.

    Attributes:
        workers: Node names, programs, or the part before the ``@``; empty for all.
        is_stock: Whether one of them is Celery's own; :meth:`plan` finds out.
        heard: Called with each answer as it comes: worker, whether it obeys, its words.
    """

    section: ClassVar[Section] = Section.WORKERS
    parameters: ClassVar[tuple[Argument | Option, ...]] = (WORKERS,)

    workers: tuple[str, ...]
    remember: bool = field(default=False, kw_only=True)
    is_stock: bool = field(default=False, kw_only=True, compare=False)
    heard: Heard | None = field(default=None, kw_only=True, compare=False, repr=False)

    @property
    @abstractmethod
    def consequence(self) -> str:
        """What it changes, as a sentence."""

    @property
    def can_be_remembered(self) -> bool:
        """Whether workers can be told to obey it again after a restart."""
        return REMEMBER in self.parameters

    @property
    def question(self) -> str:
        """Name the workers, the consequence, and for how long."""
        lasting = f" {'It is ' + KEPT if self.remember else 'It holds ' + FOR_NOW}." if self.can_be_remembered else ""
        return f"{self.label} {', '.join(self.workers) or 'all workers'}? {self.consequence}{lasting}"

    def plan(self, sources: Sources) -> Plan:
        """Find the workers."""
        self.check()
        found = self._resolved(sources)
        names, is_stock = tuple(worker.name for worker in found), any(worker.is_stock for worker in found)
        order = replace(self.settle(sources, found), workers=names, is_stock=is_stock)
        rows = tuple(
            TargetOutcome(worker.name, True, f"→ {replace(order, is_stock=worker.is_stock).consequence}")
            for worker in found
        )
        return Plan(order, lambda: rows, len(rows))

    def run(self, sources: Sources) -> Outcome:
        """Order each worker, and collect the answers."""
        self.check()
        found = self._resolved(sources)
        return Outcome(tuple(self.settle(sources, found).give_order(sources, found)))

    def settle(self, sources: Sources, workers: Sequence[Worker]) -> Self:
        """Look up what the order names and only these workers know."""
        del sources, workers
        return self

    def _resolved(self, sources: Sources) -> tuple[Worker, ...]:
        """Find the workers; refuse to remember for those that read nothing of ours."""
        found = resolve(sources, self.workers)
        stock = [worker.name for worker in found if worker.is_stock]
        if self.remember and (stock or sources.is_foreign):
            whose = ", ".join(stock) or "the workers of this application"
            raise Refused(f"{whose}: Celery's own workers forget orders when they restart; leave out --remember")
        return found

    def check(self) -> None:
        """Refuse what makes no sense, before anything is sent."""

    def order(self) -> Order:
        """What is sent to the workers."""
        raise NotImplementedError

    def memory(self, worker: Worker) -> tuple[str, Mapping[str, Any]]:
        """Name of the remembered order, and what it says."""
        raise NotImplementedError

    def give_order(self, sources: Sources, workers: tuple[Worker, ...]) -> list[TargetOutcome]:
        """Send the order and say what each worker answered."""
        answers = self.send(sources, self.order(), [worker.name for worker in workers])
        return [self.outcome(sources, worker, answers.get(worker.name)) for worker in workers]

    def send(self, sources: Sources, order: Order, names: Sequence[str]) -> dict[str, tuple[bool, str]]:
        """Send an order; return what each worker answered, those that were silent left out."""
        from celery_nexus.control.mailbox import Command

        return sources.control.order(Command(*order), names, self.heard)

    def outcome(self, sources: Sources, worker: Worker, answer: tuple[bool, str] | None) -> TargetOutcome:
        """Say what a worker answered, None for nothing, and keep the order when it is to be remembered."""
        obeys, told = answer or (False, NO_ANSWER)
        if not self.can_be_remembered or (answer is not None and not obeys):
            return TargetOutcome(worker.name, obeys, told)
        if self.remember:
            sources.control.remember(*self.memory(worker))
            return TargetOutcome(worker.name, obeys, f"{told}; {KEPT}")
        return TargetOutcome(worker.name, obeys, f"{told}, {FOR_NOW}" if obeys else told)


def resolve(sources: Sources, names: tuple[str, ...]) -> tuple[Worker, ...]:
    """Find known workers by node name, its part before the ``@``, or program; all that answer without a name.

    Raises:
        NotFound: One is not known.
    """
    from celery_nexus.control import fleet

    try:
        programs = sources.supervisor.programs()
    except SourceError:
        programs = ()
    known = fleet.join(sources.control.workers(), programs, datetime.now(UTC), queues=sources.code.queues)
    if not names:
        return tuple(worker for worker in known if worker.pid is not None and worker.verdict != "silent")
    found: dict[str, Worker] = {}
    for name in names:
        mine = [row for row in known if name in (row.name, row.name.partition("@")[0], row.program)]
        if not mine:
            raise NotFound(f"no worker {name!r}; there are {', '.join(row.name for row in known) or 'none'}")
        found |= {row.name: row for row in mine}
    return tuple(found.values())

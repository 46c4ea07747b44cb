"""Orders to workers by remote control: pool, limits, queues, drain, shutdown; for now, or remembered."""

from __future__ import annotations

import shlex
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from nexus_tui.actions.base import Action, Plan
from nexus_tui.models.actions import Outcome, TargetOutcome
from nexus_tui.models.workers import Worker
from nexus_tui.sources import Sources, fleet
from nexus_tui.sources.errors import Invalid, NotFound, SourceError
from nexus_tui.sources.mailbox import Command

MOST_GROWTH = 64
_NO_ANSWER = "no answer within 3 s: it may still obey"
_FOR_NOW = "until it restarts"
_KEPT = "remembered: obeyed again after a restart"

Heard = Callable[[str, bool, str], None]


@dataclass(frozen=True)
class WorkerOrder(Action):
    """An order to known workers; each answers for itself.

    Attributes:
        workers: Node names, programs, or the part before the ``@``; empty for all.
        remember: Whether it is obeyed again after a restart.
        heard: Called with each answer as it comes: worker, whether it obeys, its words.
    """

    key: ClassVar[str] = "S"
    verb: ClassVar[str]
    can_be_remembered: ClassVar[bool] = True

    workers: tuple[str, ...]
    remember: bool = field(default=False, kw_only=True)
    heard: Heard | None = field(default=None, kw_only=True, compare=False, repr=False)

    @property
    @abstractmethod
    def consequence(self) -> str:
        """What it changes, as a sentence."""

    @property
    def words(self) -> tuple[str, ...]:
        """Words of the command behind the workers."""
        return ()

    @property
    def question(self) -> str:
        """Name the workers, the consequence, and for how long."""
        lasting = f" {'It is ' + _KEPT if self.remember else 'It holds ' + _FOR_NOW}." if self.can_be_remembered else ""
        return f"{self.label} {', '.join(self.workers) or 'all workers'}? {self.consequence}{lasting}"

    @property
    def command(self) -> str:
        """The command line that does the same."""
        remember = ["--remember"] if self.remember else []
        return shlex.join(["nexus-tui", self.verb, *self.workers, *self.words, *remember])

    def plan(self, sources: Sources) -> Plan:
        """Find the workers."""
        self.check()
        found = resolve(sources, self.workers)
        rows = tuple(TargetOutcome(worker.name, True, f"→ {self.consequence}") for worker in found)
        return Plan(replace(self, workers=tuple(worker.name for worker in found)), lambda: rows, len(rows))

    def run(self, sources: Sources) -> Outcome:
        """Order each worker, and collect the answers."""
        self.check()
        return Outcome(tuple(self.obeyed(sources, resolve(sources, self.workers))))

    def check(self) -> None:
        """Refuse what makes no sense, before anything is sent."""

    def order(self) -> Command:
        """What is sent to the workers."""
        raise NotImplementedError

    def memory(self, worker: Worker) -> tuple[str, Mapping[str, Any]]:
        """Name of the remembered order, and what it says."""
        raise NotImplementedError

    def obeyed(self, sources: Sources, workers: tuple[Worker, ...]) -> list[TargetOutcome]:
        """Send the order and say what each worker answered."""
        answers = sources.control.order(self.order(), [worker.name for worker in workers], self.heard)
        return [self._outcome(sources, worker, answers.get(worker.name)) for worker in workers]

    def _outcome(self, sources: Sources, worker: Worker, answer: tuple[bool, str] | None) -> TargetOutcome:
        obeys, told = answer or (False, _NO_ANSWER)
        if not self.can_be_remembered or (answer is not None and not obeys):
            return TargetOutcome(worker.name, obeys, told)
        if self.remember:
            sources.control.remember(*self.memory(worker))
            return TargetOutcome(worker.name, obeys, f"{told}; {_KEPT}")
        return TargetOutcome(worker.name, obeys, f"{told}, {_FOR_NOW}" if obeys else told)


@dataclass(frozen=True)
class GrowPool(WorkerOrder):
    """Give workers more places: children of the pool.

    Attributes:
        n: How many more.
    """

    label: ClassVar[str] = "Grow"
    verb: ClassVar[str] = "grow"
    sign: ClassVar[int] = 1

    n: int = 1

    @property
    def consequence(self) -> str:
        """Say how many more."""
        return f"{self.n} more run{'s' if self.n == 1 else ''} at a time."

    @property
    def words(self) -> tuple[str, ...]:
        """How many."""
        return (str(self.n),)

    def check(self) -> None:
        """Refuse odd numbers."""
        if not 1 <= self.n <= MOST_GROWTH:
            raise Invalid(f"--by {self.n}: give a number from 1 to {MOST_GROWTH}")

    def order(self) -> Command:
        """Grow."""
        return Command("pool_grow", {"n": self.n})

    def memory(self, worker: Worker) -> tuple[str, Mapping[str, Any]]:
        """Keep the size that the pool gets."""
        return f"pool {worker.name}", {"size": max(1, (worker.concurrency or 1) + self.sign * self.n)}


@dataclass(frozen=True)
class ShrinkPool(GrowPool):
    """Take places from workers: children that are free end."""

    label: ClassVar[str] = "Shrink"
    verb: ClassVar[str] = "shrink"
    sign: ClassVar[int] = -1

    @property
    def consequence(self) -> str:
        """Say how many fewer."""
        return f"{self.n} fewer run{'s' if self.n == 1 else ''} at a time; what runs is finished."

    def order(self) -> Command:
        """Shrink."""
        return Command("pool_shrink", {"n": self.n})

    def obeyed(self, sources: Sources, workers: tuple[Worker, ...]) -> list[TargetOutcome]:
        """Leave each worker one place at least: Celery would end the last one, too."""
        large = tuple(row for row in workers if row.concurrency is None or row.concurrency > self.n)
        left = [row for row in workers if row not in large]
        refused = [TargetOutcome(row.name, False, f"has {row.concurrency} places: one must stay") for row in left]
        return [*(super().obeyed(sources, large) if large else []), *refused]


@dataclass(frozen=True)
class Scale(WorkerOrder):
    """Give workers a pool of a certain size.

    Attributes:
        size: Children afterwards.
    """

    label: ClassVar[str] = "Scale"
    verb: ClassVar[str] = "scale"

    size: int

    @property
    def consequence(self) -> str:
        """Say how many."""
        return f"{self.size} run{'s' if self.size == 1 else ''} at a time."

    @property
    def words(self) -> tuple[str, ...]:
        """The size."""
        return (str(self.size),)

    def check(self) -> None:
        """Refuse odd numbers."""
        if not 1 <= self.size <= MOST_GROWTH:
            raise Invalid(f"{self.size}: give a number of children from 1 to {MOST_GROWTH}")

    def memory(self, worker: Worker) -> tuple[str, Mapping[str, Any]]:
        """Keep the size."""
        return f"pool {worker.name}", {"size": self.size}

    def obeyed(self, sources: Sources, workers: tuple[Worker, ...]) -> list[TargetOutcome]:
        """Grow or shrink each by what it lacks."""
        rows: list[TargetOutcome] = []
        for worker in workers:
            if worker.concurrency is None:
                rows.append(TargetOutcome(worker.name, False, "does not tell the size of its pool"))
                continue
            more = self.size - worker.concurrency
            answer: tuple[bool, str] | None = (True, f"has {self.size} places already")
            if more:
                order = Command("pool_grow" if more > 0 else "pool_shrink", {"n": abs(more)})
                answer = sources.control.order(order, [worker.name], self.heard).get(worker.name)
            rows.append(self._outcome(sources, worker, answer))
        return rows


@dataclass(frozen=True)
class Autoscale(WorkerOrder):
    """Change between how many children a worker started with ``--autoscale`` scales itself.

    Attributes:
        most: Children under load.
        least: Children without.
    """

    label: ClassVar[str] = "Autoscale"
    verb: ClassVar[str] = "autoscale"
    can_be_remembered: ClassVar[bool] = False

    most: int
    least: int

    @property
    def consequence(self) -> str:
        """Say the bounds."""
        return f"{self.least} to {self.most} runs at a time, {_FOR_NOW}."

    @property
    def words(self) -> tuple[str, ...]:
        """The bounds."""
        return (str(self.most), str(self.least))

    def check(self) -> None:
        """Refuse odd numbers."""
        if not 0 <= self.least <= self.most or not 1 <= self.most <= MOST_GROWTH:
            raise Invalid(f"{self.most} {self.least}: give the most and the least, from 0 to {MOST_GROWTH}")

    def order(self) -> Command:
        """Set both."""
        return Command("autoscale", {"max": self.most, "min": self.least})


@dataclass(frozen=True)
class RateLimit(WorkerOrder):
    """Limit how often workers start runs of a task.

    Attributes:
        task: Its full name.
        rate: ``10/m``, ``2/s``, ``100/h``; empty for no limit.
    """

    label: ClassVar[str] = "Rate limit"
    verb: ClassVar[str] = "rate-limit"

    task: str
    rate: str

    @property
    def consequence(self) -> str:
        """Say the limit."""
        return f"{self.task} starts at most {self.rate} on each." if self.rate else f"{self.task} has no rate limit."

    @property
    def command(self) -> str:
        """The command line that does the same."""
        chosen = [word for name in self.workers for word in ("--worker", name)]
        remember = ["--remember"] if self.remember else []
        return shlex.join(["nexus-tui", self.verb, self.task, self.rate or "none", *chosen, *remember])

    def order(self) -> Command:
        """Set it."""
        return Command("rate_limit", {"task_name": self.task, "rate_limit": self.rate or None})

    def memory(self, worker: Worker) -> tuple[str, Mapping[str, Any]]:
        """Keep it, for all workers."""
        return f"rate {self.task}", {"rate": self.rate}


@dataclass(frozen=True)
class TimeLimit(WorkerOrder):
    """Limit how long runs of a task may take; runs that have started keep their limit.

    Attributes:
        task: Its full name.
        hard_s: Its child is killed after so many seconds; None for no limit.
        soft_s: It is told to end after so many seconds; None for no limit.
    """

    label: ClassVar[str] = "Time limit"
    verb: ClassVar[str] = "time-limit"

    task: str
    hard_s: float | None
    soft_s: float | None

    @property
    def consequence(self) -> str:
        """Say the limits."""
        hard = "never killed" if self.hard_s is None else f"killed after {self.hard_s:g} s"
        soft = "never told to end" if self.soft_s is None else f"told to end after {self.soft_s:g} s"
        return f"{self.task} is {soft}, {hard}."

    @property
    def command(self) -> str:
        """The command line that does the same."""
        limits = [*(["--hard", f"{self.hard_s:g}"] if self.hard_s else [])]
        limits += ["--soft", f"{self.soft_s:g}"] if self.soft_s else []
        chosen = [word for name in self.workers for word in ("--worker", name)]
        remember = ["--remember"] if self.remember else []
        return shlex.join(["nexus-tui", self.verb, self.task, *limits, *chosen, *remember])

    def check(self) -> None:
        """Refuse what ends everything at once."""
        for value in (self.hard_s, self.soft_s):
            if value is not None and value <= 0:
                raise Invalid(f"{value:g}: a time limit is a number of seconds above 0")
        if self.hard_s is not None and self.soft_s is not None and self.soft_s > self.hard_s:
            raise Invalid("the soft limit must come before the hard one")

    def order(self) -> Command:
        """Set both."""
        return Command("time_limit", {"task_name": self.task, "hard": self.hard_s, "soft": self.soft_s})

    def memory(self, worker: Worker) -> tuple[str, Mapping[str, Any]]:
        """Keep them, for all workers."""
        return f"time {self.task}", {"hard": self.hard_s, "soft": self.soft_s}


@dataclass(frozen=True)
class AddConsumer(WorkerOrder):
    """Let workers take from a queue.

    Attributes:
        queue: Its name.
    """

    label: ClassVar[str] = "Add consumer"
    verb: ClassVar[str] = "add-consumer"
    consume: ClassVar[bool] = True

    queue: str

    @property
    def consequence(self) -> str:
        """Name the queue."""
        return f"Takes from {self.queue}."

    @property
    def words(self) -> tuple[str, ...]:
        """The queue."""
        return (self.queue,)

    def plan(self, sources: Sources) -> Plan:
        """Make sure that the queue exists, too."""
        sources.broker.check_queue(self.queue)
        return super().plan(sources)

    def run(self, sources: Sources) -> Outcome:
        """Make sure that the queue exists, then order."""
        sources.broker.check_queue(self.queue)
        return super().run(sources)

    def order(self) -> Command:
        """Begin to take from it."""
        return Command("add_consumer", {"queue": self.queue})

    def memory(self, worker: Worker) -> tuple[str, Mapping[str, Any]]:
        """Keep it for this worker."""
        return f"consumer {worker.name} {self.queue}", {"consume": self.consume}


@dataclass(frozen=True)
class CancelConsumer(AddConsumer):
    """Let workers take nothing more from a queue; what they hold runs on."""

    label: ClassVar[str] = "Cancel consumer"
    verb: ClassVar[str] = "cancel-consumer"
    consume: ClassVar[bool] = False

    @property
    def consequence(self) -> str:
        """Name the queue."""
        return f"Takes nothing more from {self.queue}; what it holds runs on."

    def order(self) -> Command:
        """Stop taking from it."""
        return Command("cancel_consumer", {"queue": self.queue})


@dataclass(frozen=True)
class Drain(WorkerOrder):
    """Let workers finish what they hold and take nothing more."""

    label: ClassVar[str] = "Drain"
    verb: ClassVar[str] = "drain"
    can_be_remembered: ClassVar[bool] = False

    @property
    def consequence(self) -> str:
        """Say for how long."""
        return "What it holds is finished, nothing more is taken until it restarts or is given a queue again."

    def obeyed(self, sources: Sources, workers: tuple[Worker, ...]) -> list[TargetOutcome]:
        """Cancel every queue of each worker."""
        rows: list[TargetOutcome] = []
        for worker in workers:
            silent = [
                queue
                for queue in worker.queues
                if worker.name not in sources.control.set_consuming(queue, [worker.name], consume=False)
            ]
            told = f"takes nothing more; finishes {worker.active or 0} running and {worker.reserved or 0} fetched"
            rows.append(TargetOutcome(worker.name, not silent, _NO_ANSWER if silent else told))
        return rows


@dataclass(frozen=True)
class ShutdownWorker(WorkerOrder):
    """End workers that were started by hand; short runs finish, a long one goes back to its queue."""

    label: ClassVar[str] = "Shut down"
    verb: ClassVar[str] = "shutdown"
    can_be_remembered: ClassVar[bool] = False

    @property
    def consequence(self) -> str:
        """Say what happens to what it holds."""
        return "It ends when its short runs are finished; a long one goes back to its queue."

    def obeyed(self, sources: Sources, workers: tuple[Worker, ...]) -> list[TargetOutcome]:
        """Tell each; one that Supervisor would start again at once is left alone."""
        rows: list[TargetOutcome] = []
        for worker in workers:
            if worker.program is not None:
                told = f"Supervisor would start it again; use: nexus-tui stop {worker.program}"
                rows.append(TargetOutcome(worker.name, False, told))
                continue
            sources.control.tell(Command("shutdown", {}), [worker.name])
            rows.append(TargetOutcome(worker.name, True, "told to shut down (it can't answer any more)"))
        return rows


@dataclass(frozen=True)
class RestartPool(WorkerOrder):
    """Replace the children of workers by new ones; what runs is ended and goes back to its queue."""

    label: ClassVar[str] = "Restart pool"
    verb: ClassVar[str] = "pool-restart"
    can_be_remembered: ClassVar[bool] = False

    @property
    def consequence(self) -> str:
        """Say what happens to what runs."""
        return "Its children are replaced; what they run is ended."

    def order(self) -> Command:
        """Restart."""
        return Command("pool_restart", {})


@dataclass(frozen=True)
class ForgetOrders(Action):
    """Forget remembered orders; workers go on as they are until they restart.

    Attributes:
        names: As ``nexus-tui orders`` lists them.
    """

    label: ClassVar[str] = "Forget"

    names: tuple[str, ...]

    @property
    def question(self) -> str:
        """Name them."""
        return f"Forget {', '.join(self.names)}? Workers obey it until they restart."

    @property
    def command(self) -> str:
        """The command line that does the same."""
        return shlex.join(["nexus-tui", "forget", *self.names])

    def run(self, sources: Sources) -> Outcome:
        """Forget each."""
        known = sources.control.remembered()
        rows: list[TargetOutcome] = []
        for name in self.names:
            if name in known:
                sources.control.remember(name, None)
            told = "forgotten" if name in known else "no such order"
            rows.append(TargetOutcome(name, name in known, told, is_missing=name not in known))
        return Outcome(tuple(rows))


def resolve(sources: Sources, names: tuple[str, ...]) -> tuple[Worker, ...]:
    """Find known workers by node name, its part before the ``@``, or program; all that answer without a name.

    Raises:
        NotFound: One is not known.
    """
    try:
        programs = sources.supervisor.programs()
    except SourceError:
        programs = ()
    known = fleet.join(sources.control.workers(), programs, datetime.now(UTC))
    if not names:
        return tuple(worker for worker in known if worker.pid is not None and worker.verdict != "silent")
    found: dict[str, Worker] = {}
    for name in names:
        mine = [row for row in known if name in (row.name, row.name.partition("@")[0], row.program)]
        if not mine:
            raise NotFound(f"no worker {name!r}; there are {', '.join(row.name for row in known) or 'none'}")
        found |= {row.name: row for row in mine}
    return tuple(found.values())

"""Facts about one run, or about a queue's next message, at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from celery_nexus.errors import NotFound, SourceError
from celery_nexus.queues import NO_QUEUES, QueueRegistry, QueueSpec
from celery_nexus.rows.broker import Held, Message, QueueStats
from celery_nexus.rows.dead_letters import DeadLetter
from celery_nexus.rows.runs import Run
from celery_nexus.rows.workers import GONE, Worker
from celery_nexus.sources import Sources


@dataclass(frozen=True)
class Situation:
    """What the causes are looked up in.

    Attributes:
        subject: Id of the run, or the queue's name.
        queue: The queue that it waits in, or came from.
        message: Its waiting message.
        run: What the history knows.
        held: Its message among what workers hold.
        whereabouts: What a worker says of it: ``active``, ``reserved`` or ``scheduled``, and the worker's name.
        workers: Every known worker, with its program.
        tasks: Tasks that each consumer knows, with their rate limits; empty when none could be asked.
        is_revoked: Whether an operator revoked it.
        letter: The dead letter that it became.
        is_queue: Whether the question is about the queue, and the message its next.
        end: How it was revoked, in the history's words: ``deleted``, ``purged``, ``expired``, ``terminated SIGNAL``, or
            empty.
        is_foreign: Whether the application is somebody else's.
        declared: What the application declared of its queues.
        near: A consumed queue for whose name the queue's was probably mistyped; empty when there is none.
    """

    subject: str
    queue: QueueStats | None = None
    message: Message | None = None
    run: Run | None = None
    held: Held | None = None
    whereabouts: tuple[str, str] | None = None
    workers: tuple[Worker, ...] = ()
    tasks: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    is_revoked: bool = False
    letter: DeadLetter | None = None
    is_queue: bool = False
    end: str = ""
    is_foreign: bool = False
    declared: QueueRegistry = NO_QUEUES
    near: str = ""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def is_over(self) -> bool:
        """Whether the run has ended and nothing of it is in the broker."""
        return self.message is None and self.held is None and self.run is not None and self.run.is_final

    @property
    def task(self) -> str:
        """Name of its task; empty when unknown."""
        known = (self.message and self.message.task, self.held and self.held.task, self.run and self.run.task)
        return next((name for name in known if name), "")

    @property
    def consumers(self) -> tuple[Worker, ...]:
        """Workers that consume its queue."""
        name = self.queue.name if self.queue else ""
        return tuple(row for row in self.workers if name in row.queues and row.verdict not in GONE)

    @property
    def spec(self) -> QueueSpec | None:
        """What was declared of its queue; None when nothing was."""
        return self.declared.by_name.get(self.queue.name) if self.queue else None

    @property
    def missing(self) -> tuple[Worker, ...]:
        """Workers that would consume its queue and take nothing now."""
        name = self.queue.name if self.queue else ""
        return tuple(row for row in self.workers if row.verdict in GONE and _serves(row, name, self.spec))

    @property
    def rates(self) -> dict[str, str]:
        """Rate limits of its task at the consumers that have one."""
        told = {name: tasks.get(self.task, "") for name, tasks in self.tasks.items()}
        return {name: rate for name, rate in told.items() if rate not in ("", "0", "None")}

    def worker(self, name: str) -> Worker | None:
        """Find a worker by its node name."""
        return next((row for row in self.workers if row.name == name), None)


def of_message(sources: Sources, queue: QueueStats, first: Sequence[Message], workers: tuple[Worker, ...]) -> Situation:
    """Gather what is known of a queue and its next message."""
    message = first[0] if first else None
    situation = Situation(
        queue.name,
        queue,
        message,
        workers=workers,
        is_queue=True,
        is_foreign=sources.is_foreign,
        declared=sources.code.queues,
    )
    return replace(
        situation,
        tasks=_tasks(sources, situation),
        is_revoked=bool(message and message.id) and sources.broker.is_revoked(message.id if message else ""),
    )


def of_run(
    sources: Sources, name: str, workers: tuple[Worker, ...], queues: tuple[QueueStats, ...]
) -> Situation | None:
    """Gather what is known of a run; None when nobody knows it."""
    try:
        run = sources.history.run(name)
    except NotFound:
        run = None
    run_id = run.id if run else _whole_id(sources, name)
    message = sources.broker.find(run_id, queue=run.queue if run else None, priority=run.priority if run else None)
    held = None if message else sources.broker.find_held(run_id)
    place = sources.control.find_holders([run_id]).get(run_id)
    letter = _letter(sources, run_id)
    if run is None and message is None and held is None and place is None and letter is None:
        return None
    names = [known for known in (message and message.queue, held and held.queue, run and run.queue) if known]
    queue = next((row for row in queues if names and row.name == names[0]), None)
    known = Situation(run_id, queue, message, workers=workers)
    return Situation(
        run_id,
        queue,
        message,
        run,
        held,
        place,
        workers,
        _tasks(sources, known),
        sources.broker.is_revoked(run_id),
        letter,
        end=_end(sources, run),
        is_foreign=sources.is_foreign,
        declared=sources.code.queues,
    )


def _end(sources: Sources, run: Run | None) -> str:
    """Read how a run was revoked; empty when it was not, or nobody told."""
    life = sources.history.life(run.id) if run is not None and run.state == "REVOKED" else []
    return next((event.detail for event in reversed(life) if event.event == "revoked"), "")


def _whole_id(sources: Sources, text: str) -> str:
    found = sources.broker.ids(text, limit=2)
    return found[0] if len(found) == 1 else text


def _tasks(sources: Sources, situation: Situation) -> dict[str, dict[str, str]]:
    return sources.control.list_registered_tasks([worker.name for worker in situation.consumers])


def _letter(sources: Sources, run_id: str) -> DeadLetter | None:
    try:
        return sources.dead_letters.show(run_id)
    except SourceError:
        return None


def _serves(worker: Worker, queue: str, spec: QueueSpec | None) -> bool:
    """A worker that does not answer tells no queues: the registry knows its program and its node name."""
    if queue in worker.queues:
        return True
    return spec is not None and (worker.program == spec.program or worker.name.partition("@")[0] == spec.family)

"""The public Python interface: what dashboard and command line show and do.

The examples are run by a test, on an application with the tasks ``shop.add(one, other)``, ``shop.nap(seconds)`` …::

    app = Celery("shop", broker="redis://localhost")
    nexus = celery_nexus.connect(app)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from celery_nexus.errors import Invalid, NotFound, Refused
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.text import command_line

if TYPE_CHECKING:
    from celery import Celery

    from celery_nexus.broker.edit.edits import Edit
    from celery_nexus.rows.audit import AuditEntry
    from celery_nexus.rows.broker import Message, QueueStats
    from celery_nexus.rows.catalog import Submitted, TaskType
    from celery_nexus.rows.checkup import Finding
    from celery_nexus.rows.dead_letters import DeadLetter
    from celery_nexus.rows.history import ErrorGroup, TaskStats
    from celery_nexus.rows.runs import LifeEvent, Run, RunPage
    from celery_nexus.rows.schedule import Schedule
    from celery_nexus.rows.why import Answer
    from celery_nexus.rows.workers import Worker
    from celery_nexus.sources import Sources


class Change(Protocol):
    """A change of the world, as the dashboard's actions are."""

    @property
    def label(self) -> str:
        """Its name in the audit log."""
        ...

    @property
    def recorded(self) -> str:
        """The command line that does the same, as the audit log keeps it."""
        ...

    def run(self, sources: Sources) -> Outcome:
        """Do it."""
        ...


class Nexus:
    """One broker with one Celery application, or all that are there. May be shared by threads; every call blocks.

    Made by :func:`celery_nexus.connect`. Errors are those of :mod:`celery_nexus.errors`: ``Unreachable`` when broker
    or history can't be read, ``Refused`` when the broker or read-only mode refuses, ``NotFound``, ``Invalid``.

    Args:
        sources: Where everything is read.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open; connections to the broker are closed when they are no longer used."""
        self.sources.history.close()

    # What it shows

    def queues(self) -> tuple[QueueStats, ...]:
        """List the queues: what waits, by priority, what is in flight, the oldest's age, who consumes.

        >>> [(queue.name, queue.waiting) for queue in nexus.queues()]
        [('celery', 0)]
        """
        from celery_nexus.diagnosis.watch import read_queues

        return read_queues(self.sources)

    def messages(self, queue: str, limit: int = 50, offset: int = 0) -> list[Message]:
        """Read what waits in a queue in the order in which it will run; secrets of arguments are masked.

        >>> run = nexus.submit("shop.add", [1, 2])
        >>> [(message.task, message.args) for message in nexus.messages("celery")]
        [('shop.add', [1, 2])]
        """
        return self.sources.broker.messages(queue, limit, offset)

    def message(self, run_id: str) -> Message | None:
        """Find the message of a run; None when a worker took it, or there is none.

        >>> nexus.message(run.id).position
        0
        """
        return self.sources.broker.find(run_id)

    def workers(self) -> tuple[Worker, ...]:
        """List the workers with their verdicts; one that does not answer is ``silent``, unknown figures are None.

        >>> nexus.workers()
        ()
        """
        from celery_nexus.diagnosis.watch import read_workers

        return read_workers(self.sources)

    def tasks(self) -> tuple[TaskType, ...]:
        """List what can be submitted, with queue, limits and arguments as far as the application's code is here.

        >>> known = {task.name: task for task in nexus.tasks()}
        >>> [(argument.name, argument.type_label) for argument in known["shop.add"].parameters]
        [('one', 'whole number'), ('other', 'whole number')]
        """
        return self.sources.catalog.task_types()

    def runs(self, filter_text: str = "", limit: int = 200, offset: int = 0) -> list[Run]:
        """Return recorded runs that match a filter of the tasks view (``state:failure task:shop.*``), newest first.

        Runs of a stock application are recorded while a dashboard looks; of an installed one always.

        >>> nexus.runs("state:failure", limit=10)
        []
        """
        return self.sources.history.runs(filter_text, limit, offset)

    def run(self, run_id: str) -> Run:
        """Return a recorded run by its id or a unique beginning; raises ``NotFound`` for any other.

        >>> nexus.run("0123")
        Traceback (most recent call last):
        celery_nexus.errors.NotFound: no run '0123'
        """
        return self.sources.history.run(run_id)

    def page(self, filter_text: str = "", limit: int = 50, offset: int = 0, budget_s: float = 3.0) -> RunPage:
        """Return recorded runs that match a filter, and how many there are, as far as some time allows.

        >>> nexus.page("state:failure").total_words
        '0'
        """
        return self.sources.history.page(filter_text, limit, offset, budget_s)

    def life(self, run_id: str) -> list[LifeEvent]:
        """Return what happened to a recorded run, by its full id, in order of time.

        >>> [event.event for event in nexus.life(run.id)]
        []
        """
        return self.sources.history.life(run_id)

    def failures(self, since: datetime | None = None, filter_text: str = "") -> list[ErrorGroup]:
        """Group failed runs by type and place of their exception, the largest group first; None: of the last day.

        >>> nexus.failures()
        []
        """
        return self.sources.history.failures(None if since is None else since.timestamp(), filter_text)

    def stats(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        by_task: bool = True,
        by_queue: bool = False,
    ) -> list[TaskStats]:
        """Count what became of runs and how long they waited and ran, by task, queue or both; None: of the last day.

        >>> nexus.stats(by_queue=True)
        []
        """
        begin, end = (None if moment is None else moment.timestamp() for moment in (since, until))
        return self.sources.history.stats(begin, by_queue, end, by_task)

    def audit(self, limit: int = 100) -> tuple[AuditEntry, ...]:
        """List what operators changed, the latest first.

        >>> [entry.action for entry in nexus.audit(1)]
        ['Submit']
        """
        return self.sources.broker.audit.read(limit)

    def dead_letters(self, limit: int = 100) -> tuple[DeadLetter, ...]:
        """List messages that reliable delivery set aside, the newest first.

        >>> nexus.dead_letters()
        ()
        """
        from celery_nexus.broker.dead_letters import DeadLetterSource

        return DeadLetterSource(self.sources.broker).list(limit)

    def dead_letter(self, letter_id: str) -> DeadLetter:
        """Return a dead letter with its message, secrets masked, by its id or its run's; raises ``NotFound``.

        >>> nexus.dead_letter("0123")
        Traceback (most recent call last):
        celery_nexus.errors.NotFound: no dead letter '0123'; see: nexus-tui dead-letters
        """
        from celery_nexus.broker.dead_letters import DeadLetterSource

        return DeadLetterSource(self.sources.broker).show(letter_id)

    def schedule(self, limit: int = 100) -> Schedule:
        """Read what beat sends by the clock, what is due first: ``beat_schedule``, RedBeat or django-celery-beat.

        >>> [(entry.name, entry.task, entry.spec) for entry in nexus.schedule().entries]
        [('add up', 'shop.add', 'every minute')]
        """
        return self.sources.schedule.read(limit)

    def why(self, name: str) -> Answer:
        """Explain why a run (by its id), a queue or a worker does not move, the heaviest cause first.

        >>> [finding.cause for finding in nexus.why("celery").findings]
        ['no consumer']
        """
        from celery_nexus.diagnosis.why import why

        return why(self.sources, name)

    def doctor(self) -> tuple[Finding, ...]:
        """Look for what is wrong: the broker's settings, clocks, disk, recorder, lists that nobody reads.

        >>> [finding.is_well for finding in nexus.doctor() if finding.name == "eviction"]
        [True]
        """
        from celery_nexus.diagnosis.checkup import CheckupSource, run_check, unread_finding

        found = CheckupSource(self.sources).findings()
        return (*found, *run_check("lists", lambda: (unread_finding(self.sources.broker.unread_lists()),)))

    # What it changes

    def submit(
        self,
        task: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        priority: int | None = None,
        countdown_s: float | None = None,
        eta: datetime | None = None,
        queue: str | None = None,
    ) -> Submitted:
        """Check the arguments and publish a message; it is in Redis when this returns.

        >>> nexus.submit("shop.add", [1]).id
        Traceback (most recent call last):
        celery_nexus.errors.Invalid: shop.add: missing a required argument: 'other'; it takes (one, other)
        >>> nexus.submit("shop.nap", kwargs={"seconds": 1}, priority=9).queue
        'celery'
        """
        self._refuse_read_only()
        catalog = self.sources.catalog
        name = catalog.full_name(task)
        run = catalog.submit(name, args, kwargs or {}, priority=priority, countdown_s=countdown_s, eta=eta, queue=queue)
        told = Outcome((TargetOutcome(run.id, True, f"queued in {run.place}"),))
        self.sources.broker.audit.record("Submit", command_line("submit", name), told)
        return run

    def delete(self, run_id: str) -> Outcome:
        """Delete the waiting message of a run: it never happens. For a day :meth:`undo` brings it back.

        >>> nexus.delete(run.id).message.partition(": ")[2]
        'deleted'
        """
        from celery_nexus.broker.edit.edits import Delete

        return self._edit("Delete", run_id, Delete(), command_line("delete", run_id))

    def move(self, run_id: str, queue: str, *, front: bool = False) -> Outcome:
        """Move the waiting message of a run to another queue, behind what waits there at its priority.

        >>> nexus.move(run.id, "nowhere")
        Traceback (most recent call last):
        celery_nexus.errors.NotFound: no queue 'nowhere'; there are celery
        """
        from celery_nexus.broker.edit.edits import MoveTo

        words = ["--front"] if front else []
        return self._edit("Move", run_id, MoveTo(queue, front=front), command_line("move", run_id, queue, *words))

    def priority(self, run_id: str, priority: int, *, front: bool = False) -> Outcome:
        """Give the waiting message of a run another priority, 0 first … 9 last.

        >>> other = nexus.submit("shop.add", [3, 4], priority=9)
        >>> nexus.priority(other.id, 0).done
        True
        """
        from celery_nexus.broker.edit.edits import Reprioritise

        words = ["--front"] if front else []
        command = command_line("priority", run_id, str(priority), *words)
        return self._edit("Priority", run_id, Reprioritise(priority, front=front), command)

    def purge(self, queue: str) -> Outcome:
        """Delete everything that waits in a queue, in one step. For a day :meth:`undo` brings it back.

        >>> nexus.purge("celery").message
        'celery: purged 2 messages'
        """
        self._refuse_read_only()
        broker = self.sources.broker
        broker.check_queue(queue)
        token = broker.announce_undo("purge", f"purge {queue}", queue)
        gone = broker.purge(queue, undo=token)
        if not gone:
            broker.forget_undo(token)
        told = TargetOutcome(queue, True, f"purged {gone:,} messages" if gone else "was empty")
        return self._recorded("Purge", command_line("purge", queue), Outcome((told,), token if gone else ""))

    def undo(self, token: str = "") -> Outcome:
        """Take back a change of this connection's broker by its :attr:`Outcome.undo`, or the latest one.

        >>> nexus.undo().message.partition(": ")[2]
        'purge celery: 2 restored'
        """
        self._refuse_read_only()
        broker = self.sources.broker
        kinds = ("messages", "purge")
        change = next((row for row in broker.list_undoables() if row.kind in kinds and token in ("", row.token)), None)
        if change is None:
            raise NotFound(f"no change {token!r} of messages that can be undone" if token else "nothing to undo")
        restored = broker.restore(change)
        started = f", {restored.started:,} had started" if restored.started else ""
        told = f"{change.label}: {restored.back:,} restored{started}{restored.problem and f'; {restored.problem}'}"
        outcome = Outcome((TargetOutcome(change.token, not restored.problem, told),))
        return self._recorded("Undo", command_line("undo", change.token), outcome)

    def perform(self, change: Change) -> Outcome:
        """Do one of the dashboard's actions, and write it to the audit log.

        >>> from nexus_tui.actions.queues import PauseQueue, ResumeQueue
        >>> nexus.perform(PauseQueue("celery")).done, nexus.perform(ResumeQueue("celery")).done
        (True, True)
        """
        self._refuse_read_only()
        return self._recorded(change.label, change.recorded, change.run(self.sources))

    def _edit(self, label: str, run_id: str, edit: Edit, command: str) -> Outcome:
        self._refuse_read_only()
        broker = self.sources.broker
        message = broker.find(run_id)
        if message is None:
            raise NotFound(f"no message of a run {run_id!r} waits")
        token = broker.announce_undo("messages", f"{label.lower()} 1 run ({run_id})")
        done = broker.apply(message, edit, undo=token)
        return self._recorded(label, command, Outcome((done,), token if broker.keep_undo(token) else ""))

    def _recorded(self, label: str, command: str, outcome: Outcome) -> Outcome:
        self.sources.broker.audit.record(label, command, outcome)
        return outcome

    def _refuse_read_only(self) -> None:
        if self.sources.read_only:
            raise Refused("read-only: nothing is changed; connect without read_only=True to change things")


def connect(where: str | Celery, *, prefix: str | None = None, read_only: bool = False) -> Nexus:
    """Connect to the broker of a Celery application, to see and change what dashboard and command line do.

    Nothing is written to the broker that is not asked for: its log of changes, and what can be undone, for a while.

    Args:
        where: The broker's URL, or the application: its tasks, routes and limits are known then.
        prefix: With a URL: the application with this ``global_keyprefix`` alone; None: all that are there.
        read_only: Whether every change is refused.

    Raises:
        BrokerUrlError: The broker is neither Redis nor Valkey.
        Unreachable: It does not answer.
        Refused: It is a Redis Cluster.
        Invalid: A prefix is given with an application, which has its own.
    """
    from celery_nexus.connection.broker_url import BrokerUrl
    from celery_nexus.source_factory import open_application, open_broker

    if isinstance(where, str):
        return Nexus(open_broker(BrokerUrl.parse(where), prefix=prefix, read_only=read_only))
    if prefix is not None:
        raise Invalid("a prefix is for a broker alone: an application says which its keys are")
    where.loader.import_default_modules()
    where.finalize()
    return Nexus(open_application(where, read_only=read_only))

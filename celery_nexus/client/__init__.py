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

from celery_nexus.client.reader import NexusReader
from celery_nexus.errors import Invalid, NotFound, Refused
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.text import command_line

if TYPE_CHECKING:
    from celery import Celery

    from celery_nexus.broker.edit.edits import Edit
    from celery_nexus.rows.catalog import Submitted
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


class Nexus(NexusReader):
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

"""Changing half of the public Python interface; each change is written to the audit log as what really happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from celery_nexus.errors import NotFound, Refused
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.text import command_line

if TYPE_CHECKING:
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


class NexusChanger:
    """What :class:`celery_nexus.client.Nexus` changes.

    Attributes:
        sources: Where everything is read and changed.
    """

    sources: Sources

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

    def delay(self, run_id: str, due_at: datetime | None) -> Outcome:
        """Let a delayed run begin at another time (aware); None: as soon as a worker is free.

        Only what the broker keeps until its time can be changed: with reliable delivery all of it.

        >>> later = nexus.submit("shop.add", [5, 6], countdown_s=3600)
        >>> nexus.delay(later.id, None).message.partition(": ")[2]
        'runs as soon as a worker is free'
        """
        from celery_nexus.broker.edit.edits import Retime

        words = ["--now"] if due_at is None else ["--at", due_at.isoformat()]
        return self._edit("Time", run_id, Retime(due_at), command_line("delay", run_id, *words))

    def revoke(self, run_id: str, *, terminate: bool = False, signal: str = "SIGTERM") -> Outcome:
        """Revoke a run, by its id or the unique beginning of one: what waits never starts; what runs goes on.

        Args:
            run_id: The run's.
            terminate: Whether to end it when it has started.
            signal: How: ``SIGTERM``, ``SIGKILL``, ``SIGINT``, ``SIGQUIT``, ``SIGUSR1`` or ``SIGHUP``.

        >>> nexus.revoke(later.id).message.partition(": ")[2]
        'revoked before it started'
        """
        from celery_nexus.changes.revocation import revoke
        from celery_nexus.changes.targets import resolve

        self._refuse_read_only()
        target = resolve(self.sources, run_id)
        if target is None:
            raise NotFound(f"no run {run_id!r}")
        words = ["--terminate", "--signal", signal] if terminate else []
        done = revoke(self.sources, target, terminate=terminate, signal=signal)
        return self._recorded("Revoke", command_line("revoke", run_id, *words), Outcome((done,)))

    def pause(self, queue: str) -> Outcome:
        """Stop all workers from taking anything more from a queue; Celery's own forget it when they restart.

        >>> nexus.pause("celery").message.partition(".")[0]
        'celery: paused; no worker is there to be told'
        """
        from celery_nexus.changes.queue_gates import keep_undo, pause

        self._refuse_read_only()
        outcome = keep_undo(self.sources, "pause", queue, pause(self.sources, queue))
        return self._recorded("Pause", command_line("pause", queue), outcome)

    def resume(self, queue: str) -> Outcome:
        """Let the workers of a paused queue take from it again.

        >>> nexus.resume("celery").message
        'celery: resumed; no worker is there to be told'
        """
        from celery_nexus.changes.queue_gates import keep_undo, resume

        self._refuse_read_only()
        outcome = keep_undo(self.sources, "resume", queue, resume(self.sources, queue))
        return self._recorded("Resume", command_line("resume", queue), outcome)

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
        from celery_nexus.changes.taking_back import find_change, take_back

        self._refuse_read_only()
        change = find_change(self.sources, token)
        outcome = Outcome((take_back(self.sources, change),))
        return self._recorded("Undo", command_line("undo", change.token), outcome)

    def perform(self, change: Change) -> Outcome:
        """Do one of the dashboard's actions, and write it to the audit log.

        >>> from celery_nexus.actions.workers.limits import RateLimit
        >>> nexus.perform(RateLimit((), "shop.add", "10/m")).targets
        ()
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

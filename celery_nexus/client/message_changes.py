"""Changes of runs and messages by the public Python interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from celery_nexus.actions.again import RunAgain
from celery_nexus.actions.messages import ChangePriority, ChangeTime, DeleteMessages, MoveMessages
from celery_nexus.actions.queues import Undo
from celery_nexus.actions.runs import Revoke
from celery_nexus.actions.submit import Submit
from celery_nexus.client.changing import Changing, Names, list_names
from celery_nexus.errors import Invalid
from celery_nexus.rows.selection import Selection

if TYPE_CHECKING:
    from celery_nexus.rows.catalog import Submitted
    from celery_nexus.rows.outcomes import Outcome

Runs = Names | Selection
"""Runs by their ids or unique beginnings of them, or what waits in a queue and matches a filter."""


class MessageChanges(Changing):
    """Submit and retry runs, and change what waits."""

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
        published: list[Submitted] = []
        name = self.sources.catalog.full_name(task)
        self.perform(
            Submit(name, list(args), dict(kwargs or {}), priority, countdown_s, eta, queue, heard=published.append)
        )
        return published[0]

    def retry(
        self,
        runs: Names = (),
        *,
        filter_text: str = "",
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        canary: bool = False,
        rate_per_s: float | None = None,
        queue: str | None = None,
        priority: int | None = None,
    ) -> Outcome:
        """Run ended runs again, with the same arguments or with others; with ``canary`` 1, 5, 25 of them first.

        Args:
            runs: Ids, or unique beginnings of them.
            filter_text: Every ended run that matches, instead of ids.
            args: Positional arguments that replace all of them.
            kwargs: Keyword arguments that replace those of the same name.
            canary: Whether the rest is run only when none of the first failed; waits for their end.
            rate_per_s: At most so many runs a second.
            queue: Where they go, when it is not known where the old ones came from.
            priority: Theirs, when that is not known.

        >>> nexus.retry("0123").targets[0].message
        'no such run'
        """
        ids = list_names(runs)
        if bool(ids) == bool(filter_text):
            raise Invalid("give runs by their ids, or filter_text, and not both")
        return self.perform(
            RunAgain(
                ids,
                None if kwargs is None else dict(kwargs),
                filter_text,
                canary,
                rate_per_s,
                None if args is None else list(args),
                queue,
                priority,
            )
        )

    def delete(self, runs: Runs) -> Outcome:
        """Delete waiting messages: their runs never happen. For a day :meth:`undo` brings them back.

        >>> nexus.delete(run.id).message.partition(": ")[2]
        'deleted'
        """
        ids, within = _parted(runs)
        return self.perform(DeleteMessages(ids, within=within))

    def move(self, runs: Runs, queue: str, *, front: bool = False) -> Outcome:
        """Move waiting messages to another queue, behind what waits there at their priority, or in front of it.

        >>> from celery_nexus import Selection
        >>> nexus.move(Selection("celery", "task:shop.nap"), "nowhere")
        Traceback (most recent call last):
        celery_nexus.errors.NotFound: no queue 'nowhere'; there are celery
        """
        ids, within = _parted(runs)
        return self.perform(MoveMessages(ids, queue, front, within=within))

    def priority(self, runs: Runs, priority: int, *, front: bool = False) -> Outcome:
        """Give waiting messages another priority, 0 first … 9 last, behind what waits there or in front of it.

        >>> other = nexus.submit("shop.add", [3, 4], priority=9)
        >>> nexus.priority(other.id, 0).done
        True
        """
        ids, within = _parted(runs)
        return self.perform(ChangePriority(ids, priority, front, within=within))

    def delay(self, runs: Names, due_at: datetime | None) -> Outcome:
        """Let delayed runs begin at another time (aware); None: as soon as a worker is free.

        Only what the broker keeps until its time can be changed: with reliable delivery all of it.

        >>> later = nexus.submit("shop.add", [5, 6], countdown_s=3600)
        >>> nexus.delay(later.id, None).message.partition(": ")[2]
        'runs as soon as a worker is free'
        """
        return self.perform(ChangeTime(list_names(runs), due_at))

    def revoke(self, runs: Runs, *, terminate: bool = False, signal: str = "SIGTERM") -> Outcome:
        """Revoke runs: what waits never starts; what runs goes on, unless it is to be ended.

        Args:
            runs: Ids, or what waits in a queue.
            terminate: Whether to end what has started.
            signal: How: ``SIGTERM``, ``SIGKILL``, ``SIGINT``, ``SIGQUIT``, ``SIGUSR1`` or ``SIGHUP``.

        >>> nexus.revoke(later.id).message.partition(": ")[2]
        'revoked before it started'
        """
        ids, within = _parted(runs)
        return self.perform(Revoke(ids, terminate, signal, within=within))

    def undo(self, token: str = "") -> Outcome:
        """Take back a change of this broker by its :attr:`Outcome.undo`, or the latest one.

        >>> nexus.undo(nexus.delete(other.id).undo).message.partition(": ")[2]
        'delete 1 run ...: 1 restored'
        """
        return self.perform(Undo(token))


def _parted(runs: Runs) -> tuple[tuple[str, ...], Selection | None]:
    """Tell ids and what waits in a queue apart."""
    return ((), runs) if isinstance(runs, Selection) else (list_names(runs), None)

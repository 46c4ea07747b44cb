"""The public Python interface: what dashboard and command line show and do.

The examples are run by a test, on an application with the tasks ``shop.add(one, other)``, ``shop.nap(seconds)`` …
and, where it matters, with a worker of Celery's own whose name is ``worker``::

    app = Celery("shop", broker="redis://localhost")
    nexus = celery_nexus.connect(app)

Each change is named as its command (``dead-letters retry`` is ``dead_letters_retry``), and is an action of
:mod:`celery_nexus.actions`: what dashboard and command line do.
"""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from celery_nexus.client.alert_changes import AlertChanges
from celery_nexus.client.message_changes import MessageChanges
from celery_nexus.client.queue_changes import QueueChanges
from celery_nexus.client.reader import NexusReader
from celery_nexus.client.schedule_changes import ScheduleChanges
from celery_nexus.client.worker_changes import WorkerChanges
from celery_nexus.errors import Invalid

if TYPE_CHECKING:
    from celery import Celery

    from celery_nexus.sources import Sources


class Nexus(NexusReader, MessageChanges, QueueChanges, WorkerChanges, ScheduleChanges, AlertChanges):
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
        return Nexus(_say_how(open_broker(BrokerUrl.parse(where), prefix=prefix, read_only=read_only)))
    if prefix is not None:
        raise Invalid("a prefix is for a broker alone: an application says which its keys are")
    where.loader.import_default_modules()
    where.finalize()
    return Nexus(_say_how(open_application(where, read_only=read_only)))


def _say_how(sources: Sources) -> Sources:
    """Let a refusal say how a program is allowed to change something."""
    return replace(sources, how_to_write="connect without read_only=True to change things")

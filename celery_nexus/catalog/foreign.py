"""Submission of runs to an application whose code is not here, by its own layout.

What is not known is asked for or refused, never guessed: a message in a list that nobody reads is lost.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from celery_nexus.broker import BrokerSource
from celery_nexus.broker.wire.publishing import OLD_PROTOCOL, Publication, due_at
from celery_nexus.catalog.own import CatalogSource, check_options, check_size
from celery_nexus.control.configuration import Configuration
from celery_nexus.control.source import ControlSource
from celery_nexus.delivery.layout import Layout
from celery_nexus.errors import Invalid, NotFound, SourceError
from celery_nexus.rows.catalog import Submitted, TaskType
from celery_nexus.runs.source import HistorySource
from celery_nexus.serializers import formats

LOOK_EVERY_S = 0.2
ENDED = frozenset({"SUCCESS", "FAILURE", "REVOKED"})


@dataclass(frozen=True)
class _Place:
    queue: str
    priority: int | None


class ForeignCatalog(CatalogSource):
    """What can be submitted to an application of which we have no code.

    Args:
        broker: Its queues.
        control: Its workers.
        history: Its runs, as far as they were recorded.
    """

    def __init__(self, broker: BrokerSource, control: ControlSource, history: HistorySource) -> None:
        self._broker = broker
        self._control = control
        self._history = history

    def task_types(self) -> tuple[TaskType, ...]:
        """List the tasks that its workers know, by name."""
        names = sorted({name for tasks in self._registered().values() for name in tasks if not _is_internal(name)})
        return tuple(TaskType(name, queue=self._route(name) or "", is_known=False) for name in names)

    def task_type(self, name: str) -> TaskType:
        """Describe a task: where it goes; its arguments are not known."""
        return TaskType(name, queue=self._route(name) or "", is_known=False)

    def full_name(self, name: str) -> str:
        """Return the name as it is: tasks are looked up when it is known where they go."""
        return name

    def check(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Make sure that the arguments can be sent; what the task takes is not known."""
        del name
        check_size(args, kwargs)

    def queue_of(self, name: str) -> str:
        """Name the queue to which runs of a task go; '' when nobody says it."""
        return self._route(name) or ""

    def submit(
        self,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *,
        priority: int | None = None,
        countdown_s: float | None = None,
        eta: datetime | None = None,
        queue: str | None = None,
        lineage: tuple[str, str] | None = None,
    ) -> Submitted:
        """Publish a message by the application's layout; see :meth:`CatalogSource.submit`.

        Raises:
            NotFound: Nobody knows the queue, or its workers don't know the task.
            Invalid: Where it goes is not known, or its arguments can't be written as the application's messages are.
        """
        check_options(priority, countdown_s, eta)
        publication, level = self._publication(name, args, kwargs, queue, priority)
        run_id = self._broker.publish(replace(publication, eta=due_at(countdown_s, eta), lineage=lineage))
        return Submitted(run_id, name, publication.queue, level)

    def send(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> Submitted:
        """Publish a message as beat would; of its options queue, priority, headers and expires count."""
        expires: Any = options.get("expires")
        publication, level = self._publication(name, args, kwargs, options.get("queue"), options.get("priority"))
        expires_s = expires if isinstance(expires, int | float) else None
        publication = replace(publication, headers=options.get("headers") or {}, expires_s=expires_s)
        return Submitted(self._broker.publish(publication), name, publication.queue, level)

    def _publication(
        self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], queue: str | None, priority: int | None
    ) -> tuple[Publication, int | None]:
        """Find out where a message goes and how it is written, and the priority that is told of it.

        Raises:
            NotFound: Nobody knows the queue, or its workers don't know the task.
            Invalid: Where it goes is not known, or its arguments can't be written as the application's messages are.
        """
        check_size(args, kwargs)
        layout = self._broker.only_layout
        self._control.learn_layout()
        workers = self._control.workers()
        place = queue or self._route(name)
        known = self.queues()
        if place is None:
            raise Invalid(f"where {name} goes is not known: give --queue; there are {', '.join(known) or 'none'}")
        if place not in known:
            raise NotFound(f"nobody knows a queue {place!r}{_near(place, known)}; nothing was queued")
        self._check_task(name, [worker.name for worker in workers if place in worker.queues])
        told = self._control.configuration(layout)
        level = (told.read_whole("task_default_priority") if told else None) if priority is None else priority
        protocol = told.read_whole("task_protocol") or 2 if told else self._protocol(place)
        return Publication(name, args, kwargs, place, level or 0, self._kind(layout, place, told), protocol), level

    def queues(self) -> list[str]:
        """Name the queues that are bound, consumed or filled."""
        return [row.name for row in self._broker.queues(self._control.consumers())]

    def uses_priorities(self) -> bool:
        """Tell whether the application has ever shown that it uses priorities."""
        self._control.learn_layout()
        told = self._control.configuration(self._broker.only_layout)
        if told is not None and told.uses_priorities:
            return True
        return any(sum(row.by_priority[1:]) for row in self._broker.queues()) or self._broker.has_seen_priorities

    def wait(self, run: Submitted, timeout_s: float | None = None) -> tuple[str, Any]:
        """Wait for a run's result on the broker's own Redis; see :meth:`CatalogSource.wait`."""
        run_id = run.id
        elsewhere = self._control.name_other_backend()
        if elsewhere:
            raise SourceError(
                f"{run_id} was queued; its end can't be waited for: the application keeps its results elsewhere "
                f"({elsewhere}), not on the broker"
            )
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            state, value = self._control.result(run_id)
            if state in ENDED:
                return state, value
            if until is not None and time.monotonic() > until:
                place = f"celery-task-meta-{run_id} at {self._broker.url.masked}"
                raise SourceError(
                    f"{run_id} had not ended after {timeout_s:g} s: there is no result of it in {place}; "
                    "it goes on, or its application keeps results elsewhere"
                )
            time.sleep(LOOK_EVERY_S)

    def _route(self, name: str) -> str | None:
        """Find where a task goes: by its last run, by the workers' routes, or because its workers have one queue."""
        self._control.learn_layout()
        told = self._control.configuration(self._broker.only_layout)
        routed = told.queue_of(name) if told else None
        if routed is not None:
            return routed
        runs = (run.queue for run in self._history.runs(f"task:{name}", limit=20) if run.task == name and run.queue)
        last = next(runs, None)
        if last is not None:
            return last
        queues = {queue for worker in self._control.workers() for queue in worker.queues}
        return next(iter(queues)) if len(queues) == 1 else None

    def _registered(self) -> dict[str, dict[str, str]]:
        names = [worker.name for worker in self._control.workers() if worker.pool is not None]
        return self._control.list_registered_tasks(names)

    def _check_task(self, name: str, consumers: list[str]) -> None:
        """Make sure that a worker of the queue knows the task, as far as one says what it knows.

        Raises:
            NotFound: All of them answer, and none does.
        """
        known = self._control.list_registered_tasks(consumers)
        if not known or len(known) < len(consumers) or any(name in tasks for tasks in known.values()):
            return
        names = [task for tasks in known.values() for task in tasks if not _is_internal(task)]
        raise NotFound(f"no worker of that queue knows the task {name!r}{_near(name, names)}; nothing was queued")

    def _kind(self, layout: Layout, queue: str, told: Configuration | None) -> str:
        """Choose the format: what the configuration says, else that of the messages which wait, else JSON."""
        word = told.read_text("task_serializer", "json") if told else None
        seen = self._broker.content_types(layout.prefix, queue) or self._broker.content_types(layout.prefix)
        kind = formats.NAMES.get(word, word) if word else next(iter(seen), formats.JSON)
        if told and not {kind, word} & set(told.accepted):
            kind = next((formats.NAMES.get(item, item) for item in told.accepted), kind)
        if not formats.is_known(kind):
            raise Invalid(f"its messages are {kind}, which is not written here; nothing was queued")
        return kind

    def _protocol(self, queue: str) -> int:
        rows = self._broker.messages(queue, limit=1)
        is_old = bool(rows) and bool(rows[0].task) and "lang" not in rows[0].headers
        return OLD_PROTOCOL if is_old else 2


def _is_internal(name: str) -> bool:
    return name.startswith("celery.")


def _near(name: str, known: Iterable[str]) -> str:
    """Name what was perhaps meant."""
    names = list(dict.fromkeys(known))
    tail = [other for other in names if other.rpartition(".")[2] == name.rpartition(".")[2]]
    near = tail or difflib.get_close_matches(name, names, 3, 0.6) or names[:5]
    return f"; did you mean {', '.join(near)}?" if near else ""

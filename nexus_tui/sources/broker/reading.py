"""What the broker says: queues, the messages that wait in them, who holds the rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

from config.broker_url import BrokerUrl
from config.queues import PRIORITIES, PRIORITY_SEPARATOR, QUEUES
from nexus_tui.models.broker import Held, Message, QueueStats, UnreadList
from nexus_tui.sources.broker.connection import reaching
from nexus_tui.sources.broker.layout import Layout
from nexus_tui.sources.broker.observe import Observer
from nexus_tui.sources.broker.parts import Parts
from nexus_tui.sources.errors import Invalid, NotFound

if TYPE_CHECKING:
    from nexus_tui.sources.broker.audit import AuditLog

_REGISTRY = tuple(spec.name for spec in QUEUES)


class BrokerReader:
    """Reads the queues of one Celery application on Redis. May be shared by threads.

    Args:
        url: The broker.
        queues: Queues that are shown even when nothing is known of them, in this order.
        separator: Between a queue's name and its priority in the name of a list.
        steps: Priorities that have a list of their own, ascending from 0.
        prefix: The application's ``global_keyprefix``.
        declared: Queues that the registry names.

    Attributes:
        ages: How long messages wait that carry no time; ask it there when they were sent.
    """

    def __init__(
        self,
        url: BrokerUrl,
        *,
        queues: Sequence[str] = _REGISTRY,
        separator: str = PRIORITY_SEPARATOR,
        steps: Sequence[int] = PRIORITIES,
        prefix: str = "",
        declared: Sequence[str] = _REGISTRY,
    ) -> None:
        self.url = url
        self.layout = Layout(separator, tuple(steps), prefix)
        self._parts = Parts(url, self.layout)
        self._observer = Observer(self._parts.reader, self.layout, queues, declared)
        self.ages = self._observer.ages
        self._lock = threading.Lock()

    @property
    def audit(self) -> AuditLog:
        """The log of every change."""
        return self._parts.audit

    @classmethod
    def foreign(cls, url: BrokerUrl) -> Self:
        """Make the source of an application that we know nothing of; its layout is read off the broker.

        Raises:
            Unreachable: The broker does not answer.
        """
        from nexus_tui.sources.broker.detect import detect

        found = detect(url)
        if found == Layout():  # one of ours under another address
            return cls(url)
        return cls(url, queues=(), declared=(), separator=found.separator, steps=found.steps, prefix=found.prefix)

    def ping(self) -> float:
        """Return the seconds that one answer of the broker takes."""
        started = time.perf_counter()
        with reaching(self.url):
            self._parts.reader.ping()
        return time.perf_counter() - started

    def describe(self) -> str:
        """Say what the broker is: ``valkey 9.1.2 unix socket``."""
        with reaching(self.url):
            info: dict[str, object] = self._parts.reader.info("server")  # pyright: ignore[reportAssignmentType]
        kind = str(info.get("server_name") or "redis")
        version = info.get(f"{kind}_version") or info.get("redis_version", "?")
        place = "unix socket" if self.url.path else f"{self.url.host}:{self.url.port}"
        return f"{kind} {version} {place}"

    def recorder_trouble(self) -> str:
        """Read what keeps the recorder from writing the history, in its own words; empty when nothing does."""
        from workers.history.trouble import trouble

        with reaching(self.url):
            return trouble(self._parts.reader) or ""

    def queues(self, consumers: Mapping[str, tuple[str, ...]] | None = None) -> tuple[QueueStats, ...]:
        """Read every queue in one round trip.

        Args:
            consumers: Workers by queue, as ``ControlSource.consumers`` tells them; None when nobody knows.
        """
        with self._lock, reaching(self.url):
            return self._observer.read(consumers)

    @property
    def missing(self) -> str:
        """What the broker does not let its user read, as far as was noticed; empty when nothing is missing."""
        return self._observer.missing

    def queue(self, name: str) -> QueueStats:
        """Read one queue.

        Raises:
            NotFound: Neither the registry nor the broker knows it.
        """
        for row in self.queues():
            if row.name == name:
                return row
        raise self._no_queue(name)

    def check_queue(self, name: str) -> None:
        """Make sure that a queue is declared or bound on the broker.

        Raises:
            NotFound: It is neither.
        """
        if name in self._order(None):
            return
        with self._lock, reaching(self.url):
            self._observer.discover()
        if name not in self._order(None):
            raise self._no_queue(name)

    @staticmethod
    def check_priority(priority: int) -> None:
        """Make sure that a priority exists.

        Raises:
            Invalid: It is outside 0…9.
        """
        from nexus_tui.sources.broker.edits import check_priority

        check_priority(priority)

    def messages(self, queue: str, limit: int = 50, offset: int = 0) -> list[Message]:
        """Read a page of a queue's messages in run order; position 0 is next."""
        if limit < 0 or offset < 0:
            raise Invalid("limit and offset can't be negative")
        with reaching(self.url):
            return self._parts.browser.page(queue, limit, offset)

    def count_by_task(self, queue: str) -> dict[str, int]:
        """Count a queue's messages by task name, most frequent first; empty name: no Celery message."""
        with reaching(self.url):
            return self._parts.browser.count_by_task(queue)

    def find(self, run_id: str, *, queue: str | None = None, priority: int | None = None) -> Message | None:
        """Find the message of a run that waits, for its turn or for its time.

        Args:
            run_id: Its full id.
            queue: Where to look first.
            priority: Which list of that queue to look at first.
        """
        with reaching(self.url):
            for name in self._order(queue):
                lengths = self._parts.browser.lengths(name)
                for step in self._steps_with(lengths, priority if name == queue else None):
                    before = sum(lengths[: self.layout.steps.index(step)])
                    found = self._parts.browser.find(name, step, run_id, before)
                    if found is not None:
                        return found
                delayed = self._parts.browser.find_delayed(name, run_id)
                if delayed is not None:
                    return delayed
        return None

    def ids(self, prefix: str, limit: int = 10) -> list[str]:
        """List ids of messages that wait or are held by a worker, and begin with ``prefix``."""
        found: list[str] = []
        with reaching(self.url):
            for name in self._order(None):
                for step in self._steps_with(self._parts.browser.lengths(name), None):
                    found += self._parts.browser.ids(name, step, prefix, limit)
                    if len(found) >= limit:
                        return found[:limit]
                found += self._parts.browser.delayed_ids(name, prefix)
            held = (row.id for row in self._parts.holdings.all() if row.id.startswith(prefix))
        return list(dict.fromkeys((*found, *held)))[:limit]

    def unread_lists(self) -> list[UnreadList]:
        """Find lists that hold messages of a known queue, and that none of its workers reads; looks at every key."""
        with self._lock, reaching(self.url):
            self._observer.discover()
        with reaching(self.url):
            return self._parts.unread.find(self._order(None))

    def is_unacked(self, run_id: str) -> bool:
        """Tell whether a worker has taken a run's message and not acknowledged it: it runs, or comes back."""
        with reaching(self.url):
            return self._parts.browser.is_unacked(run_id)

    def held(self, limit: int = 1000) -> list[Held]:
        """List what workers hold, the longest held first."""
        with reaching(self.url):
            return self._parts.holdings.all(limit)

    def held_run(self, run_id: str) -> Held | None:
        """Find the message of a run among what workers hold."""
        with reaching(self.url):
            return self._parts.holdings.find(run_id)

    def is_revoked(self, run_id: str) -> bool:
        """Tell whether an operator revoked a run."""
        with reaching(self.url):
            return self._parts.herald.is_revoked(run_id)

    def _no_queue(self, name: str) -> NotFound:
        return NotFound(f"no queue {name!r}; there are {', '.join(self._order(None))}")

    def _order(self, first: str | None) -> list[str]:
        with self._lock:
            names = list(self._observer.names)
        return ([first] if first else []) + [name for name in names if name != first]

    def _steps_with(self, lengths: list[int], first: int | None) -> list[int]:
        filled = [step for step, length in zip(self.layout.steps, lengths, strict=True) if length]
        hinted = None if first is None else self.layout.step(first)
        return sorted(filled, key=lambda step: (step != hinted, step))

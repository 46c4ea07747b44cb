"""Reader of the broker: queues, their waiting messages, and the messages that workers hold."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from celery_nexus.application_code import NO_CODE, ApplicationCode
from celery_nexus.broker.applications import Application, Applications
from celery_nexus.broker.parts import Parts
from celery_nexus.broker.read.ages import Ages
from celery_nexus.broker.read.survey import FIRST_LOOK_S, Survey, Told
from celery_nexus.broker.server import Server
from celery_nexus.broker.wire.connection import connect, refuse_cluster, translate_errors
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.delivery.layout import Layout
from celery_nexus.errors import Invalid, NotFound
from celery_nexus.queues import PRIORITIES, PRIORITY_SEPARATOR
from celery_nexus.rows.broker import Held, Message, QueueStats, UnreadList
from celery_nexus.rows.selection import Selection
from celery_nexus.rows.workflows import BrokerView

if TYPE_CHECKING:
    from celery_nexus.broker.edit.audit import AuditLog
    from celery_nexus.broker.read.search import MessageSearch

HELD = 1000


class BrokerReader(Server):
    """Reads the queues of Celery applications on a Redis, ours or those of somebody else. May be shared by threads.

    Somebody else's broker may hold several applications, each with a prefix of its own: all are read, their queues
    named with the prefix, and none is changed until one is chosen.

    Args:
        url: The broker.
        code: The application's code: its queues, and what its tasks' signatures say is private.
        queues: Queues that are shown even when nothing is known of them, in this order; None: all declared.
        separator: Between a queue's name and its priority in the name of a list.
        steps: Priorities that have a list of their own, ascending from 0.
        prefix: The application's ``global_keyprefix``.
        declared: Queues that the application declared; None: all of its registry.
        survey: Finds the applications of somebody else's broker and how each lays out its keys; None on our own.

    Attributes:
        ages: How long messages wait that carry no time; ask it there when they were sent.
        code: The application's code.
        is_own: Whether it is our own stack; told by who makes the source, never read off the broker.
        ask_layout: Lets workers say how they lay out their keys, before anything is put where nobody may read it.
    """

    def __init__(
        self,
        url: BrokerUrl,
        *,
        code: ApplicationCode = NO_CODE,
        queues: Sequence[str] | None = None,
        separator: str = PRIORITY_SEPARATOR,
        steps: Sequence[int] = PRIORITIES,
        prefix: str = "",
        declared: Sequence[str] | None = None,
        survey: Survey | None = None,
    ) -> None:
        self.is_own = survey is None
        self.code = code
        self.ages = Ages()
        self.ask_layout: Callable[[], object] = lambda: None
        self._lock = threading.RLock()
        names = code.queues.names
        self._main = Parts(url, Layout(separator, tuple(steps), prefix), is_own=self.is_own, code=code)
        shown, declared = (names if given is None else given for given in (queues, declared))
        super().__init__(url, self._main.reader, prefix)
        self._applications = Applications(self._main, self.ages, survey, shown, declared)

    @property
    def layout(self) -> Layout:
        """How the application names its keys, as far as it is known now; of several the first."""
        return self._applications.rows[0].layout

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """How each application names its keys, as far as it is known now.

        Raises:
            Unreachable: The broker does not answer.
        """
        with self._lock, translate_errors(self.url):
            self._applications.look()
        return tuple(application.layout for application in self._applications.rows)

    @property
    def only_layout(self) -> Layout:
        """How the one application that is changed names its keys.

        Raises:
            Invalid: There are several, and none was chosen.
        """
        return self._parts.layout

    @property
    def has_seen_priorities(self) -> bool:
        """Whether a list of another priority than 0 was ever seen."""
        return self._applications.has_seen_priorities

    @property
    def _parts(self) -> Parts:
        """What changes the application.

        Raises:
            Invalid: There are several, and none was chosen.
        """
        return self._applications.only.parts

    @property
    def audit(self) -> AuditLog:
        """The log of every change."""
        return self._parts.audit

    @classmethod
    def open_foreign(
        cls, url: BrokerUrl, prefix: str | None = None, *, code: ApplicationCode = NO_CODE, queues: Sequence[str] = ()
    ) -> Self:
        """Make the source of applications that are not ours; their layouts are read off the broker.

        Args:
            url: The broker.
            prefix: The only application to look at; None: all that are there.
            code: Its code, if it is here.
            queues: Queues that are shown even when nothing is seen of them.

        Raises:
            Unreachable: The broker does not answer.
            Refused: It is a Redis Cluster.
        """
        with closing(connect(url)) as first:  # a server that hangs is not asked again and again: that takes long
            refuse_cluster(first, url)
        client = connect(url, attempts=2)
        survey = Survey(client, prefix)
        with translate_errors(url):
            survey.look(FIRST_LOOK_S)
        return cls(url, code=code, queues=queues, declared=(), survey=survey)

    def learn(self, prefix: str, told: Told) -> None:
        """Take in what the workers of an application say of their layout."""
        with self._lock, translate_errors(self.url):
            self._applications.learn(prefix, told)

    def content_types(self, prefix: str, queue: str | None = None) -> tuple[str, ...]:
        """List the formats of an application's messages, the most frequent first, by the next one of each list.

        Args:
            prefix: Of the application.
            queue: One queue of it; None for all.
        """
        with self._lock, translate_errors(self.url):
            return self._applications.content_types(prefix, queue)

    def queues(self, consumers: Mapping[str, tuple[str, ...]] | None = None) -> tuple[QueueStats, ...]:
        """Read every queue in one round trip.

        Args:
            consumers: Workers by queue, as ``ControlSource.consumers`` tells them; None when nobody knows.
        """
        rows: list[QueueStats] = []
        with self._lock, translate_errors(self.url):
            self._applications.look()
            self.ages.begin(time.time())
            for application in self._applications.rows:
                mine = self._applications.consumers_of(application, consumers)
                read = application.observer.read(mine)
                rows += (replace(row, name=self._applications.name_shown(application, row.name)) for row in read)
        return tuple(rows)

    def read_heads(self, queues: Sequence[str], *, first_priority_only: bool = False) -> dict[str, str]:
        """Digest the next message of queues, to see later whether somebody took it; empty ones are left out.

        Args:
            queues: Their names; each message is read whole, so name few.
            first_priority_only: Whether to look only at the lists without a priority, which every worker reads.
        """
        with translate_errors(self.url):
            places = [(shown, *self._applications.of_queue(shown)) for shown in queues]
            found = {
                shown: application.parts.browser.read_head(name, first_priority_only=first_priority_only)
                for shown, application, name in places
            }
        return {name: digest for name, digest in found.items() if digest}

    @property
    def missing(self) -> str:
        """What the broker does not let its user read, as far as was noticed; empty when nothing is missing."""
        return next((row.observer.missing for row in self._applications.rows if row.observer.missing), "")

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
        with self._lock, translate_errors(self.url):
            self._applications.look()
            for application in self._applications.rows:
                application.observer.discover()
        if name in self._order(None):
            return
        refuse_cluster(self._main.reader, self.url)
        raise self._no_queue(name)

    @staticmethod
    def check_priority(priority: int) -> None:
        """Make sure that a priority exists.

        Raises:
            Invalid: It is outside 0…9.
        """
        from celery_nexus.broker.edit.edits import check_priority

        check_priority(priority)

    def messages(self, queue: str, limit: int = 50, offset: int = 0) -> list[Message]:
        """Read a page of a queue's messages in run order; position 0 is next."""
        if limit < 0 or offset < 0:
            raise Invalid("limit and offset can't be negative")
        application, name = self._applications.of_queue(queue)
        with translate_errors(self.url):
            rows = application.parts.browser.page(name, limit, offset)
        return [self._shown_message(application, row) for row in rows]

    def search(self, queue: str, filter_text: str) -> MessageSearch:
        """Begin to look for a queue's messages that match a filter; raises ``Invalid`` for one that is wrong."""
        application, name = self._applications.of_queue(queue)
        return application.parts.search(Selection(name, filter_text), shown_as=queue)

    def _shown_message(self, application: Application, message: Message) -> Message:
        queue = self._applications.name_shown(application, message.queue)
        return message if queue == message.queue else replace(message, queue=queue)

    def count_by_task(self, queue: str) -> dict[str, int]:
        """Count a queue's messages by task name, most frequent first; empty name: no Celery message."""
        application, name = self._applications.of_queue(queue)
        with translate_errors(self.url):
            return application.parts.browser.count_by_task(name)

    def find(self, run_id: str, *, queue: str | None = None, priority: int | None = None) -> Message | None:
        """Find the message of a run that waits, for its turn or for its time.

        Args:
            run_id: Its full id.
            queue: Where to look first.
            priority: Which list of that queue to look at first.
        """
        with translate_errors(self.url):
            for name in self._order(queue):
                application, own_name = self._applications.of_queue(name)
                found = application.find(own_name, run_id, priority if name == queue else None)
                if found is not None:
                    return self._shown_message(application, found)
        return None

    def ids(self, prefix: str, limit: int = 10) -> list[str]:
        """List ids of messages that wait or are held by a worker, and begin with ``prefix``."""
        found: list[str] = []
        with translate_errors(self.url):
            for shown in self._order(None):
                application, name = self._applications.of_queue(shown)
                found += application.ids(name, prefix, limit)
                if len(found) >= limit:
                    return found[:limit]
            held = (row.id for row in self._applications.list_held(HELD) if row.id.startswith(prefix))
        return list(dict.fromkeys((*found, *held)))[:limit]

    def unread_lists(self) -> list[UnreadList]:
        """Find lists that hold messages of a known queue, and that none of its workers reads; looks at every key."""
        with self._lock, translate_errors(self.url):
            for application in self._applications.rows:
                application.observer.discover()
        with translate_errors(self.url):
            return self._parts.unread.find(self._order(None))

    def view_workflow(self, run_ids: Collection[str], groups: Sequence[str]) -> BrokerView:
        """Find the messages of a workflow, by the ids of its runs and groups, and the counters of its chords."""
        from celery_nexus.broker.read import announced

        self._order(None)  # who asks by id has not looked at queues yet
        with translate_errors(self.url):
            places = [(row.layout, row.observer.known) for row in self._applications.rows]
            return announced.view_workflow(self._main.reader, places, run_ids, groups)

    def is_unacked(self, run_id: str) -> bool:
        """Tell whether a worker has taken a run's message and not acknowledged it: it runs, or comes back."""
        with translate_errors(self.url):
            return any(row.parts.browser.is_unacked(run_id) for row in self._applications.rows)

    def list_held(self, limit: int = HELD) -> list[Held]:
        """List what workers hold, the longest held first."""
        with translate_errors(self.url):
            return self._applications.list_held(limit)

    def find_held(self, run_id: str) -> Held | None:
        """Find the message of a run among what workers hold."""
        with translate_errors(self.url):
            return self._applications.find_held(run_id)

    def is_revoked(self, run_id: str) -> bool:
        """Tell whether an operator revoked a run; of a foreign application its own workers alone know that."""
        if not self.is_own:
            return False
        with translate_errors(self.url):
            return self._parts.announcements.is_revoked(run_id)

    def queue_names(self) -> tuple[str, ...]:
        """Name the queues that the application declared; of one that declared none, those that are seen."""
        return self.code.queues.names or tuple(self._order(None))

    def _no_queue(self, name: str) -> NotFound:
        unknown = f" ({self.missing})" if self.missing else ""
        return NotFound(f"no queue {name!r}; there are {', '.join(self._order(None)) or 'none'}{unknown}")

    def _order(self, first: str | None) -> list[str]:
        with self._lock, translate_errors(self.url):
            for application in self._applications.rows:  # who asks by id has not looked at queues yet
                application.observer.discover_once()
            names = [
                self._applications.name_shown(row, name)
                for row in self._applications.rows
                for name in row.observer.known
            ]
        return ([first] if first else []) + [name for name in names if name != first]

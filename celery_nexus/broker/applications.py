"""Applications on one broker: our own alone, or those that a survey of a foreign broker finds."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from celery_nexus.broker.parts import Parts
from celery_nexus.broker.read.ages import Ages
from celery_nexus.broker.read.observe import Observer
from celery_nexus.broker.read.survey import Survey, Told
from celery_nexus.delivery.layout import Layout
from celery_nexus.errors import Invalid
from celery_nexus.rows.broker import Held, Message

_CONTENT_TYPE = re.compile(rb'"content-type": ?"(?P<kind>[\w/.+-]{1,80})"')


@dataclass
class Application:
    """One Celery application on a broker: its layout as it is known now, and what reads it."""

    layout: Layout
    parts: Parts
    observer: Observer

    def find(self, queue: str, run_id: str, priority: int | None) -> Message | None:
        """Find the message of a run that waits in a queue, for its turn or for its time; a priority's list first."""
        browser, lengths = self.parts.browser, self.parts.browser.lengths(queue)
        for step in self._filled_steps(lengths, priority):
            found = browser.find(queue, step, run_id, sum(lengths[: self.layout.steps.index(step)]))
            if found is not None:
                return found
        return browser.find_delayed(queue, run_id)

    def ids(self, queue: str, prefix: str, limit: int) -> list[str]:
        """List ids of messages that wait in a queue, for their turn or for their time, and begin with ``prefix``."""
        found: list[str] = []
        for step in self._filled_steps(self.parts.browser.lengths(queue)):
            found += self.parts.browser.ids(queue, step, prefix, limit)
            if len(found) >= limit:
                return found[:limit]
        return found + self.parts.browser.list_delayed_ids(queue, prefix)

    def _filled_steps(self, lengths: list[int], first: int | None = None) -> list[int]:
        """List the steps whose lists are not empty, the one of a priority in front."""
        filled = [step for step, length in zip(self.layout.steps, lengths, strict=True) if length]
        hinted = None if first is None else self.layout.step(first)
        return sorted(filled, key=lambda step: (step != hinted, step))


class Applications:
    """Keeps what reads each application. Not thread-safe: the source that owns it locks.

    Args:
        main: Parts of our own application, or of none; gives the connections.
        ages: Remembers messages that carry no time, of all applications.
        survey: What is seen of somebody else's broker; None on our own.
        queues: Queues that are always shown.
        declared: Queues of the registry.

    Attributes:
        rows: One of each, by prefix.
    """

    def __init__(
        self, main: Parts, ages: Ages, survey: Survey | None, queues: Sequence[str], declared: Sequence[str]
    ) -> None:
        self._main = main
        self._ages = ages
        self._survey = survey
        self._always_shown = queues
        self._adopted: Sequence[Layout] = ()
        self.rows: list[Application] = []
        if survey is None:
            self.rows = [self._application(main, queues, declared)]
        else:
            self._adopt(survey.layouts)

    @property
    def only(self) -> Application:
        """The application.

        Raises:
            Invalid: There are several, and none was chosen.
        """
        if len(self.rows) > 1:
            names = ", ".join(f"--prefix {shlex.quote(row.layout.prefix)}" for row in self.rows)
            raise Invalid(f"{len(self.rows)} applications share this database: choose one ({names})")
        return self.rows[0]

    @property
    def has_seen_priorities(self) -> bool:
        """Whether a list of another priority than 0 was ever seen."""
        return self._survey is None or self._survey.has_seen_priorities

    def learn(self, prefix: str, told: Told) -> None:
        """Take in what the workers of an application say of their layout."""
        if self._survey is not None:
            self._survey.learn(prefix, told)
            self._adopt(self._survey.look(0.0))

    def look(self) -> None:
        """Look on, a step: applications, lists and hashes are seen when they appear."""
        if self._survey is None:
            return
        layouts = self._survey.look(0.0)
        if layouts is not self._adopted:  # asked for with each worker: mostly nothing was concluded meanwhile
            self._adopt(layouts)

    def _adopt(self, layouts: Sequence[Layout]) -> None:
        self._adopted = layouts
        known = {application.layout.prefix: application for application in self.rows}
        if len(known) == 1 and len(layouts) == 1:  # the application that was only assumed has come, with its prefix
            known = {layouts[0].prefix: next(iter(known.values()))}
        now: list[Application] = []
        for layout in layouts:
            application = known.get(layout.prefix) or self._application(self._main.of(layout), self._always_shown)
            if application.layout != layout:
                application.observer.adopt(layout)
                application.layout, application.parts = layout, self._main.of(layout)
            if self._survey is not None:
                application.observer.is_flight_hidden = self._survey.hides_unacked(layout)
            now.append(application)
        self.rows = now

    def list_held(self, limit: int) -> list[Held]:
        """List what workers hold, of each application the longest held first, at most so many."""
        return [
            replace(row, queue=self.name_shown(application, row.queue))
            for application in self.rows
            for row in application.parts.holdings.list_all(limit, application.observer.routes)
        ]

    def find_held(self, run_id: str) -> Held | None:
        """Find the message of a run among what workers hold."""
        for application in self.rows:
            found = application.parts.holdings.find(run_id, application.observer.routes)
            if found is not None:
                return replace(found, queue=self.name_shown(application, found.queue))
        return None

    def name_shown(self, application: Application, queue: str) -> str:
        """Name a queue as people see it: with its application's prefix, when there are several."""
        return f"{application.layout.prefix}{queue}" if len(self.rows) > 1 else queue

    def of_queue(self, name: str) -> tuple[Application, str]:
        """Find the application of a queue as it is shown, and the queue's own name."""
        if len(self.rows) == 1:
            return self.rows[0], name
        fitting = [row for row in self.rows if name.startswith(row.layout.prefix)]
        fitting.sort(key=lambda row: len(row.layout.prefix))
        known = [row for row in fitting if name.removeprefix(row.layout.prefix) in row.observer.names]
        application = (known or fitting or self.rows)[-1]
        return application, name.removeprefix(application.layout.prefix)

    def content_types(self, prefix: str, queue: str | None) -> tuple[str, ...]:
        """List the formats of an application's messages, the most frequent first."""
        application = next((row for row in self.rows if row.layout.prefix == prefix), self.rows[0])
        if not application.observer.names:
            application.observer.discover()
        names = application.observer.names if queue is None else (queue,)
        pipeline = self._main.reader.pipeline(transaction=False)
        for name in names:
            for key in application.layout.keys(name):
                pipeline.lindex(key, -1)
        pipeline.hscan(application.layout.unacked, 0, count=1)
        *waiting, held = pipeline.execute(raise_on_error=False)
        raws = [raw for raw in waiting if isinstance(raw, bytes)]
        raws += [] if queue or isinstance(held, Exception) else list(held[1].values())[:1]
        found = Counter(kind["kind"].decode() for raw in raws if (kind := _CONTENT_TYPE.search(raw)))
        return tuple(kind for kind, _ in found.most_common())

    def consumers_of(
        self, application: Application, consumers: Mapping[str, tuple[str, ...]] | None
    ) -> Mapping[str, tuple[str, ...]] | None:
        """Pick the consumers of an application's queues, which are named as they are shown."""
        prefix = application.layout.prefix
        if consumers is None or len(self.rows) == 1:
            return consumers
        return {
            name.removeprefix(prefix): who for name, who in consumers.items() if self.of_queue(name)[0] is application
        }

    def _application(self, parts: Parts, queues: Sequence[str] = (), declared: Sequence[str] = ()) -> Application:
        observer = Observer(parts.reader, parts.layout, queues, declared)
        observer.ages = self._ages
        return Application(parts.layout, parts, observer)

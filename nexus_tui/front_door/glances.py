"""Glances at the contexts of a user: how much waits on each broker, how long, and what failed; nothing is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from celery_nexus.connection.errors import ConfigError
from celery_nexus.errors import Invalid
from celery_nexus.rows import moment
from celery_nexus.rows.broker import QueueStats
from celery_nexus.sources import Sources
from nexus_tui.front_door.contexts import Context, ContextsFile
from nexus_tui.front_door.opening import open_broker_of
from nexus_tui.threads.poller import Feed

HOUR_S = 3600.0
EVERY_S = 5.0
"""Pause between two glances at one broker."""


@dataclass(frozen=True, slots=True)
class Glance:
    """One look at a broker.

    Attributes:
        waiting: Messages in all its queues.
        in_flight: Messages that workers hold; None: unknown.
        oldest_age_s: Age of the oldest that waits; None: unknown, or nothing waits.
        failed: Runs that failed in the last hour; None: its history is not recorded here.
    """

    waiting: int
    in_flight: int | None
    oldest_age_s: float | None
    failed: int | None


@dataclass(frozen=True, slots=True)
class ContextRow:
    """A context and what is known of its broker.

    Attributes:
        context: As the file says it.
        glance: The last look; None: there was none yet, or there is none.
        trouble: Why there is none, or why it is old; empty when it is fresh.
        is_open: Whether the dashboard shows it.
    """

    context: Context
    glance: Glance | None = None
    trouble: str = ""
    is_open: bool = False

    @property
    def name(self) -> str:
        """What it is called."""
        return self.context.name


class Glances:
    """Looks at the brokers of all contexts, each in a thread of its own: one that hangs holds no other up.

    Args:
        found: The user's file.
        current: Name of the context that is open, and how it is looked at; None: none is.
        changed: Called in a thread when there is something new to show.
    """

    def __init__(
        self, found: ContextsFile, current: tuple[str, Callable[[], Glance]] | None, changed: Callable[[], object]
    ) -> None:
        self._found = found
        self._current = current
        self._feeds = {
            name: Feed("broker", reader, changed, interval_s=EVERY_S)
            for name, context in found.contexts.items()
            if (reader := self._reader_of(context)) is not None
        }

    def start(self) -> None:
        """Begin to look."""
        for feed in self._feeds.values():
            feed.start()

    def stop(self) -> None:
        """Stop after the looks that are under way."""
        for feed in self._feeds.values():
            feed.stop()

    def look_now(self) -> None:
        """Look at all of them now."""
        for feed in self._feeds.values():
            feed.read_now()

    def rows(self) -> tuple[ContextRow, ...]:
        """Return what is known, in the order of the file."""
        return tuple(map(self._row, self._found.contexts.values()))

    def _row(self, context: Context) -> ContextRow:
        is_open = self._current is not None and context.name == self._current[0]
        feed = self._feeds.get(context.name)
        if feed is None:
            return ContextRow(context, trouble=self._obstacle(context), is_open=is_open)
        return ContextRow(context, feed.reading.value, feed.trouble(moment.now()), is_open)

    def _obstacle(self, context: Context) -> str:
        """Say why a broker can't be looked at; empty when it can."""
        wrong = [problem for problem in self._found.problems if problem.context == context.name]
        missing = context.list_missing_variables(os.environ)
        if wrong:
            return f"wrong: {wrong[0]}"
        if missing:
            return f"{' and '.join(missing)} not set"
        return "" if context.broker else "its application says which broker, once it is opened"

    def _reader_of(self, context: Context) -> Callable[[], Glance] | None:
        if self._current is not None and context.name == self._current[0]:
            return self._current[1]
        if self._obstacle(context):
            return None
        opened: list[Sources] = []

        def read() -> Glance:
            if not opened:
                try:
                    opened.append(open_broker_of(context))
                except ConfigError as wrong:
                    raise Invalid(str(wrong)) from None
            return read_glance(opened[0])

        return read


def read_glance(sources: Sources) -> Glance:
    """Look at a broker once; only what everybody may read is asked for.

    Raises:
        SourceError: It does not answer, or refuses.
    """
    ended = None
    if sources.history.exists:
        ended = sources.history.stats(moment.now().timestamp() - HOUR_S, by_task=False)
    return sum_up(sources.broker.queues(), None if ended is None else sum(row.failed for row in ended))


def sum_up(queues: Sequence[QueueStats], failed: int | None) -> Glance:
    """Make a glance of queues that were read, and of how many runs failed in the last hour."""
    held = [queue.in_flight for queue in queues if queue.in_flight is not None]
    ages = [queue.oldest_age_s for queue in queues if queue.oldest_age_s is not None]
    return Glance(
        waiting=sum(queue.waiting for queue in queues),
        in_flight=sum(held) if held or not queues else None,
        oldest_age_s=max(ages, default=None),
        failed=failed,
    )

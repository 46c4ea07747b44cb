"""Counters of runs that go on growing: everything since the year began, of which past days are added up only once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from celery_nexus.rows.history import RunTotals

DAY_MINUTES = 24 * 60
SETTLE_MINUTES = 120
"""Delay after the end of a day until it is added up for good: events may come late."""


class Past(Protocol):
    """A history that adds up what happened between two minutes since the epoch."""

    def totals(self, first_minute: int, end_minute: int) -> list[RunTotals]:
        """Return what became of runs, by task, queue and state."""
        ...


@dataclass(slots=True)
class Tally:
    """What became of the runs of one task on one queue, in one state.

    Attributes:
        count: How often.
        waited: Seconds from sent to started, and how often.
        ran: Seconds from started to the end, and how often.
    """

    count: int = 0
    waited: Counter[float] = field(default_factory=Counter[float])
    ran: Counter[float] = field(default_factory=Counter[float])

    def add(self, row: RunTotals) -> None:
        """Add what happened in another time."""
        self.count += row.count
        for seconds, times in row.waited:
            self.waited[seconds] += times
        for seconds, times in row.ran:
            self.ran[seconds] += times

    def copy(self) -> Tally:
        """Return another one with the same counts."""
        return Tally(self.count, self.waited.copy(), self.ran.copy())


Key = tuple[str, str, str]
"""Task, queue, state."""


class YearTotals:
    """Adds up a history since 1 January (UTC): a counter falls to zero once a year, as after a restart, and never else.

    The history keeps its aggregates for more than a year, so that none of it is missing.
    """

    def __init__(self, past: Past) -> None:
        self._past = past
        self._origin = 0
        self._closed_to = 0
        self._closed: dict[Key, Tally] = {}

    def read(self, now: float) -> dict[Key, Tally]:
        """Return all counts as of a time in seconds since the epoch.

        Raises:
            Unreachable: The history can't be read.
        """
        minute = int(now // 60)
        origin = int(datetime(datetime.fromtimestamp(now, UTC).year, 1, 1, tzinfo=UTC).timestamp() // 60)
        if origin != self._origin:
            self._origin = self._closed_to = origin
            self._closed = {}
        self._close(max(origin, (minute - SETTLE_MINUTES) // DAY_MINUTES * DAY_MINUTES))
        found = {key: tally.copy() for key, tally in self._closed.items()}
        add_up(found, self._past.totals(self._closed_to, minute + 1))
        return found

    def _close(self, until: int) -> None:
        if until > self._closed_to:
            add_up(self._closed, self._past.totals(self._closed_to, until))
            self._closed_to = until


def add_up(tallies: dict[Key, Tally], rows: Sequence[RunTotals]) -> None:
    """Add rows to the tallies of their task, queue and state."""
    for row in rows:
        tallies.setdefault((row.task, row.queue, row.state), Tally()).add(row)

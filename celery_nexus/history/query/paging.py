"""Pagination over all runs that match a filter, in constant memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from celery_nexus.history.encoding import COUNTERS
from celery_nexus.history.query.history import History
from celery_nexus.rows.runs import Run

PAGE = 2_000


def find_oldest_time(history: History) -> float | None:
    """Return the time of the oldest run, in seconds since the epoch; None when there is none."""

    def question(connection: sqlite3.Connection) -> float | None:
        key = connection.execute("select min(key) from run").fetchone()[0]
        return None if key is None else key // COUNTERS / 1e6

    return history.ask(question, None)


def walk(history: History, filter_text: str = "", page: int = PAGE) -> Iterator[Run]:
    """Yield the runs that match a filter, newest first, each once.

    Every page is a snapshot of its own, so that a long walk holds up neither the recorder nor its clean-up; what
    is recorded meanwhile is newer than what was yielded, and left out.

    Raises:
        FilterError: The filter can't be understood.
    """
    after: int | None = None
    while True:
        found = history.page(filter_text, limit=page, after=after)
        yield from found.runs
        if found.next is None:
            return
        after = found.next

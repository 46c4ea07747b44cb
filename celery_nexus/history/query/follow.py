"""Changes since a reader looked last, from the log of changes (:mod:`celery_nexus.history.store.change_log`)."""

from __future__ import annotations

import sqlite3
import time

from celery_nexus.filters.parser import parse
from celery_nexus.history.filter.sql import compile_filter, load_names
from celery_nexus.history.query.history import History, load_runs
from celery_nexus.rows.history import Changes
from celery_nexus.rows.runs import Run

_READ = 2_000


def read_last_change(history: History) -> int:
    """Return the number of the last change; 0 when nothing was ever noted."""
    return history.ask(_latest, 0)


def changes(history: History, after: int, filter_text: str = "") -> Changes[Run]:
    """Return what changed after a number, some thousands at most.

    Args:
        history: The history.
        after: :attr:`Changes.number` of the last call, or :func:`read_last_change`. One that lies ahead (the file was
            made anew) counts as 0.
        filter_text: Only runs that match now; see :mod:`celery_nexus.filters.parser`.

    Raises:
        FilterError: The filter can't be understood.
    """
    node = parse(filter_text, history.families)

    def question(connection: sqlite3.Connection) -> Changes[Run]:
        last = _latest(connection)
        start = after if after <= last else 0
        if start == last:
            return Changes((), last)
        oldest = int(connection.execute("select min(number) from change").fetchone()[0])
        rows = connection.execute(
            "select max(number), key from change where number > ? and number <= ? group by key order by 1",
            (start, max(start, oldest - 1) + _READ),
        ).fetchall()
        condition = compile_filter(node, load_names(connection), time.time())
        matches = f"select run.key from run {condition.joins} where run.key = ? and {condition.sql}"  # noqa: S608
        keys = [key for _, key in rows if connection.execute(matches, (key, *condition.parameters)).fetchone()]
        return Changes(tuple(load_runs(connection, keys)), rows[-1][0], max(0, oldest - 1 - start))

    nothing: Changes[Run] = Changes((), 0)  # called by its parameter, a frozen row with slots fails
    return history.ask(question, nothing)


def _latest(connection: sqlite3.Connection) -> int:
    try:
        return int(connection.execute("select max(number) from change").fetchone()[0] or 0)
    except sqlite3.OperationalError:  # no writer that keeps such a log has opened the file yet
        return 0

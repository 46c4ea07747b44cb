"""Failed runs in the history: the last few of each error stay, the rest goes."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from celery_nexus.history.encoding import COUNTERS, STATES
from celery_nexus.history.store.schema import connect
from celery_nexus.task_errors import TransientError
from workers.services.progress import Progress

STEP = 200
"""Runs removed in one transaction: the recorder writes in between."""

_FAILURE = STATES.index("FAILURE")
_SURPLUS = f"""
select key from (
  select key, row_number() over (partition by coalesce(error_group, -1), task order by key desc) as place
  from run where state = {_FAILURE} and key < ?
) where place > ? order by key
"""  # noqa: S608
_TABLES = ("arguments", "ending", "life", "run")


def remove_surplus(
    path: Path, keep: int, min_age_s: float, progress: Progress, *, dry_run: bool = False
) -> dict[str, int]:
    """Remove failed runs beyond the last ``keep`` of each error and task, unless they are younger than ``min_age_s``.

    Counts and percentiles of the past stay: they are kept apart from the runs.

    Returns:
        ``failed`` (runs old enough to be looked at), ``errors`` (groups), ``removed`` and ``kept``.

    Raises:
        TransientError: The history is locked or can't be read.
    """
    if not path.exists():
        return {"failed": 0, "errors": 0, "removed": 0, "kept": 0}
    before = int((time.time() - min_age_s) * 1_000_000) * COUNTERS
    try:
        connection = connect(path)
    except sqlite3.Error as error:
        raise TransientError(f"the history {path} can't be opened: {error}") from None
    try:
        return _remove(connection, before, keep, progress, dry_run)
    except sqlite3.Error as error:
        raise TransientError(f"the history {path} can't be changed: {error}") from None
    finally:
        connection.close()


def _remove(
    connection: sqlite3.Connection, before: int, keep: int, progress: Progress, dry_run: bool
) -> dict[str, int]:
    failed, errors = connection.execute(
        "select count(*), count(distinct coalesce(error_group, -1) || ' ' || coalesce(task, 0)) from run"  # noqa: S608
        f" where state = {_FAILURE} and key < ?",
        (before,),
    ).fetchone()
    keys = [row[0] for row in connection.execute(_SURPLUS, (before, keep))]
    removed = len(keys)
    if not dry_run:
        removed = 0
        for start in range(0, len(keys), STEP):
            removed += _remove_step(connection, keys[start : start + STEP])
            progress(removed, len(keys), "removing")
    return {"failed": failed, "errors": errors, "removed": removed, "kept": failed - removed}


def _remove_step(connection: sqlite3.Connection, keys: list[int]) -> int:
    """Remove runs that still are failed; one may have been retried by hand since it was chosen."""
    connection.execute("begin immediate")
    try:
        still = [
            (key,)
            for key in keys
            if connection.execute(f"select 1 from run where key = ? and state = {_FAILURE}", (key,)).fetchone()  # noqa: S608
        ]
        for table in _TABLES:
            connection.executemany(f"delete from {table} where key = ?", still)  # noqa: S608
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return len(still)

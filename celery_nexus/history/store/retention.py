"""What is kept: pruned in small steps while the recorder has nothing else to do."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from dataclasses import dataclass, field

from celery_nexus.history.encoding import COUNTERS
from celery_nexus.history.index.segments import cut_segment, delete_segment, load_segments
from celery_nexus.history.store import rollups
from celery_nexus.history.store.store import REPEAT, Store

STEP = 500
"""Runs that one step removes: a few milliseconds."""

INTERVAL_S = 10.0
"""Pause between two looks, once nothing is too old."""

PRUNED = "pruned:"
"""Beginning of the names under which :meth:`Store.meta` keeps how many runs of each state were removed."""

MINUTES_KEPT_S = 400 * 24 * 3600
"""Aggregates are small and stay for a year."""


@dataclass
class Retention:
    """How long runs stay.

    Attributes:
        max_age_s: Older runs go.
        max_runs: Beyond so many, the oldest go.
        max_bytes: A larger file loses its oldest runs.
    """

    max_age_s: float = 30 * 24 * 3600
    max_runs: int = 5_000_000
    max_bytes: int = 4_000_000_000
    _next_at: float = field(default=0.0, repr=False)

    def step(self, store: Store) -> int:
        """Remove some runs that are too old or too many; returns how many."""
        if time.monotonic() < self._next_at:
            return 0
        connection = store.connection
        oldest = int((time.time() - self.max_age_s) * 1_000_000) * COUNTERS
        removed = _remove(connection, f"key < {oldest}")
        if not removed and self._is_too_large(store):
            removed = _remove(connection, "1")
        if not removed:
            rollups.forget_before(connection, int((time.time() - MINUTES_KEPT_S) // 60))
            old = f"{REPEAT}{time.time() - MINUTES_KEPT_S:017.6f}"
            connection.execute("delete from meta where name >= ? and name < ?", (REPEAT, old))
            self._next_at = time.monotonic() + INTERVAL_S
        return removed

    def _is_too_large(self, store: Store) -> bool:
        connection = store.connection
        pages, free, size = (
            connection.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * size > self.max_bytes:
            return True
        return store.run_count > self.max_runs


def _remove(connection: sqlite3.Connection, which: str) -> int:
    keys = f"select key from run where {which} order by key limit {STEP}"  # noqa: S608
    connection.execute("begin immediate")
    try:
        rows = connection.execute(keys).fetchall()
        states = Counter(connection.execute("select state from run where key = ?", row).fetchone()[0] for row in rows)
        connection.executemany(
            "insert into meta values (?, ?) on conflict (name) do update set value = value + excluded.value",
            [(f"{PRUNED}{state}", count) for state, count in states.items()],
        )
        for table in ("arguments", "ending", "life", "run"):
            connection.executemany(f"delete from {table} where key = ?", rows)  # noqa: S608
        if rows:
            _remove_segments(connection, int(rows[-1][0]))
            connection.execute("pragma incremental_vacuum(200)")
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return len(rows)


def _remove_segments(connection: sqlite3.Connection, to: int) -> None:
    """Remove the segments of runs that are gone, all up to a key, and cut the one that has others, too."""
    for segment in load_segments(connection, to + 1):
        if segment.high <= to:
            delete_segment(connection, segment.number)
        else:
            cut_segment(connection, segment, to)
    connection.execute("delete from tombstone where key <= ?", (to,))

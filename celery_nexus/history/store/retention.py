"""Retention: runs that are too old or too many, removed in small steps while the recorder has nothing else to do."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from celery_nexus.history.encoding import COUNTERS
from celery_nexus.history.store import rollups
from celery_nexus.history.store.store import REPEAT, Store

STEP = 500
"""Number of runs that one step removes: a few milliseconds."""

INTERVAL_S = 10.0
"""Pause between two looks, once nothing is too old."""

PRUNED = "pruned:"
"""Beginning of the names under which :meth:`Store.meta` keeps how many runs of each state were removed."""

MINUTES_KEPT_S = 400 * 24 * 3600
"""Age at which aggregates are removed: they are small."""


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
        removed = _remove(store, f"key < {oldest}")
        if not removed and self._is_too_large(store):
            removed = _remove(store, "1")
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


def _remove(store: Store, which: str) -> int:
    connection = store.connection
    keys = f"select key from run where {which} order by key limit {STEP}"  # noqa: S608
    connection.execute("begin immediate")
    try:
        rows = connection.execute(keys).fetchall()
        states = Counter(connection.execute("select state from run where key = ?", row).fetchone()[0] for row in rows)
        connection.executemany(
            "insert into meta values (?, ?) on conflict (name) do update set value = value + excluded.value",
            [(f"{PRUNED}{state}", count) for state, count in states.items()],
        )
        for table in ("arguments", "ending", "life", "canvas", "run"):
            connection.executemany(f"delete from {table} where key = ?", rows)  # noqa: S608
        if rows:
            store.index.remove_to(int(rows[-1][0]))
            connection.execute("pragma incremental_vacuum(200)")
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return len(rows)

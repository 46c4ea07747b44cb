"""Search for the runs that match a filter, newest first: the newest row by row, the others by segments."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from celery_nexus.filters.parser import Node, State
from celery_nexus.history.encoding import FINAL, STATES
from celery_nexus.history.filter.sql import compile_filter, key_bounds, load_names
from celery_nexus.history.index.rows_only import has_numpy, refuse_segments
from celery_nexus.history.index.tables import FILE_VERSIONS

ROWS_AT_ONCE = 2_000
"""Number of rows that are matched between two looks at the clock."""

ASKED_AT_ONCE = 500
_FAILURE = STATES.index("FAILURE")


@dataclass(frozen=True, slots=True)
class Found:
    """Some of the runs that hold.

    Attributes:
        count: How many.
        keys: Their keys, newest first; empty where they are only counted.
        reached: Every run that holds, from this key on, was found by this step or one before.
    """

    count: int
    keys: list[int]
    reached: int


class Search:
    """One question to one snapshot of the file.

    Args:
        connection: In that snapshot.
        node: The filter.
        before: Only runs with a lower key.
        budget_s: Stop after so many seconds, wherever that is; None: at the end.
        wanted: How many runs are needed; None: all are only counted.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        node: Node,
        before: int,
        budget_s: float | None = None,
        wanted: int | None = None,
    ) -> None:
        self.connection = connection
        self.node = node
        self.names = load_names(connection)
        self.now = time.time()
        self.wanted = wanted
        self._condition = compile_filter(node, self.names, self.now)
        self.low, newest = key_bounds(node, self.now)
        self._before = min(before, newest)
        self._deadline = None if budget_s is None else time.monotonic() + budget_s
        self._is_cut = False

    @property
    def is_late(self) -> bool:
        """Whether the deadline has passed."""
        self._is_cut = self._is_cut or (self._deadline is not None and time.monotonic() >= self._deadline)
        return self._is_cut

    def steps(self) -> Iterator[Found]:
        """Look from the newest run to the oldest: the last step comes to 0, unless it is late.

        A step that finds all that is wanted comes no farther; others after it make no sense.
        """
        indexed = self._by_index()
        if indexed is not None:
            yield indexed
            yield Found(0, [], 0)
            return
        sealed_to = self._sealed_to()
        before = self._before
        for found in self._among_newest(sealed_to):
            before = found.reached
            yield found
        if sealed_to and before <= sealed_to + 1:
            if not has_numpy():
                refuse_segments()
            from celery_nexus.history.index.segment_search import (
                SegmentSearch,  # numpy, which most questions do without
            )

            yield from SegmentSearch(self).steps(min(before, sealed_to + 1))
        if not self._is_cut:
            yield Found(0, [], 0)

    def _by_index(self) -> Found | None:
        """Answer what is asked most, with the indexes of runs that are not over and of those that failed."""
        node = self.node
        if self.wanted is None or not isinstance(node, State) or len(node.states) != 1 or not self._has_segments():
            return None
        state = node.states[0]
        if state in FINAL - {"FAILURE"}:
            return None
        index, which = ("run_failed", f"state = {_FAILURE}") if state == "FAILURE" else ("run_open", "state < 5")
        sql = (
            f"select key from run indexed by {index} where {which} and state = {STATES.index(state)} and key < ?"  # noqa: S608
            " order by key desc limit ?"
        )
        keys = [row[0] for row in self.connection.execute(sql, (self._before, self.wanted))]
        return Found(len(keys), keys, keys[-1] if len(keys) >= self.wanted and keys else 0)

    def _has_segments(self) -> bool:
        # A file of an older version has none, or others, until its recorder runs.
        return self.connection.execute("pragma user_version").fetchone()[0] in FILE_VERSIONS

    def _sealed_to(self) -> int:
        if not self._has_segments():
            return 0
        row = self.connection.execute("select value from meta where name = 'sealed_to'").fetchone()
        return int(row[0]) if row else 0

    def _among_newest(self, sealed_to: int) -> Iterator[Found]:
        low, before = max(self.low, sealed_to + 1), self._before
        while before > low:
            if self.is_late:
                return
            row = self.connection.execute(
                "select key from run where key < ? and key >= ? order by key desc limit 1 offset ?",
                (before, low, ROWS_AT_ONCE - 1),
            ).fetchone()
            start = int(row[0]) if row else low
            keys = self._by_rows("run.key >= ? and run.key < ?", (start, before), self.wanted)
            if self.wanted is not None and len(keys) >= self.wanted:
                start = keys[-1]
            yield Found(len(keys), keys, start)
            before = start

    def _by_rows(self, which: str, parameters: tuple[Any, ...], limit: int | None = None) -> list[int]:
        sql = (
            f"select run.key from run not indexed {self._condition.joins} where {which} and {self._condition.sql}"  # noqa: S608
            " order by run.key desc limit ?"
        )
        rows = self.connection.execute(sql, (*parameters, *self._condition.parameters, -1 if limit is None else limit))
        return [row[0] for row in rows]

    def search_keys(self, keys: list[int]) -> list[int]:
        """Return those of some keys whose rows hold, newest first."""
        found: list[int] = []
        for start in range(0, len(keys), ASKED_AT_ONCE):
            some = keys[start : start + ASKED_AT_ONCE]
            found += self._by_rows(f"run.key in ({', '.join('?' * len(some))})", tuple(some))
        return sorted(found, reverse=True)

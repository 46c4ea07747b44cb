"""Column index of the history: column copies of the filtered fields, searched segment by segment.

This is its door: store and query use what is named here, and nothing else of the index. :class:`RunIndex` answers
filters with the keys of rows, in one snapshot of the file; an :class:`IndexWriter` keeps the index up to date in the
writer's transactions. docs/history.md says how it works.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from celery_nexus.filters.parser import Node
from celery_nexus.history.filter.sql import MAX_KEY
from celery_nexus.history.index.rows_only import RowsOnly, has_numpy
from celery_nexus.history.index.search import Search
from celery_nexus.history.index.tables import FILE_VERSIONS, TABLES

__all__ = ["FILE_VERSIONS", "TABLES", "IndexWriter", "KeyCount", "KeyPage", "RunIndex", "open_index_writer"]


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Rows that match a filter.

    Attributes:
        keys: Their keys, newest first, at most as many as were asked for.
        reached: All matching rows from this key on are in this page or one before; 0: there are no others.
    """

    keys: list[int]
    reached: int


@dataclass(frozen=True, slots=True)
class KeyCount:
    """How many rows match a filter; at least so many when time ran out."""

    count: int
    is_complete: bool


class RunIndex:
    """The reader's side.

    Args:
        connection: A reader's connection, taught by :func:`celery_nexus.history.filter.sql.register`, in the snapshot
            that is asked.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def page(self, node: Node, limit: int, before: int = MAX_KEY, budget_s: float | None = None) -> KeyPage:
        """Return the newest rows that match.

        Args:
            node: The filter.
            limit: At most so many.
            before: Only rows with a lower key: :attr:`KeyPage.reached` of the page before.
            budget_s: Stop looking after so many seconds; None: look to the end.
        """
        keys: list[int] = []
        reached = before
        for found in Search(self._connection, node, before, budget_s, limit).steps():
            keys += found.keys
            reached = found.reached
            if len(keys) >= limit:
                break
        if len(keys) >= limit:
            keys = keys[:limit]
            reached = keys[-1] if keys else reached
        return KeyPage(keys, max(0, reached))

    def count(self, node: Node, budget_s: float | None = None) -> KeyCount:
        """Count the rows that match; parameters as of :meth:`page`."""
        count, reached = 0, MAX_KEY
        for found in Search(self._connection, node, MAX_KEY, budget_s).steps():
            count += found.count
            reached = found.reached
        return KeyCount(count, reached <= 0)


class IndexWriter(Protocol):
    """The writer's side: told of rows in the transaction that writes them, it makes segments of them later."""

    @property
    def run_count(self) -> int:
        """About how many rows there are; counting them one by one would take long."""
        ...

    def note(self, keys: Iterable[int], new: int) -> None:
        """Take note of rows that are written, ``new`` of them inserted; in the transaction that writes them."""
        ...

    def remove_to(self, key: int) -> None:
        """Remove the rows up to a key; in the transaction that removes them."""
        ...

    def recall(self) -> None:
        """Read from the file where things stand, after a transaction that failed."""
        ...

    def step(self, *, is_idle: bool = False) -> bool:
        """Do one piece of upkeep, if one is due: some hundredths of a second. True when there may be more to do."""
        ...


def open_index_writer(connection: sqlite3.Connection) -> IndexWriter:
    """Return the index of a file to its one writer.

    Args:
        connection: The writer's, in autocommit.

    Raises:
        HistoryError: It has segments, and numpy is not installed.
    """
    if not has_numpy():
        return RowsOnly(connection)
    from celery_nexus.history.index.builder import SegmentBuilder  # numpy, which readers mostly do without

    return SegmentBuilder(connection)

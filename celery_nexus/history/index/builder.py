"""Builder of segments from the newest runs, and their upkeep: tombstones, compaction.

Rows up to the key ``sealed_to`` are in a segment or named in table ``tombstone``: what changed since its segment was
made, what came late, what was removed. A segment (``build``) is made of the oldest rows that
are in none, and anew when too many of its rows have tombstones. Neighbours whose runs are over become one large
segment (:mod:`celery_nexus.history.index.compaction`), which is read with few steps. A segment holds

- each column as an array, and the smallest and largest of its durations,
- ids, and the ids of roots, parents and groups, where they are UUIDs in sixteen bytes each,
- each argument's values: numbers as an array, texts in order, each once,
- errors and results, each once,
- the texts of arguments, results and errors in pages, compressed, with the Bloom filter of each page
  (:mod:`celery_nexus.history.index.bloom`).

Everything here can be made again from the other tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np

from celery_nexus.history.index.build import Row, build_pages, duration_bounds, page_starts, rows_between
from celery_nexus.history.index.compaction import is_settled, merge_segments
from celery_nexus.history.index.segments import Segment, cut_segment, delete_segment, insert_segment, load_segments

SEGMENT_ROWS = 2_048
TAIL = 1_024
"""Number of the newest rows that are in no segment, since they change most."""

MAX_TOMBSTONES = 2_000
"""Most tombstones before segments are rebuilt while events come; a tenth of it when none come."""

LARGE_SEGMENT = 32 * SEGMENT_ROWS
MAX_PAGES = 512
"""Rows and pages up to which segments are joined."""

KEPT_SMALL = 4
"""Number of the newest segments that are not joined, since their rows still change."""

OPEN_SHARE = 0.02
"""Share of open runs above which a segment is not joined either."""

MAX_NAMES = 2_000
"""Most names of arguments with a column of their own; an application that invents names has no end of them."""

_MAX_NUMBER = (1 << 16) - 1
_MAX_KEY = 2**63 - 1


class SegmentBuilder:
    """Makes segments; belongs to the file's writer.

    Args:
        connection: The writer's, in autocommit.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.recall()

    def recall(self) -> None:
        """Read from the file where things stand; after a transaction that failed, or at the start."""
        row = self._connection.execute("select value from meta where name = 'sealed_to'").fetchone()
        self._sealed_to = int(row[0]) if row else 0
        count = "select count(*) from run where key > ?"
        self._unsealed = int(self._connection.execute(count, (self._sealed_to,)).fetchone()[0])
        self._tombstones = int(self._connection.execute("select count(*) from tombstone").fetchone()[0])
        names = self._connection.execute("select text, id from name where kind = 'argument'")
        self._names: dict[str, int | None] = dict(names.fetchall())
        self._to_merge = LARGE_SEGMENT

    @property
    def run_count(self) -> int:
        """About how many runs there are: what was removed since its segment was made still counts."""
        row = self._connection.execute("select coalesce(sum(count - removed), 0) from segment").fetchone()
        return int(row[0]) + self._unsealed

    def note(self, keys: Iterable[int], new: int) -> None:
        """Take note, in the transaction that writes them, of rows that are written, ``new`` of them inserted."""
        tombstones = [(key,) for key in keys if key <= self._sealed_to]
        if tombstones:
            cursor = self._connection.executemany("insert or ignore into tombstone values (?)", tombstones)
            self._tombstones += max(0, cursor.rowcount)
        self._unsealed += new

    def remove_to(self, key: int) -> None:
        """Remove the segments of rows that are removed, all up to a key, and cut the one that has others, too."""
        for segment in load_segments(self._connection, key + 1):
            self._cut(segment, key)
        self._connection.execute("delete from tombstone where key <= ?", (key,))

    def step(self, *, is_idle: bool = False) -> bool:
        """Make one segment, if one is due; takes some hundredths of a second."""
        if self._unsealed >= SEGMENT_ROWS + TAIL:
            self._transact(self._seal)
        elif self._tombstones > (MAX_TOMBSTONES // 10 if is_idle else MAX_TOMBSTONES):
            self._transact(self._rebuild)
        elif self._to_merge >= LARGE_SEGMENT:
            self._transact(self._merge)
        else:
            return False
        return True

    def _transact(self, work: Any) -> None:
        self._connection.execute("begin immediate")
        try:
            work()
            self._connection.execute("commit")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            self.recall()
            raise

    def _seal(self) -> None:
        rows = rows_between(self._connection, self._sealed_to, _MAX_KEY, SEGMENT_ROWS)
        if len(rows) < SEGMENT_ROWS:  # rows were removed meanwhile
            self.recall()
            return
        self._write(rows)
        self._clean(self._sealed_to, rows[-1][0])
        self._sealed_to = rows[-1][0]
        self._connection.execute("insert or replace into meta values ('sealed_to', ?)", (self._sealed_to,))
        self._unsealed -= len(rows)
        self._to_merge += len(rows)

    def _rebuild(self) -> None:
        """Make the segment anew that has the most tombstones, or the beginning of a large one."""
        segments = load_segments(self._connection, _MAX_KEY)
        highs = np.array([*(segment.high for segment in segments), self._sealed_to], np.int64)
        tombstones = np.array([row[0] for row in self._connection.execute("select key from tombstone where key <= ?",
                                                                     (self._sealed_to,))], np.int64)  # fmt: skip
        self._tombstones = len(tombstones)
        if not len(tombstones):
            return
        worst = int(np.bincount(np.searchsorted(highs, tombstones), minlength=len(highs)).argmax())
        low, high = int(highs[worst - 1]) if worst else 0, int(highs[worst])
        most = SEGMENT_ROWS + SEGMENT_ROWS // 2
        rows = rows_between(self._connection, low, high, most)
        end = high
        if len(rows) == most:
            rows = rows[:SEGMENT_ROWS]
            end = int(rows[-1][0])
        if worst < len(segments):
            self._cut(segments[worst], end)
        elif end < high:
            self._connection.execute(
                "insert or ignore into tombstone select key from run where key > ? and key <= ?", (end, high)
            )
        if rows:
            self._write(rows)
        self._clean(low, end)

    def _cut(self, segment: Segment, end: int) -> None:
        """Take the rows up to a key out of a segment."""
        if end >= segment.high:
            delete_segment(self._connection, segment.number)
        else:
            cut_segment(self._connection, segment, end)

    def _clean(self, low: int, high: int) -> None:
        self._connection.execute("delete from tombstone where key > ? and key <= ?", (low, high))
        self._tombstones = int(self._connection.execute("select count(*) from tombstone").fetchone()[0])

    def _write(self, rows: list[Row]) -> None:
        starts = page_starts(rows)
        pages = build_pages(rows, starts, self._number_of)
        insert_segment(self._connection, rows[0][0], rows[-1][0], len(rows), starts, duration_bounds(rows), pages)

    def _number_of(self, name: str) -> int | None:
        """Return the number of an argument's name, or None when it can have none."""
        if name not in self._names and len(self._names) < MAX_NAMES:
            self._names[name] = None
            with suppress(UnicodeEncodeError):  # half of a pair of surrogates, from a repr
                cursor = self._connection.execute("insert into name (kind, text) values ('argument', ?)", (name,))
                number = int(cursor.lastrowid or 0)
                self._names[name] = number if number <= _MAX_NUMBER else None
        return self._names.get(name)

    def _merge(self) -> None:
        self._to_merge -= KEPT_SMALL * SEGMENT_ROWS
        small: list[Segment] = []
        for segment in load_segments(self._connection, _MAX_KEY)[:-KEPT_SMALL]:
            if (
                segment.count > LARGE_SEGMENT // 2
                or segment.removed
                or not is_settled(self._connection, segment, OPEN_SHARE)
            ):
                small.clear()
                continue
            small.append(segment)
            rows, pages = sum(one.count for one in small), sum(len(one.starts) for one in small)
            if rows >= LARGE_SEGMENT or (pages >= MAX_PAGES and len(small) > 1):
                merge_segments(self._connection, small)
                self._to_merge = LARGE_SEGMENT  # there may be more
                return

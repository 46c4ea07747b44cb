"""Runs in blocks: copies of what filters ask, a column at a time, so that a million runs are looked through at once.

Rows up to the key ``sealed_to`` are in a block or named in table ``stale``: what changed since its block was made,
what came late, what was removed. A block (:mod:`workers.history.index.build`) is made of the oldest rows that are in
none, and anew when too many of its rows are stale. Neighbours whose runs are over become one large block
(:mod:`workers.history.index.compaction`), which is read with few steps. A block holds

- each column as an array, and between which values its durations are,
- ids, and the ids of roots, parents and groups, where they are UUIDs in sixteen bytes each,
- each argument's values: numbers as an array, texts in order, each once,
- errors and results, each once,
- the texts of arguments, results and errors in chunks, compressed, with the signature of each chunk
  (:mod:`workers.history.index.bloom`).

Everything here can be made again from the other tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np

from workers.history.index.build import Row, chunk_starts, limits_of, parts_of, rows_between
from workers.history.index.compaction import Block, delete_block, insert_block, is_settled, load_blocks, merge
from workers.history.index.pages import Part, decode, part_id

BLOCK = 2_048
TAIL = 1_024
"""The newest rows, which change most, are in no block."""

MAX_STALE = 2_000
"""With more stale rows than these, blocks are made anew while events come; with a tenth, when none come."""

LARGE_BLOCK = 32 * BLOCK
MAX_CHUNKS = 512
"""Blocks are joined until they have so many rows or chunks."""

KEPT_SMALL = 4
"""The newest blocks, of which rows still become stale, are not joined."""

OPEN_SHARE = 0.02
"""Nor are blocks of which more runs aren't over."""

MAX_NAMES = 2_000
"""Names of arguments that have parts of their own; an application that makes names up has no end of them."""

_MAX_NUMBER = (1 << 16) - 1
_MAX_KEY = 2**63 - 1


class Blocks:
    """Makes blocks; belongs to the file's writer.

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
        self._stale = int(self._connection.execute("select count(*) from stale").fetchone()[0])
        names = self._connection.execute("select text, id from name where kind = 'argument'")
        self._names: dict[str, int | None] = dict(names.fetchall())
        self._to_merge = LARGE_BLOCK

    @property
    def run_count(self) -> int:
        """About how many runs there are: what was removed since its block was made still counts."""
        row = self._connection.execute("select coalesce(sum(count - removed), 0) from block").fetchone()
        return int(row[0]) + self._unsealed

    def note(self, keys: Iterable[int], new: int) -> None:
        """Take note, in the transaction that writes them, of rows that are written, ``new`` of them inserted."""
        stale = [(key,) for key in keys if key <= self._sealed_to]
        if stale:
            cursor = self._connection.executemany("insert or ignore into stale values (?)", stale)
            self._stale += max(0, cursor.rowcount)
        self._unsealed += new

    def step(self, *, is_idle: bool = False) -> bool:
        """Make one block, if one is due; takes some hundredths of a second."""
        if self._unsealed >= BLOCK + TAIL:
            self._transact(self._seal)
        elif self._stale > (MAX_STALE // 10 if is_idle else MAX_STALE):
            self._transact(self._mend)
        elif self._to_merge >= LARGE_BLOCK:
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
        rows = rows_between(self._connection, self._sealed_to, _MAX_KEY, BLOCK)
        if len(rows) < BLOCK:  # rows were removed meanwhile
            self.recall()
            return
        self._write(rows)
        self._clean(self._sealed_to, rows[-1][0])
        self._sealed_to = rows[-1][0]
        self._connection.execute("insert or replace into meta values ('sealed_to', ?)", (self._sealed_to,))
        self._unsealed -= len(rows)
        self._to_merge += len(rows)

    def _mend(self) -> None:
        """Make the block anew that has the most stale rows, or the beginning of a large one."""
        blocks = load_blocks(self._connection, _MAX_KEY)
        highs = np.array([*(block.high for block in blocks), self._sealed_to], np.int64)
        stale = np.array([row[0] for row in self._connection.execute("select key from stale where key <= ?",
                                                                     (self._sealed_to,))], np.int64)  # fmt: skip
        self._stale = len(stale)
        if not len(stale):
            return
        worst = int(np.bincount(np.searchsorted(highs, stale), minlength=len(highs)).argmax())
        low, high = int(highs[worst - 1]) if worst else 0, int(highs[worst])
        most = BLOCK + BLOCK // 2
        rows = rows_between(self._connection, low, high, most)
        end = high
        if len(rows) == most:
            rows = rows[:BLOCK]
            end = int(rows[-1][0])
        if worst < len(blocks):
            self._cut(blocks[worst], end)
        elif end < high:
            self._connection.execute(
                "insert or ignore into stale select key from run where key > ? and key <= ?", (end, high)
            )
        if rows:
            self._write(rows)
        self._clean(low, end)

    def _cut(self, block: Block, end: int) -> None:
        """Take the rows up to a key out of a block."""
        if end >= block.high:
            delete_block(self._connection, block.number)
        else:
            cut_block(self._connection, block, end)

    def _clean(self, low: int, high: int) -> None:
        self._connection.execute("delete from stale where key > ? and key <= ?", (low, high))
        self._stale = int(self._connection.execute("select count(*) from stale").fetchone()[0])

    def _write(self, rows: list[Row]) -> None:
        starts = chunk_starts(rows)
        parts = parts_of(rows, starts, self._number_of)
        insert_block(self._connection, rows[0][0], rows[-1][0], len(rows), starts, limits_of(rows), parts)

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
        self._to_merge -= KEPT_SMALL * BLOCK
        small: list[Block] = []
        for block in load_blocks(self._connection, _MAX_KEY)[:-KEPT_SMALL]:
            if block.count > LARGE_BLOCK // 2 or block.removed or not is_settled(self._connection, block, OPEN_SHARE):
                small.clear()
                continue
            small.append(block)
            rows, chunks = sum(one.count for one in small), sum(len(one.starts) for one in small)
            if rows >= LARGE_BLOCK or (chunks >= MAX_CHUNKS and len(small) > 1):
                merge(self._connection, small)
                self._to_merge = LARGE_BLOCK  # there may be more
                return


def cut_block(connection: sqlite3.Connection, block: Block, end: int) -> None:
    """Let the rows of a block up to a key not count any more."""
    keys = connection.execute("select data from part where id = ?", (part_id(block.number, Part.KEY),)).fetchone()[0]
    removed = int(np.searchsorted(decode(keys, block.count), end, side="right"))
    connection.execute("update block set low = ?, removed = ? where number = ?", (end + 1, removed, block.number))

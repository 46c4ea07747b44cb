"""Log of the rows that each batch touched, newest last, so that readers can follow the history.

The writer notes rows in the transaction that changes them, so nobody sees a change before its row, or a row
without its change. Numbers only grow, also when the recorder is started anew; when the file itself is made anew,
they start from 1 again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

KEPT = 100_000
"""Length of the log: the most changes that a reader may be behind."""

_PRUNE_AFTER = 10_000


class ChangeLog:
    """The writer's side; part of its transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._since_pruned = 0
        connection.execute("create table if not exists change (number integer primary key, key integer not null)")

    def note(self, keys: Iterable[int]) -> None:
        """Note rows that were written."""
        rows = [(key,) for key in keys]
        self._connection.executemany("insert into change (key) values (?)", rows)
        self._since_pruned += len(rows)
        if self._since_pruned > _PRUNE_AFTER:
            self._since_pruned = 0
            self._connection.execute("delete from change where number <= (select max(number) from change) - ?", (KEPT,))

"""Index without segments, for installations without numpy: filters scan the rows, which takes longer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from importlib.util import find_spec

from celery_nexus.history.errors import HistoryError


def has_numpy() -> bool:
    """Tell whether the library of the segments is installed."""
    return find_spec("numpy") is not None


def refuse_segments() -> None:
    """Say what a history with segments needs here.

    Raises:
        HistoryError: Always.
    """
    raise HistoryError("this history has an index that numpy reads and writes: pip install 'celery-nexus[history]'")


class RowsOnly:
    """The writer of a file that has no segments; with numpy installed, its rows get segments later.

    Args:
        connection: The writer's.

    Raises:
        HistoryError: The file has segments, which would not be kept up to date.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.recall()

    def recall(self) -> None:
        """Read from the file where things stand, after a transaction that failed."""
        if self._connection.execute("select 1 from segment limit 1").fetchone():
            refuse_segments()
        self.run_count = int(self._connection.execute("select count(*) from run").fetchone()[0])

    def note(self, keys: Iterable[int], new: int) -> None:
        """Take note of rows that are written, ``new`` of them inserted."""
        del keys
        self.run_count += new

    def remove_to(self, key: int) -> None:
        """Take note of rows that were removed, all up to a key."""
        del key
        self.recall()

    def step(self, *, is_idle: bool = False) -> bool:
        """Do nothing: there is no upkeep."""
        del is_idle
        return False

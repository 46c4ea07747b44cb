"""Vacuum of the file: disk space of removed runs is given back."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from celery_nexus.history.errors import HistoryError
from celery_nexus.history.store.schema import BUSY_TIMEOUT_S, size_of


def compact(path: Path) -> tuple[int, int]:
    """Rewrite the file without its gaps; returns its size in bytes before and after.

    A recorder that is at work waits meanwhile and goes on afterwards.

    Raises:
        HistoryError: There is no history, no room for the copy, or the file is damaged.
    """
    if not path.exists():
        raise HistoryError(f"there is no history at {path}")
    before = size_of(path)
    free = shutil.disk_usage(path.parent).free
    if free < 2 * before:
        raise HistoryError(f"compacting needs {2 * before:,} bytes beside {path}, and there are {free:,}")
    try:
        connection = sqlite3.connect(path, timeout=6 * BUSY_TIMEOUT_S, isolation_level=None)
        try:
            connection.execute("vacuum")
            connection.execute("pragma wal_checkpoint(truncate)")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise HistoryError(f"the history {path} can't be compacted: {error}") from error
    return before, size_of(path)

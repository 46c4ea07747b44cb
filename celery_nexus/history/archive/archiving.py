"""Archiving of ended runs: those not archived yet are found by their keys and written file by file.

Nothing is held longer than one file's runs, no snapshot of the history longer than one question: neither the recorder
nor its clean-up waits. A process that is killed leaves whole files; the next one goes on where it ended.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery_nexus.history.archive import parquet
from celery_nexus.history.archive.argument_columns import Kind
from celery_nexus.history.archive.manifest import Manifest, load_manifest
from celery_nexus.history.encoding import COUNTERS, FINAL, STATES
from celery_nexus.history.errors import AlreadyArchiving, HistoryError
from celery_nexus.history.store.schema import connect_reader

WINDOW = 10_000
"""Number of runs that are compared with the archive together."""

ROWS_AT_ONCE = 500
PART_RUNS = 32_768
PART_BYTES = 16_000_000
"""Largest file, in runs and in bytes before compression, which are in memory."""

_IS_OVER = f"state in ({', '.join(str(STATES.index(state)) for state in sorted(FINAL))})"
_MAX_KEY = 2**63 - 1


@dataclass
class Progress:
    """How far it is, in runs that are over.

    Attributes:
        total: How many the history has, of the time that is asked for.
        seen: How many of them were looked at.
        archived: How many of these were written; the others were in the archive.
        files: How many files were written.
    """

    total: int = 0
    seen: int = 0
    archived: int = 0
    files: int = 0


class Archiver:
    """Writes runs of one history into one archive.

    Args:
        connection: A reader of the history.
        manifest: The archive's.
        report: Told of the progress, after each look and each file.
    """

    def __init__(self, connection: sqlite3.Connection, manifest: Manifest, report: Callable[[Progress], None]) -> None:
        self._connection = connection
        self._manifest = manifest
        self._report = report
        self._source = _read_identity(connection)
        self._tables: list[Any] = []
        self._kinds: dict[str, Kind] = dict(manifest.kinds)
        self._low, self._high = _MAX_KEY, 0
        self.progress = Progress()

    def archive(self, before: float | None = None) -> Progress:
        """Archive the runs that are over and not yet in the archive.

        Args:
            before: Only runs sent, or first heard of, before this time in seconds since the epoch.
        """
        end = _MAX_KEY if before is None else int(before * 1_000_000) * COUNTERS
        count = f"select count(*) from run where key < ? and {_IS_OVER}"  # noqa: S608
        self.progress.total = int(self._connection.execute(count, (end,)).fetchone()[0])
        for keys in self._windows(end):
            for start in range(0, len(keys), ROWS_AT_ONCE):
                self._collect(keys[start : start + ROWS_AT_ONCE])
            self._report(self.progress)
        self._write()
        return self.progress

    def _windows(self, end: int) -> Iterator[list[int]]:
        """Yield the keys of runs that are not archived, in order; those of one window at a time."""
        sql = f"select id, key from run where key > ? and key < ? and {_IS_OVER} order by key limit {WINDOW}"  # noqa: S608
        last = -1
        while found := dict(self._connection.execute(sql, (last, end)).fetchall()):
            first, last = min(found.values()), max(found.values())
            new = self._manifest.find_new(list(found), self._source, first, last)
            self.progress.seen += len(found)
            yield [found[id_] for id_ in new]

    def _collect(self, keys: list[int]) -> None:
        sql = f"select * from runs where key in ({', '.join('?' * len(keys))}) order by key"  # noqa: S608
        cursor = self._connection.execute(sql, keys)
        names = [column[0] for column in cursor.description]
        rows = [row for values in cursor if (row := dict(zip(names, values, strict=True)))["state"] in FINAL]
        if not rows:
            return
        table, self._kinds = parquet.build_table(rows, self._kinds)
        self._tables.append(table)
        self._low, self._high = min(self._low, rows[0]["key"]), max(self._high, rows[-1]["key"])
        sizes = [(len(table), table.nbytes) for table in self._tables]
        if sum(runs for runs, _ in sizes) >= PART_RUNS or sum(size for _, size in sizes) >= PART_BYTES:
            self._write()

    def _write(self) -> None:
        if not self._tables:
            return
        part = self._manifest.add(self._tables, self._kinds, self._source, self._low, self._high)
        self._tables = []
        self._low, self._high = _MAX_KEY, 0
        self.progress.archived += part.runs
        self.progress.files += 1
        self._report(self.progress)


def archive_history(
    path: Path, folder: Path, before: float | None = None, report: Callable[[Progress], None] = lambda _: None
) -> Progress:
    """Archive the runs of a history that are over.

    Args:
        path: The history's file.
        folder: The archive's; made where there is none.
        before: As of :meth:`Archiver.archive`.
        report: Told of the progress.

    Raises:
        HistoryError: pyarrow is missing, the history can't be read, or the archive can't be written.
        AlreadyArchiving: Another process writes this archive.
    """
    parquet.require_pyarrow()
    if not path.exists():
        raise HistoryError(f"there is no history at {path}")
    try:
        with _lock_archive(folder), closing(connect_reader(path)) as connection:
            return Archiver(connection, load_manifest(folder), report).archive(before)
    except OSError as error:
        raise HistoryError(f"the archive {folder} can't be written: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise HistoryError(f"the history {path} can't be read: {error}") from error


@contextmanager
def _lock_archive(folder: Path) -> Generator[None]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyArchiving(f"another process archives into {folder} now") from None
        yield


def _read_identity(connection: sqlite3.Connection) -> str:
    row = connection.execute("select value from meta where name = 'identity'").fetchone()
    if row is None:
        raise HistoryError(
            "an older version of Nexus wrote this history: its recorder brings it up to date when it starts"
        )
    return str(row[0])

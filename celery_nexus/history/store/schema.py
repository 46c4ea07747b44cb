"""Schema of the history's SQLite file: tables, migrations, connections, and the handling of damaged files."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from celery_nexus.history import index
from celery_nexus.history.errors import HistoryError
from celery_nexus.history.store import rollups, runs_view

VERSION = 7
BUSY_TIMEOUT_S = 5.0

CHECKPOINT_PAGES = 4_000
"""Pages in the write-ahead log before a checkpoint: a page that was written often meanwhile is copied once."""

_TABLES = """
-- Names of tasks, queues, workers and error groups, by number.
create table name (
  id integer primary key,
  kind text not null,
  text text not null,
  unique (kind, text)
);
-- One row a run. Its key holds the time: microseconds since the epoch * 1024 + a counter, so that
-- every index is in order of time without saying so.
create table run (
  key integer primary key,
  id text not null,
  task integer,
  queue integer,
  worker integer,
  state integer not null,
  state_at real not null,
  priority integer,
  retries integer not null,
  sent_at real,
  eta_at real,
  received_at real,
  started_at real,
  finished_at real,
  waited_s real,
  ran_s real,
  root_id text,
  parent_id text,
  group_id text,
  error_group integer,
  progress text,
  verdict text
);
create unique index run_id on run (id);
create index run_root on run (root_id) where root_id is not null;
create index run_parent on run (parent_id) where parent_id is not null;
create index run_group on run (group_id) where group_id is not null;
create index run_verdict on run (verdict) where verdict is not null;
-- The wide parts, written once each.
create table arguments (key integer primary key, args text, kwargs text);
create table ending (key integer primary key, result text, error text, traceback text, place text);
create table life (key integer primary key, events text not null);
-- Counts and distributions by minute, task, queue and state; see celery_nexus/history/store/aggregates.py.
create table minute (
  minute integer not null,
  task integer not null,
  queue integer not null,
  state integer not null,
  count integer not null,
  waited blob,
  ran blob,
  primary key (minute, task, queue, state)
) without rowid;
-- Where parts of the stream are missing, and what was wrong with it.
create table gap (at real not null, after text not null, before text not null, missed integer, reason text not null);
create table meta (name text primary key, value) without rowid;
"""

_INDEXES = """
-- What is not over, and what failed: few of many. All other questions are answered by segments.
create index run_open on run (state) where state < 5;
create index run_failed on run (state) where state = 6;
"""
_INDEXES_OF_1 = ("state", "queue", "task", "worker", "retries", "priority", "ran", "waited", "error")
_BLOCKS_OF_3 = """
create table block (
  number integer primary key autoincrement,
  low integer not null,
  high integer not null,
  count integer not null,
  chunks blob not null,
  limits blob not null,
  removed integer not null default 0
);
create table if not exists part (id integer primary key, data blob not null);
create table if not exists stale (key integer primary key);
delete from part;
delete from stale;
delete from meta where name = 'sealed_to';
"""
_RENAME_BLOCKS = """
drop trigger if exists run_removed;
alter table block rename to segment;
alter table segment rename column chunks to pages;
alter table segment rename column limits to zone_map;
alter table part rename to page;
alter table stale rename to tombstone;
create trigger run_removed after delete on run begin insert or ignore into tombstone values (old.key); end;
"""
_IDENTITY = "insert or ignore into meta values ('identity', lower(hex(randomblob(16))));"
"""Identity of this file, which a rebuilt file does not share: keys of rows mean something within one file only."""

_CANVAS = """
-- What follows a run by its message, in a short form; see celery_nexus/canvas.py.
create table canvas (key integer primary key, ahead text not null);
"""

_MIGRATIONS = {
    1: "".join(f"drop index if exists run_{name};" for name in _INDEXES_OF_1) + _BLOCKS_OF_3 + _INDEXES,
    2: "drop table block;" + _BLOCKS_OF_3,
    3: rollups.TABLES + rollups.OUTDATE_ALL,
    4: _RENAME_BLOCKS,
    5: runs_view.CREATE + _IDENTITY,
    6: _CANVAS,
}
"""Migrations from each version to the next."""


def lock_path(path: Path) -> Path:
    """Name the file that a recorder holds locked; its time is when the history was last complete."""
    return path.with_name(f"{path.name}.lock")


def size_of(path: Path) -> int:
    """Return the bytes that a history takes on the disk, with its log; 0 where there is none."""
    return sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")) if file.exists())


def connect(path: Path) -> sqlite3.Connection:
    """Open the file for its one writer; makes it, readable by its owner only, where there is none.

    Raises:
        HistoryError: A newer version of Nexus wrote it.
        sqlite3.DatabaseError: It is no SQLite file, or damaged.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("pragma user_version").fetchone()[0]
    if version > VERSION:
        raise HistoryError(f"{path} was written by a newer version of Nexus; move it away or update")
    if not version:
        connection.execute("pragma auto_vacuum = incremental")
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")
    connection.execute("pragma cache_size = -16000")
    connection.execute(f"pragma wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute("pragma journal_size_limit = 67108864")
    connection.execute("pragma temp_store = memory")
    if not version:
        tables = _TABLES + rollups.TABLES + index.TABLES + _INDEXES + _CANVAS + runs_view.CREATE + _IDENTITY
        connection.executescript(f"begin;{tables}pragma user_version = {VERSION};commit;")
    elif version < VERSION:
        _migrate(connection)


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables of an older version to ours, all or nothing; segments are made later, while events come."""
    connection.execute("begin immediate")
    try:
        version = connection.execute("pragma user_version").fetchone()[0]  # another writer may have been faster
        for number in range(version, VERSION):
            for statement in _statements(_MIGRATIONS[number]):
                connection.execute(statement)
        connection.execute(f"pragma user_version = {VERSION}")
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for part in script.split(";"):
        statement += f"{part};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open the file for reading only; a log that a killed recorder left is recovered, which takes the right to write.

    Raises:
        sqlite3.OperationalError: There is no such file.
    """
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("pragma query_only = on")
    connection.execute("pragma cache_size = -8000")
    connection.execute("pragma temp_store = memory")
    return connection


def set_aside(path: Path) -> Path:
    """Move a file that can't be used out of the way, so that a new one can be built; returns its new name."""
    aside = path.with_name(f"{path.name}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}")
    for older in sorted(path.parent.glob(f"{path.name}.corrupt-*")):
        older.unlink(missing_ok=True)  # one is kept: it can be as large as the disk's rest
    path.replace(aside)
    remove_log(path)
    return aside


def log_of(path: Path) -> os.stat_result | None:
    """Look at the log beside a file; None where there is none."""
    try:
        return path.with_name(f"{path.name}-wal").stat()
    except OSError:
        return None


def remove_log(path: Path) -> None:
    """Remove the log of a file that is not there any more."""
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)

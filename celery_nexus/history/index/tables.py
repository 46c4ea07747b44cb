"""Tables of the index in the history's file, and the versions of the file that have them so."""

from __future__ import annotations

TABLES = """
-- Copies of what filters ask, many runs in a segment, and the rows that differ from their copies; see
-- celery_nexus/history/index/builder.py.
create table segment (
  number integer primary key autoincrement,
  low integer not null,
  high integer not null,
  count integer not null,
  pages blob not null,
  zone_map blob not null,
  removed integer not null default 0
);
create table page (id integer primary key, data blob not null);
create table tombstone (key integer primary key);
create trigger run_removed after delete on run begin insert or ignore into tombstone values (old.key); end;
"""

FILE_VERSIONS = frozenset({5, 6, 7})
"""Values of ``user_version`` whose segments can be read; other files are scanned row by row."""

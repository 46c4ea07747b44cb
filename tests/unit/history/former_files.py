"""Files as earlier versions wrote them, made from today's."""

from __future__ import annotations

import sqlite3

_VERSION_5 = """
drop view runs;
drop table canvas;
delete from meta where name = 'identity';
pragma user_version = 5;
"""
_VERSION_4 = f"""{_VERSION_5}
drop trigger run_removed;
alter table segment rename to block;
alter table block rename column pages to chunks;
alter table block rename column zone_map to limits;
alter table page rename to part;
alter table tombstone rename to stale;
create trigger run_removed after delete on run begin insert or ignore into stale values (old.key); end;
pragma user_version = 4;
"""


def turn_back_to_5(connection: sqlite3.Connection) -> None:
    """Give a file the tables of version 5."""
    connection.executescript(_VERSION_5)


def turn_back_to_4(connection: sqlite3.Connection) -> None:
    """Give a file the tables of version 4."""
    connection.executescript(_VERSION_4)


def turn_back_to_3(connection: sqlite3.Connection) -> None:
    """Give a file the tables of version 3."""
    connection.executescript(_VERSION_4 + "drop table rollup; drop table outdated; pragma user_version = 3;")

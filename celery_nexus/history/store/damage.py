"""Damage reports from readers of the file to its recorder, whose own cached pages look intact."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from celery_nexus.history.store.schema import connect_reader

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def is_damage(error: Exception) -> bool:
    """Tell whether SQLite says that the file itself is wrong, not how it was asked."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def report(path: Path) -> None:
    """Leave word that a history looks damaged; a recorder that runs finds it within a second or so."""
    with suppress(OSError):  # a reader that may not write there
        _report_path(path).touch(mode=0o600)


def take_report(path: Path) -> bool:
    """Tell whether a reader left word, and remove it."""
    try:
        _report_path(path).unlink()
    except FileNotFoundError:
        return False
    return True


def find(path: Path) -> str | None:
    """Read the whole file and say what is wrong first; None when all is well."""
    try:
        with closing(connect_reader(path)) as connection:
            found = str(connection.execute("pragma quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error) if is_damage(error) else None
    return None if found == "ok" else found


def _report_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.suspect")

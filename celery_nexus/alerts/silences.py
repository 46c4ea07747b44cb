"""Silences: rules of which nothing is told for a while, with reason; a file beside the book."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from celery_nexus.alerts.book import write_whole
from celery_nexus.errors import SourceError
from celery_nexus.private_files import find_user, make_private, open_private, read_private
from celery_nexus.rows.alerts import Silence

LONGEST_S = 366 * 86_400.0
"""Longest silence: what is never to be told is a rule that is off."""


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    reason: str
    by: str


class Silences:
    """The file of silences; several processes may change it.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, now: float) -> dict[str, Silence]:
        """Read the silences in force, by rule; what can't be read silences nothing."""
        return {
            rule: Silence(rule, datetime.fromtimestamp(row.until, UTC), row.reason, row.by)
            for rule, row in self._load().items()
            if row.until > now
        }

    def add(self, rule: str, until: float, reason: str) -> None:
        """Silence a rule, or silence it until another time.

        Raises:
            SourceError: The file can't be written.
        """
        self._change(lambda rows: rows.update({rule: _Kept(until, reason, find_user())}))

    def remove(self, rule: str) -> bool:
        """End a silence before its time; False when there was none.

        Raises:
            SourceError: The file can't be written.
        """
        was = rule in self._load()
        self._change(lambda rows: rows.pop(rule, None))
        return was

    def _load(self) -> dict[str, _Kept]:
        try:
            told = cast("dict[str, dict[str, Any]]", json.loads(read_private(self._path)))
            return {rule: _Kept(float(row["until"]), str(row["reason"]), str(row["by"])) for rule, row in told.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _change(self, change: Callable[[dict[str, _Kept]], object]) -> None:
        lock = self._path.with_suffix(".lock")
        try:
            make_private(lock.parent, narrowed=False)
            descriptor = open_private(lock, os.O_RDWR)
        except OSError as error:
            raise SourceError(f"can't write {lock}: {error.strerror or error}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            rows = self._load()
            change(rows)
            write_whole(self._path, json.dumps({rule: asdict(row) for rule, row in rows.items()}))
        finally:
            os.close(descriptor)

"""Times of operators' changes of entries, by the log of changes."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from datetime import datetime

from celery_nexus.rows.audit import AuditEntry

_CHANGES = ("pause", "resume", "skip")


def changes_of(log: Iterable[AuditEntry]) -> dict[str, datetime]:
    """Return when each entry was last paused, resumed or skipped.

    Args:
        log: Entries of the audit log, newest first.
    """
    found: dict[str, datetime] = {}
    for row in log:
        for name in _entries(row.command):
            found.setdefault(name, row.at)
    return found


def _entries(command: str) -> list[str]:
    """Name the entries that a command paused, resumed or skipped."""
    if " schedule " not in command:
        return []
    try:
        words = shlex.split(command)
    except ValueError:
        return []
    return words[3:] if words[1:2] == ["schedule"] and words[2] in _CHANGES else []

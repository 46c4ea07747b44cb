"""Numbers of the history's columns: states, and the keys of rows."""

from __future__ import annotations

STATES = ("PENDING", "RECEIVED", "STARTED", "RETRY", "REJECTED", "SUCCESS", "FAILURE", "REVOKED")
"""Celery's states (REJECTED: handed back unacknowledged), by their number in the file."""

FINAL = frozenset({"SUCCESS", "FAILURE", "REVOKED"})

COUNTERS = 1024
"""Runs that can share one microsecond: a run's key is its time in microseconds times this, and a counter."""

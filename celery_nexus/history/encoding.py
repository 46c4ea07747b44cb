"""Numbers of the history's columns: states, and the keys of rows."""

from __future__ import annotations

from celery_nexus.rows.runs import STATES

__all__ = ["COUNTERS", "FINAL", "STATES"]

FINAL = frozenset({"SUCCESS", "FAILURE", "REVOKED"})

COUNTERS = 1024
"""Runs that can share one microsecond: a run's key is its time in microseconds times this, and a counter."""

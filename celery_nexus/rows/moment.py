"""The present moment, read in one place, so that a picture of a screen can be taken at a fixed one."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present time (aware, UTC)."""
    return datetime.now(UTC)

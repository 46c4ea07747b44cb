"""The current time, read in one place, so that tests of screens can fix it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present time (aware, UTC)."""
    return datetime.now(UTC)

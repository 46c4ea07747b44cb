"""Times in messages and events, as Celery writes and reads them."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_time(text: object) -> datetime | None:
    """Read an ISO 8601 time; None for what is none.

    A time without a zone is UTC, whatever zone the application or this machine has: Celery's workers read it so
    (``celery.utils.time.maybe_make_aware``).

    Returns:
        An aware time in UTC, whose timestamp can be taken.
    """
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None

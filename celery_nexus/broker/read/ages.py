"""Ages of waiting messages: from their timestamps, from their events, or at least since they were first seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from celery_nexus.serializers.json_spelling import unescape

ASK_AGAIN_S = 5.0
"""Pause before the event of a message is looked up again: it may come later than its message was seen."""

MOST_ASKED = 20
"""Most lookups of events in one reading."""

_ID = b"id "


@dataclass(slots=True)
class _Seen:
    """A message without a stamp: since when we know it, and what an event said of it."""

    first_at: float
    sent_at: float | None = None
    asked_at: float = -math.inf


class Ages:
    """Remembers the messages that are next to run and carry no time. Not thread-safe.

    Attributes:
        sent_at: Tells when a run was sent (seconds since the epoch), as its events say; None when none did.
    """

    def __init__(self) -> None:
        self.sent_at: Callable[[str], float | None] = lambda _: None
        self._seen: dict[str, _Seen] = {}
        self._before: dict[str, _Seen] = {}
        self._now = 0.0
        self._asked = 0

    def begin(self, now: float) -> None:
        """Begin a reading: what was not seen in the last one is forgotten."""
        self._before, self._seen = self._seen, {}
        self._now, self._asked = now, 0

    def find_oldest(self, heads: Sequence[Sequence[bytes]]) -> tuple[float | None, bool]:
        """Return the age of the oldest message, and whether that is only a lower bound.

        Args:
            heads: Of each list of a queue the messages that are next: a time stamp, ``id …``, or nothing known.
        """
        sent: list[float] = []
        is_exact = True
        for head in heads:
            for raw in head:
                at = stamp(raw)
                if at is None:
                    at, is_told = self._of_unstamped(raw)
                    is_exact = is_exact and is_told
                if at is not None:
                    sent.append(at)
        if not sent:
            return None, False
        return max(0.0, self._now - min(sent)), not is_exact

    def _of_unstamped(self, raw: bytes) -> tuple[float | None, bool]:
        if not raw.startswith(_ID):
            return None, False
        run_id = unescape(raw.removeprefix(_ID).decode("utf-8", "replace"))
        seen = self._seen.get(run_id) or self._before.get(run_id) or _Seen(self._now)
        self._seen[run_id] = seen
        if seen.sent_at is None and self._now - seen.asked_at >= ASK_AGAIN_S and self._asked < MOST_ASKED:
            seen.sent_at, seen.asked_at = self.sent_at(run_id), self._now
            self._asked += 1
        if seen.sent_at is not None:
            return seen.sent_at, True
        return (seen.first_at if seen.first_at < self._now else None), False


def stamp(raw: bytes) -> float | None:
    """Read a time in seconds since the epoch; None for what is none."""
    try:
        at = float(raw)
    except ValueError:
        return None
    return at if math.isfinite(at) and at > 0 else None

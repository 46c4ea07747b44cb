"""Counts of the runs that match a filter, made again in proportion to what they cost."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from celery_nexus.history.query.history import History
from celery_nexus.rows.history import RunCount

SHARE = 30
"""Time for which a count holds, in multiples of the processor time that it took: who asks four times a second, while
runs stream in, spends a thirtieth of a core on counting a million of them.
"""

MOST_KEPT = 32


@dataclass(frozen=True, slots=True)
class _Counted:
    count: RunCount
    until: float


class PacedCounts:
    """Counts that are kept for a moment; safe in threads.

    Args:
        history: What is counted in.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._kept: dict[str, _Counted] = {}
        self._lock = threading.Lock()

    def count(self, filter_text: str, budget_s: float) -> RunCount:
        """Count the runs that match, as far as that is done in some time; as :meth:`History.count_within`."""
        with self._lock:
            kept = self._kept.get(filter_text)
        if kept is not None and time.monotonic() < kept.until:
            return kept.count
        started = time.thread_time()
        count = self._history.count_within(filter_text, budget_s)
        counted = _Counted(count, time.monotonic() + SHARE * (time.thread_time() - started))
        with self._lock:
            self._kept.pop(filter_text, None)
            self._kept[filter_text] = counted
            while len(self._kept) > MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
        return count

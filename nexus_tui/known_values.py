"""Values of runs that filters are completed with, counted over the last month."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from celery_nexus.errors import SourceError
from celery_nexus.rows import moment
from celery_nexus.rows.runs import STATES
from celery_nexus.rows.snapshot import Snapshot
from celery_nexus.sources import Sources

SPAN_S = 30 * 86_400.0
"""Time over which values are counted."""

FRESH_S = 60.0
"""Time for which counts are not read again."""

MOST_ERRORS = 100
"""Most kinds of errors that are offered."""

Counts = list[tuple[str, int | None]]


class KnownValues:
    """Counts of tasks, queues, states and errors in the history, read when they are needed.

    Args:
        told: Called, in another thread, when they were read anew.
    """

    def __init__(self, told: Callable[[], object]) -> None:
        self._told = told
        self._counts: Mapping[str, Counts] = {}
        self._read_at = -math.inf

    def refresh(self, sources: Sources) -> None:
        """Read them in a thread, unless they are fresh."""
        if time.monotonic() - self._read_at >= FRESH_S:
            self._read_at = time.monotonic()
            threading.Thread(target=self._read, args=(sources,), name="known-values", daemon=True).start()

    def values_of(self, field: str, snapshot: Snapshot) -> Counts:
        """Return the values of a field of runs, the most frequent first; names of what nothing was counted of last."""
        counted = self._counts.get(field, [])
        names = {value for value, _ in counted}
        now: list[str] = []
        if field == "state":
            now = [state.lower() for state in STATES]
        elif field == "queue":
            now = [queue.name for queue in snapshot.queues.value or ()]
        elif field == "worker":
            now = [worker.name for worker in snapshot.workers.value or ()]
        return [*counted, *((name, None) for name in now if name not in names)]

    def _read(self, sources: Sources) -> None:
        try:
            self._counts = read_counts(sources)
        except SourceError:  # what can't be counted is not offered; the view says what is wrong with the history
            return
        self._told()


def read_counts(sources: Sources) -> dict[str, Counts]:
    """Count the values of each field over the last month; the errors of the last day.

    Raises:
        SourceError: The history can't be read.
    """
    tasks, queues, states = Counter[str](), Counter[str](), Counter[str]()
    for row in sources.history.stats(moment.now().timestamp() - SPAN_S, by_queue=True):
        tasks[row.task] += row.count
        queues[row.queue] += row.count
        states.update(success=row.succeeded, failure=row.failed, revoked=row.revoked)
    errors = Counter[str]()
    for group in sources.history.failures(limit=MOST_ERRORS):
        errors[group.type] += group.count
    counted = {"task": tasks, "queue": queues, "state": states, "error": errors}
    return {
        field: [(value, count) for value, count in counts.most_common() if value and value != "?" and count]
        for field, counts in counted.items()
    }

"""Polling threads that read the sources at their own pace and report changes.

A source that hangs holds up its own feed alone. Nothing is drawn here: the dashboard looks at
:attr:`Feed.reading` when it repaints.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

from celery_nexus.errors import SourceError
from celery_nexus.rows import moment
from celery_nexus.rows.snapshot import Reading
from celery_nexus.rows.text import age, safe_text

T = TypeVar("T")

_BUSY_SHARE = 30
"""Pause after a read, in multiples of its processor time: a feed never takes a core for itself. Waiting for a broker
that does not answer costs none, so that its first answer is seen at once.
"""

_CALM_AFTER = 3
"""Unchanged readings after which a feed slows down to its calm pace."""

_QUIET_AFTER, _QUIET = 12, 2.5
"""Unchanged readings after which it slows down once more, and by how much: what was read must not count as old."""


class Feed(Generic[T]):
    """Reads one thing again and again in a thread of its own.

    Args:
        name: What it reads, for messages: ``broker``.
        read: Reads it; may block.
        changed: Called in the feed's thread when the value or the problem differs from before.
        interval_s: Pause between two readings.
        calm_s: Pause when nothing has changed for a while; None: the same.
        essence: What of a value counts as a change; by default all of it.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], T],
        changed: Callable[[], object],
        *,
        interval_s: float,
        calm_s: float | None = None,
        essence: Callable[[T], object] = lambda value: value,
    ) -> None:
        self.name = name
        self.reading: Reading[T] = Reading()
        self.stale_after_s = max(3.0, 3 * (calm_s or interval_s))
        self._read = read
        self._changed = changed
        self._interval_s = interval_s
        self._calm_s = calm_s or interval_s
        self._essence = essence
        self._known: object = None
        self._unchanged = 0
        self._wake = threading.Event()
        self._is_looked_at = threading.Event()
        self._is_looked_at.set()
        self._looked_at_since = moment.now()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"feed-{name}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the reading that is under way; does not wait for it."""
        self._stopping = True
        self._is_looked_at.set()
        self._wake.set()

    def rest(self) -> None:
        """Read nothing more for the time being: nobody looks."""
        self._is_looked_at.clear()

    def go_on(self) -> None:
        """Read again, at once."""
        if not self._is_looked_at.is_set():
            self._looked_at_since = moment.now()
            self._is_looked_at.set()
            self.read_now()

    def read_now(self) -> None:
        """End the pause: the operator did something or asks."""
        self._unchanged = 0
        self._wake.set()

    def hurry(self) -> None:
        """End a calm pause: something else has changed that may concern this."""
        age_s = self.reading.age_s(moment.now())
        if self._unchanged and (age_s is None or age_s >= self._interval_s):
            self.read_now()

    def trouble(self, now: datetime | None = None) -> str:
        """Say what is wrong with the data, as a panel's title does: ``broker silent since 12 s``; empty when fresh."""
        reading = self.reading
        if not moment.is_live():
            return reading.problem
        age_s = reading.age_s(now)
        looked_at_s = ((now or moment.now()) - self._looked_at_since).total_seconds()
        is_fresh = age_s is None or min(age_s, looked_at_s) <= self.stale_after_s
        if not reading.problem and is_fresh:
            return ""
        if age_s is None:
            return reading.problem
        silent = f"{self.name} silent since {age(age_s)}"
        return f"{silent}: {reading.problem}" if reading.problem else silent

    def _run(self) -> None:
        while not self._stopping:
            self._is_looked_at.wait()
            started = time.thread_time()
            before, self.reading = self.reading, self._take()
            if self._is_new(before):
                self._unchanged = 0
                if not self._stopping:
                    self._changed()
            else:
                self._unchanged += 1
            self._wake.wait(max(self._pause_s, _BUSY_SHARE * (time.thread_time() - started)))
            self._wake.clear()

    @property
    def _pause_s(self) -> float:
        if self._unchanged <= _CALM_AFTER:
            return self._interval_s
        return self._calm_s if self._unchanged <= _QUIET_AFTER else _QUIET * self._calm_s

    def _is_new(self, before: Reading[T]) -> bool:
        value = self.reading.value
        known, self._known = self._known, None if value is None else self._essence(value)
        return known != self._known or before.problem != self.reading.problem

    def _take(self) -> Reading[T]:
        try:
            return self.reading.with_value(self._read(), moment.now())
        except SourceError as error:
            return self.reading.with_problem(safe_text(str(error), 300))
        except Exception as error:  # noqa: BLE001  (a fault in a source must be drawn: a dead thread would look like calm)
            return self.reading.with_problem(safe_text(f"{type(error).__name__}: {error}", 300))

"""Steps of a change at work: how far it is, what became of each target so far, and whether it is to end early."""

from __future__ import annotations

import threading
import time

from celery_nexus.rows.outcomes import TargetOutcome


class Steps:
    """What a change that takes long tells while it works, and where it learns that it should end.

    The change writes in one thread; others read, and may :meth:`stop` it.

    Attributes:
        total: Number of targets; None before they are counted.
        done: Number of those that were looked at, changed or not.
        rows: What became of each so far; a change of many messages in one go tells of none.
        note: What it waits for, in words; empty while it goes on.
        why: Why it is to end; empty while it is not.
    """

    def __init__(self) -> None:
        self.total: int | None = None
        self.done = 0
        self.rows: list[TargetOutcome] = []
        self.note = ""
        self.why = ""
        self._stopping = threading.Event()
        self._began_at: float | None = None
        self._done_before = 0

    def begin(self, total: int) -> None:
        """Learn how many targets there are; the first is looked at now."""
        self.total, self.done, self.rows, self.note = total, 0, [], ""
        self._began_at, self._done_before = time.monotonic(), 0

    def go_on(self) -> None:
        """Tell that what it waited for, or looked for, has ended: its rate counts from now."""
        self.note, self._began_at, self._done_before = "", time.monotonic(), self.done

    def add(self, row: TargetOutcome) -> None:
        """Tell what became of a target."""
        self.rows.append(row)
        self.done += 1

    def advance(self, count: int) -> None:
        """Tell that some targets more were changed."""
        self.done += count

    def stop(self, why: str) -> None:
        """Let it end after the step at hand; ``why`` as it is told of what was not done: ``cancelled``."""
        self.why = self.why or why
        self._stopping.set()

    @property
    def is_stopped(self) -> bool:
        """Whether it is to end."""
        return self._stopping.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait; return at once, and True, when it is to end."""
        return self._stopping.wait(seconds)

    @property
    def rate_per_s(self) -> float | None:
        """Targets a second since it began, or went on; None before that can be told."""
        done = self.done - self._done_before
        if self._began_at is None or not done:
            return None
        return done / max(time.monotonic() - self._began_at, 1e-3)

    @property
    def rest_s(self) -> float | None:
        """Seconds that the rest takes at this rate; None where nobody can tell."""
        rate = self.rate_per_s
        return (self.total - self.done) / rate if rate and self.total is not None else None

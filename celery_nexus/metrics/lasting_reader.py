"""Reader of an application that is scraped again and again, and answers in time whatever hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from celery_nexus.errors import SourceError
from celery_nexus.metrics.reader import MetricsReader, Watching
from celery_nexus.metrics.seen import Seen
from celery_nexus.rows.text import safe_text
from celery_nexus.sources import Sources

ANSWER_S = 4.0
"""Time limit of a scrape; Prometheus gives it ten seconds, unless it scrapes more often."""

NO_ANSWER = f"the broker was not read within {ANSWER_S:g} s"


@dataclass
class _Reading:
    """One reading, under way or done."""

    done: threading.Event = field(default_factory=threading.Event)
    seen: Seen = field(default_factory=lambda: Seen(problem=NO_ANSWER))


class LastingReader:
    """Reads an application again and again. May be shared by threads: who asks while it reads gets the same answer.

    Args:
        open_sources: Opens the application; called until its broker answers for the first time.
    """

    def __init__(self, open_sources: Callable[[], Sources]) -> None:
        self._open_sources = open_sources
        self._reader: MetricsReader | None = None
        self._stop: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self._under_way: _Reading | None = None

    def read(self) -> Seen:
        """Read everything; without the broker, or when it does not answer in time, that alone is told."""
        with self._lock:
            reading = self._under_way
            if reading is None or reading.done.is_set():
                reading = self._under_way = _Reading()
                threading.Thread(target=self._run, args=(reading,), name="metrics-read", daemon=True).start()
        reading.done.wait(ANSWER_S)
        return reading.seen

    def stop(self) -> None:
        """End the threads, and the recorder if this started one."""
        if self._stop is not None:
            self._stop()

    def _run(self, reading: _Reading) -> None:
        try:
            reading.seen = (self._reader or self._open()).read()
        except SourceError as problem:
            reading.seen = Seen(problem=safe_text(str(problem)))
        finally:
            reading.done.set()

    def _open(self) -> MetricsReader:
        sources = self._open_sources()
        watching = Watching(sources)
        watching.start()
        if sources.recording is not None:  # events of a stranger's application are recorded while somebody looks
            sources.recording.start()
        self._reader = MetricsReader(sources, watching)
        self._stop = lambda: _stop(sources, watching)
        return self._reader


def _stop(sources: Sources, watching: Watching) -> None:
    watching.stop()
    if sources.recording is not None:
        sources.recording.stop()

"""The sources of a server for assistants: opened once, and asked for as long as its client stays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from celery_nexus.client import Nexus
from celery_nexus.sources import Sources


class Opening:
    """Opens the sources when they are first needed; a broker that does not answer is tried again at the next call.

    Safe in threads. Of another application events are recorded from then on, as while a dashboard is open.

    Args:
        open_sources: Makes the sources; blocks.
    """

    def __init__(self, open_sources: Callable[[], Sources]) -> None:
        self._open = open_sources
        self._sources: Sources | None = None
        self._lock = threading.Lock()

    def sources(self) -> Sources:
        """Return the sources.

        Raises:
            SourceError: They can't be opened.
        """
        with self._lock:
            if self._sources is None:
                self._sources = self._open()
                if self._sources.recording is not None:
                    self._sources.recording.start()
            return self._sources

    def connect(self, client: str) -> Nexus:
        """Return what answers a client; what it changes is written down with its name."""
        return Nexus(replace(self.sources(), via=client))

    def leave(self) -> None:
        """Let what takes long (a canary that waits for its runs) end after the step at hand: who asked is gone."""
        if self._sources is not None:
            self._sources.steps.stop("who asked was gone")

    def close(self) -> None:
        """End the recorder, and close the history."""
        self.leave()
        with self._lock:
            if self._sources is None:
                return
            if self._sources.recording is not None:
                self._sources.recording.stop()
            self._sources.history.close()

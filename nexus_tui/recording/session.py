"""A recording that is being made: a thread that records until it is full, its time is over, or it is stopped."""

from __future__ import annotations

import threading
import time
from typing import BinaryIO

from celery_nexus.rows.text import safe_text
from celery_nexus.sources import Sources
from nexus_tui.bundle.known_secrets import KnownSecrets, find_in, find_in_environment
from nexus_tui.recording.recorder import Recorder
from nexus_tui.recording.writer import Writer

_LOOK_S = 0.2


class Session:
    """Records in a thread of its own.

    Args:
        sources: Where everything is read.
        file: Where to.
        lasts_s: For how long; None: until it is stopped.
        most_bytes: Size of the file at which it ends.

    Attributes:
        problem: Why it ended before it should; empty when it did not.
    """

    def __init__(self, sources: Sources, file: BinaryIO, lasts_s: float | None, most_bytes: int) -> None:
        secrets = KnownSecrets([*find_in_environment(), *find_in(sources.broker.url.redis_py)])
        self.problem = ""
        self._writer = Writer(file, secrets.mask, most_bytes)
        self._recorder = Recorder(sources, self._writer)
        self._lasts_s = lasts_s
        self._began = time.monotonic()
        self._lasted_s = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)

    @property
    def is_over(self) -> bool:
        """Whether nothing is recorded any more."""
        return not self._thread.is_alive()

    @property
    def seconds(self) -> float:
        """How long it has recorded."""
        return self._lasted_s

    @property
    def size_bytes(self) -> int:
        """How much it has written."""
        return self._writer.size_bytes

    @property
    def mark_count(self) -> int:
        """How often something got into trouble meanwhile."""
        return self._recorder.mark_count

    def start(self) -> None:
        """Begin."""
        self._began = time.monotonic()
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait until it is over, for some seconds at most; return whether it is."""
        self._thread.join(seconds)
        return self.is_over

    def stop(self) -> None:
        """End it, and wait for what is under way."""
        self._stopping.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        try:
            self._recorder.start()
            while not self._is_time_over() and not self._stopping.wait(_LOOK_S):
                self._recorder.step()
                if self._writer.is_full:
                    self.problem = f"full: it has {self._writer.size_bytes:,} bytes"
                    break
            self._recorder.stop()
        except OSError as error:
            self.problem = safe_text(f"can't be written: {error.strerror}", 200)

    def _is_time_over(self) -> bool:
        self._lasted_s = time.monotonic() - self._began
        return self._lasts_s is not None and self._lasted_s >= self._lasts_s

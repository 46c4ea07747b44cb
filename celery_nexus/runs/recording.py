"""Recording of a foreign application: the path of its history, and the child process that writes it.

One child records, however many dashboards look: who holds the history's lock. When it is gone, the next
dashboard's child takes over within a second. The child ends with its parent, however that ends.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.control.channels import Listening
from celery_nexus.delivery.layout import Layout
from celery_nexus.errors import SourceError
from celery_nexus.history.places import history_path
from celery_nexus.history.store.schema import lock_path
from celery_nexus.runs.source import HistorySource

LOOK_EVERY_S = 1.0
CHANNELS_EVERY_S = 5.0
"""Interval of asking the broker where events are heard; that changes when an application comes, or is set anew."""

RETRY_S = 5.0
"""Pause before a recorder that ended by itself is started again."""

SILENT_AFTER_S = 10.0
"""Age of the last complete recording from which a recorder counts as behind or hanging."""

STOP_S = 8.0
_CODE = Path(__file__).resolve().parents[2]
"""Folder of the library's package, for a child that starts elsewhere."""

_LOG_BYTES = 4_000


@dataclass(frozen=True, slots=True)
class Origin:
    """What is recorded: the broker, the application's key prefix, and the file."""

    url: BrokerUrl
    prefix: str
    path: Path


def origin_of(url: BrokerUrl, prefix: str | None, layouts: Sequence[Layout]) -> Origin:
    """Say what is recorded of a broker: one application, or without a chosen prefix all that are there or come.

    The file's name must not follow from what is there at the moment: an application may start later.
    """
    seen = layouts[0].prefix if len(layouts) == 1 else ""
    if prefix is not None:
        return Origin(url, prefix, history_path(url, prefix))
    before = history_path(url, seen)  # as earlier versions named it
    return Origin(url, seen, before if before.exists() and not history_path(url).exists() else history_path(url))


def start_recorder(
    origin: Origin, log: IO[bytes] | None = None, listening: Listening | None = None
) -> subprocess.Popen[bytes]:
    """Start a recorder as a child that ends when this process does.

    Args:
        origin: What is recorded.
        log: Where it writes what happens.
        listening: Where events are heard; None for the channels of a stock application.

    Raises:
        OSError: The history's folder can't be made.
    """
    origin.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = origin.url
    told: dict[str, Any] = {"url": url.redis_py, "place": url.masked, "database": url.database}
    told["prefix"] = origin.prefix
    if listening is not None:
        told |= asdict(listening)
    child = subprocess.Popen(
        # -P: a folder "workers" where the operator stands is not ours.
        [sys.executable, "-P", "-m", "celery_nexus.history.recorder.pubsub"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=log,
        start_new_session=True,  # Ctrl+C on the terminal is for the dashboard
        cwd="/",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(_CODE), os.environ.get("PYTHONPATH"))))},
    )
    stdin = cast("IO[bytes]", child.stdin)
    try:
        stdin.write(json.dumps(told | {"path": str(origin.path)}).encode() + b"\n")
        stdin.flush()
    except BrokenPipeError:  # it ended at once: its log says why
        pass
    return child


def is_recorded(path: Path) -> bool:
    """Tell whether a recorder writes this history now."""
    try:
        with lock_path(path).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is none, or nobody can write there
        return False
    return False


class Recording:
    """Keeps a recorder at work while the dashboard is open.

    Args:
        origin: What to record.
        history: The reader of the same file; it is told when nobody can write it.
        listening: Tells where events are heard now: an application may come, or name its channels otherwise.
    """

    def __init__(
        self, origin: Origin, history: HistorySource, listening: Callable[[], Listening | None] = lambda: None
    ) -> None:
        self.origin = origin
        self.listening = listening
        self._heard: Listening | None = None
        self._ask_at = -math.inf
        self._told: Listening | None = None
        self.problem = ""
        self.silent: tuple[str, ...] = ()
        self._history = history
        history.recorder_problem = lambda: self.problem
        self._child: subprocess.Popen[bytes] | None = None
        self._log_path = origin.path.with_suffix(".log")
        self._not_before = 0.0
        self._complete_at = 0
        self._moved_at = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)

    def start(self) -> None:
        """Begin to record, or to wait until the present recorder ends."""
        self._thread.start()

    def stop(self) -> None:
        """End the recorder, after what it has received."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)
        if self._child is not None:
            _end(self._child)
            self._child = None

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._look()
            self._stopping.wait(LOOK_EVERY_S)

    def _look(self) -> None:
        try:
            listening = self._ask_listening()
        except SourceError:  # the broker is away: whoever reads it says so, and the recorder waits for it
            listening = self._heard
            self._moved_at = time.monotonic()
        if self._child is not None and self._child.poll() is None and listening != self._heard:
            _end(self._child)
            self._child = None
        if self._child is not None and self._child.poll() is not None:
            self.problem = "" if is_recorded(self.origin.path) else f"recorder: {self._last_words()}"
            self._child = None
            self._not_before = time.monotonic() + RETRY_S
        if self._child is None and time.monotonic() >= self._not_before and not is_recorded(self.origin.path):
            self._start(listening)
        elif self._child is not None or is_recorded(self.origin.path):
            self.problem = self._standstill()
        try:
            self.silent = self._history.list_silent_workers()
        except SourceError:  # whoever reads runs says so
            self.silent = ()

    def _ask_listening(self) -> Listening | None:
        """Ask where events are heard, now and then: what is known of it is good for some seconds.

        Raises:
            SourceError: The broker does not answer.
        """
        if time.monotonic() >= self._ask_at:
            self._told = self.listening()
            self._ask_at = time.monotonic() + CHANNELS_EVERY_S
        return self._told

    def _start(self, listening: Listening | None) -> None:
        try:
            self.origin.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(self._log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
                self._heard = listening
                self._moved_at = time.monotonic()
                self._child = start_recorder(self.origin, log, listening)
        except OSError as error:
            self.problem = f"recorder: {error.filename or self.origin.path}: {error.strerror}"
            self._not_before = time.monotonic() + RETRY_S

    def _standstill(self) -> str:
        """Say that the recorder hangs, or is behind, whoever started it: it says each moment that all is recorded."""
        try:
            complete_at = lock_path(self.origin.path).stat().st_mtime_ns
        except OSError:
            return ""
        now = time.monotonic()
        if complete_at != self._complete_at:
            self._complete_at, self._moved_at = complete_at, now
        still_s = now - self._moved_at
        if still_s <= SILENT_AFTER_S:
            return ""
        which = "" if self._child is None else f" (pid {self._child.pid})"
        return f"recorder{which}: what happened in the last {still_s:.0f} s is not recorded: it hangs, or is behind"

    def _last_words(self) -> str:
        try:
            lines = self._log_path.read_bytes()[-_LOG_BYTES:].decode(errors="replace").splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "ended without a word"


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        child.stdin.close()
    try:
        child.wait(STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()

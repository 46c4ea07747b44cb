"""Logs of a recording: files of our own that have at each moment what the programs had written until then."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

from celery_nexus.rows.logs import LogLine
from nexus_tui.recording.playback import Playback


class ReplayedLogs:
    """Writes the logs as they grew; the files go away with this.

    Args:
        playback: Which moment.

    Attributes:
        close: Removes the files.
    """

    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self._folder = Path(tempfile.mkdtemp(prefix="nexus-replay-"))
        self.close = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._written = 0
        self._paths: dict[str, Path] = {}

    def path_of(self, program: str) -> str:
        """Return the log of a program; empty while nothing of it is recorded."""
        path = self._paths.get(program)
        return "" if path is None else str(path)

    def follow(self) -> None:
        """Bring the files to the present moment of the replay."""
        reel = self._playback.reel
        end = reel.count("log", self._playback.at_s)
        if end < self._written:
            self._written = 0
            for path in self._paths.values():
                path.unlink(missing_ok=True)  # who reads it sees that it is another file
                path.touch()
        for lines in reel.read_between("log", self._written, end):
            self._append(lines)
        self._written = end

    def _append(self, lines: tuple[LogLine, ...]) -> None:
        texts: dict[str, list[str]] = {}
        for line in lines:
            texts.setdefault(line.program, []).append(line.text)
        for program, own in texts.items():
            path = self._paths.setdefault(program, self._folder / f"{len(self._paths)}.log")
            with path.open("a", encoding="utf-8", errors="replace") as file:
                file.write("".join(f"{text}\n" for text in own))

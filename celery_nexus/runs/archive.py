"""Parent's side of the archiving process: its progress, and its end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import orjson

import celery_nexus
from celery_nexus.errors import SourceError
from celery_nexus.history.archive.archiving import Progress

STOP_S = 10.0
_ROOT = Path(celery_nexus.__path__[0]).parent


class ArchivingProcess:
    """A child that archives; it ends with this process.

    Args:
        child: The process.
    """

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self.progress = Progress()

    def follow(self) -> Generator[Progress]:
        """Yield how far it is, until it is done.

        Raises:
            SourceError: It could not do it.
        """
        problem = "the archiving process ended without a word"
        for line in cast("Any", self._child.stdout):
            found: dict[str, Any] = orjson.loads(line)
            if "error" in found:
                problem = str(found["error"])
                break
            self.progress = Progress(**found)
            yield self.progress
        if self._child.wait():
            raise SourceError(problem)

    def stop(self) -> None:
        """End it; what it wrote stays, and what it was writing is left out."""
        if self._child.poll() is None:
            self._child.terminate()
        try:
            self._child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        cast("Any", self._child.stdout).close()


@contextmanager
def start_archiving(history: Path, folder: Path, before: float | None) -> Generator[ArchivingProcess]:
    """Archive in a process of its own, which is stopped when the block is left.

    Args:
        history: The history's file.
        folder: The archive's.
        before: Only runs sent, or first heard of, before this time in seconds since the epoch; None for all.
    """
    child = subprocess.Popen(
        # -P: a folder "celery_nexus" where the operator stands is not ours.
        [sys.executable, "-P", "-m", "celery_nexus.history.archive", str(history.absolute()), str(folder.absolute()),
         "" if before is None else repr(before)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl+C on the terminal is for us
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))},
    )  # fmt: skip
    process = ArchivingProcess(child)
    try:
        yield process
    finally:
        process.stop()
